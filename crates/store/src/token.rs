//! Tokens: who may ask a server for what, and until when.
//!
//! The text of a token is shown once, to whoever creates it. What is stored is a hash of it, which opens nothing: the text holds
//! 32 random bytes, so that no dictionary finds it.

use std::fmt;
use std::fmt::Write as _;

use sqlx::Transaction;
use sqlx::any::{Any, AnyRow};
use tabwright_core::suggest;

use crate::database::{WITH_TOKENS, get};
use crate::error::{Error, Result};
use crate::time::{self, Micros};
use crate::{Store, id, name};

/// What the text of every token begins with, so that scanners of repositories and logs know one when they see it.
const PREFIX: &str = "tw_";
/// Random bytes of a secret: as many as the hash has, so that guessing one is as hard as the other.
const SECRET_BYTES: usize = 32;

/// What a token lets its holder do. Each scope holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Ask for predictions.
    Predict,
    /// Also read what is measured and recorded.
    Read,
    /// Also change what is served, such as the share of a canary.
    Write,
    /// Also act upon the server itself, such as making it load its models anew.
    Admin,
}

impl Scope {
    /// Every scope, the smallest first.
    pub const ALL: [Scope; 4] = [Scope::Predict, Scope::Read, Scope::Write, Scope::Admin];

    /// The text form.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Predict => "predict",
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
        }
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest one.
    pub fn parse(text: &str) -> Result<Self> {
        Scope::ALL.into_iter().find(|scope| scope.name() == text).ok_or_else(|| {
            let names = || Scope::ALL.into_iter().map(Scope::name);
            let hint = format!("{}; there are {}", suggest::did_you_mean(text, names()), suggest::shorten(names()));
            Error::Unknown { what: "scope", name: text.to_owned(), hint }
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A token that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The name, which no other token has that is not revoked.
    pub name: String,
    /// What it lets its holder do.
    pub scope: Scope,
    /// When it ends; none: never.
    pub expires: Option<Micros>,
}

/// A token, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id, which stands in its text.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it lets its holder do.
    pub scope: Scope,
    /// [`token_hash`] of its text.
    pub hash: String,
    /// When it was created.
    pub created: Micros,
    /// When it ends; none: never.
    pub expires: Option<Micros>,
    /// When it was revoked.
    pub revoked: Option<Micros>,
}

/// Whether a token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// It is good.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody revoked it.
    Revoked,
}

impl TokenState {
    /// The text form.
    pub fn name(self) -> &'static str {
        match self {
            TokenState::Active => "active",
            TokenState::Expired => "expired",
            TokenState::Revoked => "revoked",
        }
    }
}

impl Token {
    /// Whether it is good at a moment. At the moment when it ends it no longer is. A token that has ended and was revoked is
    /// revoked; a revocation counts from the first moment on, whatever the clock says.
    pub fn state(&self, now: Micros) -> TokenState {
        match (self.revoked, self.expires) {
            (Some(_), _) => TokenState::Revoked,
            (None, Some(expires)) if expires <= now => TokenState::Expired,
            _ => TokenState::Active,
        }
    }
}

/// The hash of a token's text: BLAKE3, in hexadecimal digits. What a caller presents is compared by it, so that neither the
/// text nor the time that a comparison takes tells anything.
pub fn token_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

type Tx = Transaction<'static, Any>;

impl Store {
    /// Creates a token. Returns it with its text, `tw_ID_SECRET`, which is stored nowhere and cannot be shown again.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that cannot be one, [`Error::Conflict`] where a token that is not revoked has it, or where the
    /// token would have ended already.
    pub async fn create_token(&self, new: &NewToken) -> Result<(Token, String)> {
        name::check("the token name", &new.name)?;
        let created = self.now();
        if let Some(expires) = new.expires.filter(|expires| *expires <= created) {
            let at = time::to_seconds(expires);
            return Err(Error::Conflict(format!("a token that ends at {at} is of no use: that is over already")));
        }
        let id = id::draw()?;
        let text = format!("{PREFIX}{id}_{}", secret()?);
        let hash = token_hash(&text);
        let (name, scope, expires) = (new.name.clone(), new.scope, new.expires);
        let token = Token { id, name, scope, hash, created, expires, revoked: None };
        let mut tx = self.database().write().await?;
        // Whoever else takes the name at this moment is waited for.
        let insert = sqlx::query(
            "INSERT INTO tokens (token_id, name, scope, hash, created, expires) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(token.id.as_str())
        .bind(token.name.as_str())
        .bind(token.scope.name())
        .bind(token.hash.as_str())
        .bind(token.created)
        .bind(token.expires);
        let row = insert.fetch_optional(&mut *tx).await.map_err(|e| self.database().error(e))?;
        if row.is_none() {
            return Err(Error::Conflict(format!(
                "a token that is not revoked has the name `{0}`; take another name, or revoke that one first: tabwright token \
                 revoke {0}",
                token.name
            )));
        }
        self.database().commit(tx).await?;
        Ok((token, text))
    }

    /// Every token, the first created first. A home of an earlier version that can only be read has none.
    ///
    /// # Errors
    /// From the database.
    pub async fn tokens(&self) -> Result<Vec<Token>> {
        // Asked each time: whoever may write there can bring the home up to date while it is open here.
        if self.database().check_writable().is_err() && self.database().layout().await? < WITH_TOKENS {
            return Ok(Vec::new());
        }
        let told = |e| self.database().error(e);
        let rows = sqlx::query(TOKENS).fetch_all(self.database().pool()).await.map_err(told)?;
        rows.iter().map(|row| self.read_token(row)).collect()
    }

    /// Revokes a token, named by its id, its name or its text. Of several with one name, the one that is not revoked is meant, else the
    /// last. One that is revoked already is returned as it is: asking twice is as good as once.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub async fn revoke_token(&self, id_or_name: &str) -> Result<Token> {
        let told = |e| self.database().error(e);
        let mut tx = self.database().write().await?;
        let mut token = self.token_of(&mut tx, id_or_name).await?;
        if token.revoked.is_some() {
            return Ok(token);
        }
        let at = self.now();
        let update = sqlx::query("UPDATE tokens SET revoked = $1 WHERE token_id = $2 AND revoked IS NULL");
        update.bind(at).bind(token.id.as_str()).execute(&mut *tx).await.map_err(told)?;
        self.database().commit(tx).await?;
        token.revoked = Some(at);
        Ok(token)
    }

    async fn token_of(&self, tx: &mut Tx, id_or_name: &str) -> Result<Token> {
        let id_or_name = naming(id_or_name);
        let rows = sqlx::query(TOKENS).fetch_all(&mut **tx).await.map_err(|e| self.database().error(e))?;
        let tokens: Vec<Token> = rows.iter().map(|row| self.read_token(row)).collect::<Result<_>>()?;
        let by_id = tokens.iter().find(|token| token.id == id_or_name);
        let named = || tokens.iter().rev().filter(|token| token.name == id_or_name);
        let found = by_id.or_else(|| named().find(|token| token.revoked.is_none())).or_else(|| named().next());
        found.cloned().ok_or_else(|| unknown(id_or_name, &tokens))
    }

    fn read_token(&self, row: &AnyRow) -> Result<Token> {
        let told = |e| self.database().error(e);
        let scope: String = get(row, 2).map_err(told)?;
        Ok(Token {
            id: get(row, 0).map_err(told)?,
            name: get(row, 1).map_err(told)?,
            scope: Scope::parse(&scope)?,
            hash: get(row, 3).map_err(told)?,
            created: get(row, 4).map_err(told)?,
            expires: get(row, 5).map_err(told)?,
            revoked: get(row, 6).map_err(told)?,
        })
    }
}

const TOKENS: &str = "SELECT token_id, name, scope, hash, created, expires, revoked FROM tokens ORDER BY id";

/// What names a token: of the whole text of one, the id. Whoever finds a text where it should not be can revoke it as it is, and
/// no error repeats the secret.
fn naming(asked: &str) -> &str {
    asked.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).map_or(asked, |(id, _)| id)
}

/// The error for what names no token.
fn unknown(asked: &str, tokens: &[Token]) -> Error {
    let good: Vec<&str> = tokens.iter().filter(|t| t.revoked.is_none()).map(|t| t.name.as_str()).collect();
    let hint = match good.is_empty() {
        true => "; there is none that is not revoked".to_owned(),
        false => {
            let names = || good.iter().copied();
            format!("{}; there are {}", suggest::did_you_mean(asked, names()), suggest::shorten(names()))
        }
    };
    Error::Unknown { what: "token", name: asked.to_owned(), hint }
}

/// 32 random bytes as hexadecimal digits.
fn secret() -> Result<String> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|e| Error::Invalid(format!("the system gives no random numbers: {e}")))?;
    Ok(bytes.iter().fold(String::with_capacity(2 * SECRET_BYTES), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_holds_those_before_it() {
        assert!(Scope::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.name()).unwrap(), scope);
        }
        let error = Scope::parse("writ").unwrap_err().to_string();
        assert!(error.contains("there is no scope `writ` (did you mean `write`?); there are predict, read"), "{error}");
    }

    #[test]
    fn a_token_is_good_until_it_ends_or_is_revoked() {
        let (id, name, hash) = ("aa".to_owned(), "ci".to_owned(), token_hash("x"));
        let token = Token { id, name, scope: Scope::Read, hash, created: 10, expires: Some(20), revoked: None };
        assert_eq!([19, 20, 21].map(|now| token.state(now)).map(TokenState::name), ["active", "expired", "expired"]);
        let without_end = Token { expires: None, ..token.clone() };
        assert_eq!(without_end.state(Micros::MAX), TokenState::Active);
        let revoked = Token { revoked: Some(15), ..token };
        assert_eq!([9, 15, 30].map(|now| revoked.state(now)), [TokenState::Revoked; 3]);
    }

    #[test]
    fn the_hash_is_that_of_the_whole_text() {
        assert_eq!(token_hash("tw_a_b"), blake3::hash(b"tw_a_b").to_hex().as_str());
        assert_ne!(token_hash("tw_a_b"), token_hash("tw_a_c"));
        let (one, two) = (secret().unwrap(), secret().unwrap());
        assert!(one != two && one.len() == 64 && one.bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn of_a_text_only_the_id_is_read() {
        for (asked, names) in [("tw_0123_geheim", "0123"), ("ci", "ci"), ("tw_tools", "tw_tools"), ("tw__x", "")] {
            assert_eq!(naming(asked), names);
        }
    }
}

//! How a model is named: `NAME:VERSION`, `NAME@ALIAS`, or `NAME`, which means `NAME@champion`.

use crate::error::{Error, Result};
use crate::name;

/// The alias that a bare name means.
pub const CHAMPION: &str = "champion";
/// The alias of a version that is to be compared with the champion.
pub const CHALLENGER: &str = "challenger";

/// Which version of a model is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The version of this number.
    Version(u64),
    /// The version that an alias points to.
    Alias(String),
}

/// A model of the registry, as it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name.
    pub name: String,
    /// Which version.
    pub which: Which,
}

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    /// [`Error::Name`] for a name, version or alias that cannot be one.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, which) = if let Some((name, version)) = text.split_once(':') {
            let number = version.parse::<u32>().ok().filter(|v| *v > 0 && !version.starts_with('+'));
            let why = "versions count from 1; a model is named NAME:VERSION, NAME@ALIAS or NAME";
            let number = number.ok_or_else(|| Error::Name {
                what: "the version",
                found: name::shown(version),
                why: why.into(),
            })?;
            (name, Which::Version(number.into()))
        } else if let Some((name, alias)) = text.split_once('@') {
            name::check_alias(alias)?;
            (name, Which::Alias(alias.to_owned()))
        } else {
            (text, Which::Alias(CHAMPION.to_owned()))
        };
        name::check("the model name", name)?;
        Ok(Reference { name: name.to_owned(), which })
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.which {
            Which::Version(version) => write!(f, "{}:{version}", self.name),
            Which::Alias(alias) => write!(f, "{}@{alias}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_told_apart() {
        let which = |text| Reference::parse(text).unwrap().which;
        assert_eq!(which("churn"), Which::Alias("champion".into()));
        assert_eq!(which("churn:12"), Which::Version(12));
        assert_eq!(which("churn@shadow"), Which::Alias("shadow".into()));
        for text in
            ["churn:0", "churn:-1", "churn:+1", "churn:one", "churn:", "churn@", "churn@3", ":1", "a/b:1", "a:1:2"]
        {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
    }
}

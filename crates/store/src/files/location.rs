//! Where models and files are kept, as a configuration names it, and what reaching that place needs.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// What the address of a bucket begins with.
const SCHEME: &str = "s3://";
/// Beginning of the variables that say how a bucket is reached.
const VARIABLES: &str = "AWS_";
const KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
/// Variables beside key and secret by which somebody is known, each with those that it needs.
const OTHER_CREDENTIALS: [&[&str]; 5] = [
    &["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"],
    &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
    &["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
    &["AWS_METADATA_ENDPOINT"],
    &["AWS_SKIP_SIGNATURE"],
];

/// Where models and files are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileLocation {
    /// In a folder of the home.
    #[default]
    Home,
    /// In a bucket of S3, or of what speaks its language.
    Bucket(BucketLocation),
}

impl FileLocation {
    /// The place that a text names: `s3://bucket/prefix`. How it is reached stands in the variables of the environment that AWS
    /// has defined, of which `variables` may hold any.
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other text, and for a bucket where this program was built without S3.
    pub fn parse(text: &str, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let Some(rest) = text.strip_prefix(SCHEME) else {
            let what = match text.split_once("://") {
                Some((scheme, _)) => format!("files of the kind `{scheme}` are not known"),
                None => "the place of the files is no URL".to_owned(),
            };
            return Err(Error::Invalid(format!("{what}; write s3://bucket/prefix, or leave it out for the home")));
        };
        if !cfg!(feature = "s3") {
            return Err(Error::Invalid(
                "this program was built without S3; build it with the feature `s3`, or leave store.files out for the home"
                    .into(),
            ));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let is_bucket = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'));
        let is_prefix = prefix.is_empty() || prefix.split('/').all(is_part);
        if !is_bucket || !is_prefix {
            // The text is not repeated: somebody may have put a password into it.
            return Err(Error::Invalid(
                "the address of the bucket is none; write s3://bucket/prefix, with letters, digits, `.`, `-` and `_` \
                 (keys stand in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
                    .into(),
            ));
        }
        let variables = variables.into_iter().filter(|(name, value)| name.starts_with(VARIABLES) && !value.is_empty());
        Ok(FileLocation::Bucket(BucketLocation {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            variables: variables.collect(),
        }))
    }

    /// Checks that all is there that reaching the place needs. Asks nobody.
    ///
    /// # Errors
    /// [`Error::Environment`] names the variables that are missing.
    pub fn check(&self) -> Result<()> {
        match self {
            FileLocation::Home => Ok(()),
            FileLocation::Bucket(bucket) => bucket.check(),
        }
    }
}

fn is_part(part: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'=');
    !matches!(part, "" | "." | "..") && part.bytes().all(is_allowed)
}

/// A bucket, the prefix of all names in it, and how it is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct BucketLocation {
    bucket: String,
    prefix: String,
    variables: BTreeMap<String, String>,
}

impl BucketLocation {
    /// The address of the place, which holds no secret.
    pub fn shown(&self) -> String {
        match self.prefix.is_empty() {
            true => format!("{SCHEME}{}", self.bucket),
            false => format!("{SCHEME}{}/{}", self.bucket, self.prefix),
        }
    }

    #[cfg(feature = "s3")]
    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key of a file in the bucket.
    #[cfg(feature = "s3")]
    pub(super) fn key(&self, name: &str) -> String {
        match self.prefix.is_empty() {
            true => name.to_owned(),
            false => format!("{}/{name}", self.prefix),
        }
    }

    #[cfg(feature = "s3")]
    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Where requests go, if not to AWS.
    pub(super) fn endpoint(&self) -> Option<&str> {
        let find = |name: &str| self.variables.get(name).map(String::as_str);
        find("AWS_ENDPOINT_URL_S3").or_else(|| find("AWS_ENDPOINT_URL"))
    }

    pub(super) fn check(&self) -> Result<()> {
        let has = |name: &str| self.variables.contains_key(name);
        let invalid = |why: &str| Err(Error::Environment { place: self.shown(), why: why.to_owned() });
        let not_set = |name: &str| invalid(&format!("the environment has no {name}"));
        match (has(KEY), has(SECRET)) {
            (true, true) => {}
            (true, false) => return not_set(SECRET),
            (false, true) => return not_set(KEY),
            (false, false) if OTHER_CREDENTIALS.iter().any(|names| names.iter().all(|n| has(n))) => {}
            (false, false) => return not_set(&format!("{KEY} and no {SECRET}")),
        }
        match self.endpoint() {
            None if !has("AWS_REGION") && !has("AWS_DEFAULT_REGION") => {
                not_set("AWS_REGION (nor an AWS_ENDPOINT_URL, for a bucket that is not Amazon's)")
            }
            Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
                invalid("AWS_ENDPOINT_URL must begin with https:// (or http://, within a network that you trust)")
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for BucketLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BucketLocation").field(&self.shown()).finish()
    }
}

#[cfg(all(test, feature = "s3"))]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> FileLocation {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        FileLocation::parse("s3://models/team/a/", variables).unwrap()
    }

    fn error(text: &str) -> String {
        FileLocation::parse(text, []).unwrap_err().to_string()
    }

    #[test]
    fn an_address_is_a_bucket_and_a_prefix() {
        let FileLocation::Bucket(bucket) = with(&[]) else { panic!("no bucket") };
        assert_eq!(
            (bucket.shown().as_str(), bucket.key("models/x").as_str()),
            ("s3://models/team/a", "team/a/models/x")
        );
        for text in ["s3://", "s3://ab", "s3://UPPER", "s3://models//x", "s3://models/../x", "s3://models/a b?x"] {
            assert!(error(text).contains("write s3://bucket/prefix"), "{text}");
        }
        assert!(error("gs://models").contains("the kind `gs` is not known") || error("gs://models").contains("`gs`"));
        assert!(error("models").contains("no URL"));
        assert!(!error("s3://key:geheim@models").contains("geheim"));
    }

    #[test]
    fn what_is_missing_is_named_and_no_secret_is_shown() {
        let (key, secret) = (("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "geheim"));
        let says = |variables: &[(&str, &str)]| with(variables).check().unwrap_err().to_string();
        assert!(says(&[]).contains("no AWS_ACCESS_KEY_ID and no AWS_SECRET_ACCESS_KEY"));
        assert!(says(&[key, ("AWS_SECRET_ACCESS_KEY", "")]).contains("no AWS_SECRET_ACCESS_KEY"));
        assert!(says(&[secret]).contains("no AWS_ACCESS_KEY_ID") && !says(&[secret]).contains("geheim"));
        assert!(says(&[key, secret]).contains("no AWS_REGION"));
        assert!(says(&[key, secret, ("AWS_ENDPOINT_URL", "ftp://x")]).contains("must begin with https://"));
        with(&[key, secret, ("AWS_REGION", "eu-central-1")]).check().unwrap();
        with(&[key, secret, ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")]).check().unwrap();
        let role = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/x"), ("AWS_ROLE_ARN", "arn"), ("AWS_REGION", "eu-central-1")];
        with(&role).check().unwrap();
        assert!(!format!("{:?}", with(&[key, secret])).contains("geheim"));
    }
}

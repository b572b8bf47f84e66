//! Hyperparameters: declared once with name, aliases, default, range and meaning; checked before anything is fitted.
//! Help, documentation and the resolved plan are made from the declarations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tabwright_core::metric::Metric;
use tabwright_core::suggest;

use crate::error::{Error, Result};

/// A hyperparameter's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a hyperparameter is a number, a word, true or false, a table of numbers or lists of names, and stands directly under [candidates.NAME]"
)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// A word.
    Text(String),
    /// A number for each of some names, such as class weights.
    Map(BTreeMap<String, f64>),
    /// Sets of names.
    Sets(Vec<Vec<String>>),
    /// Not set (`"none"` in a configuration file).
    None,
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Bool(b) => write!(f, "{b}"),
            Value::Integer(i) => write!(f, "{i}"),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Text(s) => write!(f, "\"{s}\""),
            Value::Map(m) => write!(f, "{m:?}"),
            Value::Sets(sets) => write!(f, "{sets:?}"),
            Value::None => write!(f, "\"none\""),
        }
    }
}

/// What a hyperparameter may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Allowed {
    /// `true` or `false`.
    Bool,
    /// A whole number from (inclusive) to (inclusive).
    Integer(i64, i64),
    /// A number from to; whether each end belongs to the range.
    Float(Bound, Bound),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `"balanced"` or a table of label and weight.
    ClassWeight,
    /// A share in (0, 1], a whole number of columns, or one of `sqrt`, `log2`, `all`.
    MaxFeatures,
    /// A table of column and direction: -1, 0 or 1.
    Directions,
    /// Lists of columns.
    Sets,
    /// The name of a metric.
    Metric,
}

/// An end of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// The end belongs to the range.
    Closed(f64),
    /// The end does not.
    Open(f64),
}

impl std::fmt::Display for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = |x: f64| if x.is_infinite() { "∞".to_owned() } else { format!("{x}") };
        match self {
            Allowed::Bool => write!(f, "true or false"),
            Allowed::Integer(from, i64::MAX) => write!(f, "a whole number from {from} on"),
            Allowed::Integer(from, to) => write!(f, "a whole number from {from} to {to}"),
            Allowed::Float(from, to) => {
                let (left, from) = match from {
                    Bound::Closed(x) => ('[', number(*x)),
                    Bound::Open(x) => ('(', number(*x)),
                };
                let (right, to) = match to {
                    Bound::Closed(x) => (']', number(*x)),
                    Bound::Open(x) => (')', number(*x)),
                };
                write!(f, "a number in {left}{from}, {to}{right}")
            }
            Allowed::Choice(words) => write!(f, "{}", words.join(", ")),
            Allowed::ClassWeight => write!(f, "\"balanced\" or a weight for each label"),
            Allowed::Directions => write!(f, "-1, 0 or 1 for each of some columns, as {{ age = 1 }}"),
            Allowed::Sets => write!(f, "lists of columns, as [[\"age\", \"income\"], [\"city\"]]"),
            Allowed::Metric => write!(f, "a metric, such as \"roc_auc\""),
            Allowed::MaxFeatures => write!(f, "sqrt, log2, all, a share in (0, 1] or a number of columns"),
        }
    }
}

impl Allowed {
    /// The value in its own type, or nothing if it is not allowed.
    fn accept(self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Allowed::Bool, Value::Bool(_)) => Some(value.clone()),
            (Allowed::Integer(from, to), Value::Integer(i)) => (from..=to).contains(i).then(|| value.clone()),
            (Allowed::Integer(..), Value::Float(x)) if x.fract() == 0.0 && x.abs() < 9e15 => {
                self.accept(&Value::Integer(*x as i64))
            }
            (Allowed::Float(..), Value::Integer(i)) => self.accept(&Value::Float(*i as f64)),
            (Allowed::Float(from, to), Value::Float(x)) => {
                let above = match from {
                    Bound::Closed(b) => *x >= b,
                    Bound::Open(b) => *x > b,
                };
                let below = match to {
                    Bound::Closed(b) => *x <= b,
                    Bound::Open(b) => *x < b,
                };
                (above && below).then(|| value.clone())
            }
            (Allowed::Choice(words), Value::Text(s)) => words.contains(&s.as_str()).then(|| value.clone()),
            (Allowed::ClassWeight, Value::Text(s)) => (s == "balanced").then(|| value.clone()),
            (Allowed::ClassWeight, Value::Map(m)) => {
                (!m.is_empty() && m.values().all(|w| w.is_finite() && *w >= 0.0)).then(|| value.clone())
            }
            (Allowed::Directions, Value::Map(m)) => {
                (!m.is_empty() && m.values().all(|d| [-1.0, 0.0, 1.0].contains(d))).then(|| value.clone())
            }
            (Allowed::Sets, Value::Sets(sets)) => {
                (!sets.is_empty() && sets.iter().all(|set| !set.is_empty())).then(|| value.clone())
            }
            (Allowed::Metric, Value::Text(s)) => {
                s.parse::<Metric>().ok().map(|metric| Value::Text(metric.name().to_owned()))
            }
            (Allowed::MaxFeatures, Value::Text(s)) => {
                ["sqrt", "log2", "all"].contains(&s.as_str()).then(|| value.clone())
            }
            (Allowed::MaxFeatures, Value::Integer(i)) => (*i >= 1).then(|| value.clone()),
            (Allowed::MaxFeatures, Value::Float(x)) => (*x > 0.0 && *x <= 1.0).then(|| value.clone()),
            _ => None,
        }
    }
}

/// The declaration of a hyperparameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its name, as the library that the candidate stands for spells it.
    pub name: &'static str,
    /// Other names that are accepted.
    pub aliases: &'static [&'static str],
    /// Its default.
    pub default: Value,
    /// What it may be.
    pub allowed: Allowed,
    /// Whether it may be `"none"`.
    pub optional: bool,
    /// What it does.
    pub doc: &'static str,
}

/// Checked values of all hyperparameters of a candidate.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Params(BTreeMap<String, Value>);

impl Params {
    /// Checks raw values against the declarations and fills in the defaults.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`] with the nearest name, [`Error::Parameter`] with what is allowed.
    pub fn resolve(candidate: &str, raw: &BTreeMap<String, Value>, specs: &[Spec]) -> Result<Self> {
        let mut values: BTreeMap<String, Value> =
            specs.iter().map(|s| (s.name.to_owned(), s.default.clone())).collect();
        let mut given: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in raw {
            let spec = specs.iter().find(|s| s.name == name || s.aliases.contains(&name.as_str()));
            let spec = spec.ok_or_else(|| unknown(candidate, name, specs))?;
            if let Some(other) = given.insert(spec.name, name) {
                return Err(Error::Config(format!(
                    "candidate `{candidate}`: `{other}` and `{name}` are two names of one parameter; give one of them"
                )));
            }
            let none =
                matches!(value, Value::None) || matches!(value, Value::Text(s) if s.eq_ignore_ascii_case("none"));
            let accepted = if none && spec.optional { Some(Value::None) } else { spec.allowed.accept(value) };
            let accepted = accepted.ok_or_else(|| Error::Parameter {
                candidate: candidate.to_owned(),
                parameter: name.clone(),
                found: value.to_string(),
                allowed: format!("{}{}", spec.allowed, if spec.optional { ", or \"none\"" } else { "" }),
            })?;
            values.insert(spec.name.to_owned(), accepted);
        }
        Ok(Params(values))
    }

    /// A value by name.
    ///
    /// # Panics
    /// If no such hyperparameter was declared.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or_else(|| panic!("invariant: the hyperparameter `{name}` is declared"))
    }

    /// A number, or `None` where it is not set.
    pub fn float(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Value::Float(x) => Some(*x),
            Value::Integer(i) => Some(*i as f64),
            _ => None,
        }
    }

    /// A whole number, or `None` where it is not set.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Value::Integer(i) => Some(*i),
            _ => None,
        }
    }

    /// Whether a switch is on.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Value::Bool(true))
    }

    /// A word, or `None` where it is not set.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Value::Text(s) => Some(s),
            _ => None,
        }
    }

    /// A number for each of some names, or `None` where it is not set.
    pub fn map(&self, name: &str) -> Option<&BTreeMap<String, f64>> {
        match self.get(name) {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Sets of names, or `None` where they are not set.
    pub fn sets(&self, name: &str) -> Option<&[Vec<String>]> {
        match self.get(name) {
            Value::Sets(sets) => Some(sets),
            _ => None,
        }
    }

    /// All values by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v))
    }

    /// Whether a hyperparameter of this name was declared.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Parameters of other libraries that are settings of the whole run here.
const ELSEWHERE: [(&str, &str); 14] = [
    ("random_state", "use --seed"),
    ("seed", "use --seed"),
    ("n_jobs", "use --threads"),
    ("nthread", "use --threads"),
    ("num_threads", "use --threads"),
    ("verbose", "progress is shown on a terminal"),
    ("objective", "it follows from the task"),
    ("scale_pos_weight", "use class_weight"),
    ("boosting", "GOSS and DART are not supported yet"),
    ("boosting_type", "GOSS and DART are not supported yet"),
    ("booster", "DART and linear boosters are not supported yet"),
    ("data_sample_strategy", "GOSS is not supported yet; use subsample"),
    ("top_rate", "GOSS is not supported yet; use subsample"),
    ("tweedie_variance_power", "Tweedie and Gamma are not supported yet; use objective = \"poisson\""),
];

fn unknown(candidate: &str, parameter: &str, specs: &[Spec]) -> Error {
    let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == parameter);
    let names = specs.iter().flat_map(|s| std::iter::once(&s.name).chain(s.aliases)).copied();
    let hint = elsewhere.map_or_else(|| suggest::did_you_mean(parameter, names), |(_, hint)| format!("; {hint}"));
    Error::UnknownParameter {
        candidate: candidate.to_owned(),
        parameter: parameter.to_owned(),
        hint,
        allowed: specs.iter().map(|s| s.name).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs() -> Vec<Spec> {
        let rate = Spec {
            name: "learning_rate",
            aliases: &["eta"],
            default: Value::Float(0.1),
            allowed: Allowed::Float(Bound::Open(0.0), Bound::Closed(10.0)),
            optional: false,
            doc: "",
        };
        let depth = Spec {
            name: "max_depth",
            aliases: &[],
            default: Value::None,
            allowed: Allowed::Integer(1, i64::MAX),
            optional: true,
            doc: "",
        };
        vec![rate, depth]
    }

    fn resolve(pairs: &[(&str, Value)]) -> Result<Params> {
        let raw = pairs.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        Params::resolve("c", &raw, &specs())
    }

    #[test]
    fn aliases_defaults_and_whole_numbers_are_understood() {
        let params = resolve(&[("eta", Value::Integer(1)), ("max_depth", Value::Text("None".into()))]).unwrap();
        assert_eq!((params.float("learning_rate"), params.integer("max_depth")), (Some(1.0), None));
        assert_eq!(resolve(&[]).unwrap().float("learning_rate"), Some(0.1));
    }

    #[test]
    fn what_is_not_allowed_is_refused_with_what_is() {
        let text = |pairs: &[(&str, Value)]| resolve(pairs).unwrap_err().to_string();
        let error = text(&[("learning_rate", Value::Float(0.0))]);
        assert_eq!(error, "candidate `c`: learning_rate = 0.0 is not allowed; allowed: a number in (0, 10]");
        assert!(text(&[("learning_rat", Value::Float(0.5))]).contains("did you mean `learning_rate`?"));
        assert!(text(&[("n_jobs", Value::Integer(2))]).contains("use --threads"));
        assert!(text(&[("eta", Value::Float(0.5)), ("learning_rate", Value::Float(0.5))]).contains("two names"));
    }
}

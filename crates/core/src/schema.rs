//! What the columns of a table are: a name, a kind (what the values mean) and a role (what the column is for).

use serde::{Deserialize, Serialize};

use crate::{Error, Result, suggest};

/// What the values of a column mean. How they are stored is [`Column`](crate::Column)'s matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `true` or `false`, stored as a category of these two levels.
    Boolean,
    /// Whole numbers, stored as `i64`.
    Integer,
    /// Numbers, stored as `f64`.
    Float,
    /// One of a set of levels.
    Categorical,
    /// Free text: more than half distinct and three words or more on average. Stored as a category.
    Text,
    /// A point in time, stored as microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Kind; 6] =
        [Kind::Boolean, Kind::Integer, Kind::Float, Kind::Categorical, Kind::Text, Kind::Timestamp];

    /// The name that configuration files, messages and manifests use.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "boolean",
            Kind::Integer => "integer",
            Kind::Float => "float",
            Kind::Categorical => "categorical",
            Kind::Text => "text",
            Kind::Timestamp => "timestamp",
        }
    }

    /// Whether the values are numbers.
    pub fn is_numeric(self) -> bool {
        matches!(self, Kind::Integer | Kind::Float)
    }

    /// Whether the values are stored as codes into [`Levels`](crate::Levels).
    pub fn is_coded(self) -> bool {
        matches!(self, Kind::Boolean | Kind::Categorical | Kind::Text)
    }
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An input of the model.
    Feature,
    /// What the model predicts.
    Target,
    /// Names the row; keys the split; never a feature.
    Id,
    /// The weight of a row in fits and metrics; never a feature.
    Weight,
    /// Rows of one group stay on one side of every split; never a feature.
    Group,
    /// Orders the rows for splits by time. Stays a feature unless it is dropped.
    Time,
    /// Read but not used.
    Ignored,
}

impl Role {
    /// Every role, in the order of the documentation.
    pub const ALL: [Role; 7] =
        [Role::Feature, Role::Target, Role::Id, Role::Weight, Role::Group, Role::Time, Role::Ignored];

    /// The name that configuration files, messages and manifests use.
    pub fn name(self) -> &'static str {
        match self {
            Role::Feature => "feature",
            Role::Target => "target",
            Role::Id => "id",
            Role::Weight => "weight",
            Role::Group => "group",
            Role::Time => "time",
            Role::Ignored => "ignored",
        }
    }
}

macro_rules! named {
    ($type:ty, $what:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                let names = Self::ALL.map(Self::name);
                Self::ALL.into_iter().find(|x| x.name().eq_ignore_ascii_case(text.trim())).ok_or_else(|| {
                    Error::UnknownName {
                        what: $what,
                        found: text.to_owned(),
                        hint: suggest::did_you_mean(text, names),
                        allowed: names.join(", "),
                    }
                })
            }
        }
    };
}

named!(Kind, "kind");
named!(Role, "role");

/// A column's place in a [`Schema`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Unique within its schema.
    pub name: String,
    /// What the values mean.
    pub kind: Kind,
    /// What the column is for.
    pub role: Role,
}

impl Field {
    /// A feature of the given name and kind.
    pub fn feature(name: impl Into<String>, kind: Kind) -> Self {
        Field { name: name.into(), kind, role: Role::Feature }
    }
}

/// The columns of a table, in order, with unique names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schema {
    fields: Vec<Field>,
}

impl Schema {
    /// Checks that the names are unique.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`] names the first pair.
    pub fn new(fields: Vec<Field>) -> Result<Self> {
        let mut order: Vec<usize> = (0..fields.len()).collect();
        order.sort_by(|&a, &b| fields[a].name.cmp(&fields[b].name).then(a.cmp(&b)));
        let twin = order.windows(2).filter(|w| fields[w[0]].name == fields[w[1]].name).min_by_key(|w| w[1]);
        match twin {
            Some(w) => {
                Err(Error::DuplicateColumn { name: fields[w[0]].name.clone(), first: w[0] + 1, second: w[1] + 1 })
            }
            None => Ok(Schema { fields }),
        }
    }

    /// The columns, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no column at all.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|f| f.name.as_str())
    }

    /// The position of a column, if there is one of that name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    /// The position of a column that must be there.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`], with the nearest name.
    pub fn require(&self, name: &str) -> Result<usize> {
        self.position(name).ok_or_else(|| Error::UnknownColumn {
            name: name.to_owned(),
            hint: suggest::did_you_mean(name, self.names()),
            available: suggest::shorten(self.names()),
        })
    }

    /// Positions of the columns with a role, in order.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = usize> + '_ {
        self.fields.iter().enumerate().filter(move |(_, f)| f.role == role).map(|(i, _)| i)
    }

    /// Gives a column another role.
    pub fn set_role(&mut self, position: usize, role: Role) {
        self.fields[position].role = role;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_names_are_refused_with_both_places() {
        let fields = ["a", "b", "c", "b"].map(|n| Field::feature(n, Kind::Float)).to_vec();
        let error = Schema::new(fields).unwrap_err();
        assert_eq!(error, Error::DuplicateColumn { name: "b".into(), first: 2, second: 4 });
    }

    #[test]
    fn an_unknown_kind_is_answered_with_the_nearest() {
        let error = "categoric".parse::<Kind>().unwrap_err();
        assert!(error.to_string().contains("did you mean `categorical`?"), "{error}");
        assert_eq!("Integer".parse::<Kind>().unwrap(), Kind::Integer);
    }
}

//! Things a user should know that stop nothing: warnings and findings, with a stable code each.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a warning is about. The text form is stable: scripts may match on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The stable text form.
            pub fn name(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// A column looks like an identifier and is left out of the features.
    IdentifierLike = "identifier_like",
    /// A column has one value only.
    Constant = "constant",
    /// A column repeats another.
    DuplicateColumn = "duplicate_column",
    /// Nearly all values of a column are missing.
    NearlyEmpty = "nearly_empty",
    /// All values of a column are missing.
    AllMissing = "all_missing",
    /// One column alone almost gives the target away.
    TargetLeak = "target_leak",
    /// Equal rows stand on both sides of the split.
    DuplicateRows = "duplicate_rows",
    /// A text column is left out.
    TextLeftOut = "text_left_out",
    /// A timestamp column is left out of a model that cannot use it.
    TimestampLeftOut = "timestamp_left_out",
    /// Rows without a target were left out.
    MissingTarget = "missing_target",
    /// A class has very few rows.
    RareClass = "rare_class",
    /// A class has fewer rows than there are folds.
    FewerThanFolds = "fewer_than_folds",
    /// A class was not among the fitting rows.
    UnseenClass = "unseen_class",
    /// A category has very many levels.
    ManyLevels = "many_levels",
    /// A column holds infinite numbers.
    Infinite = "infinite",
    /// A column mixes formats of dates.
    MixedDates = "mixed_dates",
    /// A column is nearly numeric, but for a few cells.
    NearlyNumeric = "nearly_numeric",
    /// The text is not UTF-8 and was read in another encoding.
    Encoding = "encoding",
    /// Rows of a text file have too few or too many cells.
    RaggedRows = "ragged_rows",
    /// A cell is very large.
    LargeCell = "large_cell",
    /// A column that is not needed was ignored.
    ExtraColumn = "extra_column",
    /// A column that the model needs is missing.
    MissingColumn = "missing_column",
    /// A column changed its kind.
    ChangedKind = "changed_kind",
    /// Levels were met that the model has not seen.
    UnseenLevels = "unseen_levels",
    /// Values lie outside of the range that was trained on.
    OutOfRange = "out_of_range",
    /// More values are missing than when the model was trained.
    MoreMissing = "more_missing",
    /// Rows could not be used.
    UnusableRows = "unusable_rows",
    /// A solver stopped before it converged.
    NotConverged = "not_converged",
    /// A candidate could not be fitted.
    CandidateFailed = "candidate_failed",
    /// The best candidate is hardly better than the baseline.
    NoBetterThanBaseline = "no_better_than_baseline",
    /// The search was stopped early.
    Interrupted = "interrupted",
    /// There are very few rows.
    FewRows = "few_rows",
    /// The parts of the split differ from what was asked for.
    SplitShares = "split_shares",
    /// A memory limit was kept with fewer bins or fewer rows.
    MemoryLimit = "memory_limit",
    /// A setting has no effect here.
    NoEffect = "no_effect",
    /// A slice of the configuration could not be measured.
    SliceLeftOut = "slice_left_out",
    /// Reference rows that were asked for were not kept.
    ReferenceLeftOut = "reference_left_out",
    /// The run could not be recorded in the store.
    NotRecorded = "not_recorded",
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A thing worth knowing: what, about which column, in a sentence that says what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is about.
    pub code: Code,
    /// The column, where it is about one.
    pub column: Option<String>,
    /// A sentence for a person.
    pub message: String,
}

impl Warning {
    /// A warning about a column.
    pub fn column(code: Code, column: impl Into<String>, message: impl Into<String>) -> Self {
        Warning { code, column: Some(column.into()), message: message.into() }
    }

    /// A warning about the data as a whole.
    pub fn general(code: Code, message: impl Into<String>) -> Self {
        Warning { code, column: None, message: message.into() }
    }
}

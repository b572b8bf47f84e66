//! The trash: what was thrown away stays until it is freed, and can be brought back.

use crate::time::Micros;

/// When something was thrown away, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// When.
    pub at: Micros,
    /// Who.
    pub who: String,
}

impl Deletion {
    pub(crate) fn read(at: Option<Micros>, who: Option<String>) -> Option<Self> {
        at.map(|at| Deletion { at, who: who.unwrap_or_default() })
    }
}

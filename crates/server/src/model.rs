//! The models that are served: which they are, and which version answers.

mod catalog;
mod comparison;
mod load;
mod served;

pub(crate) use catalog::{Canary, Catalog, Entry, Shadow, Wanted, place_of};
pub use load::{CanaryOptions, Source};
pub(crate) use load::{Loader, Resolved, ToServe};
pub(crate) use served::{Served, quoted};

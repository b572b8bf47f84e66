//! Linear predictors.

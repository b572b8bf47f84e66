//! Tree predictors.

//! How trees are grown: bin, histogram, split, grow, boost, forest. Training only; what is fitted and predicts lives in
//! `tabwright_model::trees`.
//!
//! Boosting, from the outside in: [`boost::fit`] bins the features once ([`binning`]), asks an [`objective`] for gradients
//! each round, rounds them to fixed point ([`gradient`]), and lets a [`grow::Grower`] build a tree. The grower asks for
//! the histograms of a set of nodes through one narrow interface, [`grow::Histograms`], and finds splits in them with
//! [`split`], among the features that [`columns`] allows. Two holders of rows answer it here, [`grow::TaggedRows`] for
//! trees of few leaves and [`grow::ListedRows`] for any. Histograms are made of [`cell`]s, laid out by [`histogram`]; what
//! needs instructions of the processor is in `kernels`. Forests ([`forest::fit`]) share the bins, and grow to purity with
//! a layout of their own.
//!
//! # Determinism
//! Gradients and targets are summed as integers, so sums do not depend on their order; ties are broken by (gain,
//! feature, bin); draws are keyed by (seed, round, row). The same rows, parameters and seed give the same bytes on any
//! number of threads, in debug and in release.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

pub mod binning;
pub mod boost;
pub mod cell;
pub mod columns;
pub mod error;
#[cfg(test)]
mod fixtures;
pub mod forest;
pub mod gradient;
pub mod grow;
pub mod histogram;
mod kernels;
pub mod objective;
pub mod split;
mod target;
mod translate;

pub use error::{Error, Result};

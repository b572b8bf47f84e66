//! Tests of the crate from outside: against numbers of other libraries, and across modules.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod metrics;

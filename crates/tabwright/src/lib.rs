//! tabwright

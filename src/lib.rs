//! arrplan: plan and apply for Kubernetes and Flux.

pub mod address;
pub mod apply;
pub mod cli;
pub mod cluster;
pub mod diag;
pub mod diff;
pub mod fields;
pub mod graph;
pub mod manifest;
pub mod object;
pub mod ops;
pub mod path;
pub mod plan;
pub mod schema;
pub mod secrets;
pub mod stack;
pub mod state;
pub mod status;
pub mod views;

//! `stacks/catalog`: what Flux and Cozystack make of it.

mod chart;
mod files;
mod helm;

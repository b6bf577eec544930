//! `stacks/catalog`: what Flux and Cozystack make of it.

mod files;

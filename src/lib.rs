//! arrplan: plan and apply for Kubernetes and Flux.
//!
//! # The way of a command
//!
//! ```text
//! cli ─ parses flags, prints
//!  └ ops ─ one use case each; never prints
//!     ├ stack      TOML text        → Stack + Diagnostics
//!     ├ manifest   Stack            → desired objects
//!     ├ secrets    variables        → values in memory, and the filter for every text
//!     ├ cluster    object keys      → live objects, dry-runs           (the only module that names kube)
//!     ├ diff       live × planned   → field differences; what of them may be shown
//!     ├ plan       all of the above → Plan                             (holds a reader; cannot write)
//!     ├ apply      Plan             → events, new State                (the only caller of the writer)
//!     ├ state      State ↔ bytes ↔ store with lock and journal
//!     └ status     live object      → readiness
//!  └ views ─ plan, events, diagnostics → terminal, JSON
//! ```
//!
//! Leaves that everything may use and that know nothing of the above: [`address`] (names), [`path`] (fields),
//! [`object`] (a live object), [`diag`] (mistakes as data), [`graph`] (order with reasons), [`schema`] (the
//! structure of kinds), [`fields`] (who owns which field), [`failpoint`] (where a test may end the process).
//!
//! # What holds everywhere
//!
//! - *Data flows one way.* Nothing in the engine imports `views` or `cli`; `plan` cannot name the writer. The
//!   test `architecture` checks these rules over the sources.
//! - *The engine never prints.* It returns data and emits [`apply::Event`]s; one view turns them into text.
//! - *A plan never writes*, and a dry-run is sent only to an API known to honour it.
//! - *Intent is durable before a request leaves* ([`state`]), so any crash is settled by looking at the cluster.
//! - *No secret leaves memory.* Values are masked where differences are made, and every text of the cluster
//!   passes [`secrets::Redactor`].
//! - *The same input gives the same bytes.* Maps are sorted; clock, environment and random ids are injected.
//!
//! # Files on disk
//!
//! | file | written by | read by |
//! |---|---|---|
//! | `stacks/*.toml`, and what they name | the user, `init` | [`stack`] |
//! | `state/<stack>.json`, `.prev.json`, `.journal`, `.key`, `.lock`, `.revisions/` | [`state`] | [`state`] |

pub mod address;
pub mod apply;
pub mod cli;
pub mod cluster;
pub mod diag;
pub mod diff;
pub mod failpoint;
pub mod fields;
pub mod graph;
pub mod manifest;
pub mod object;
pub mod ops;
pub mod path;
pub mod plan;
pub mod sandbox;
pub mod schema;
pub mod secrets;
pub mod stack;
pub mod state;
pub mod status;
pub mod views;

#[cfg(all(feature = "faults", not(debug_assertions)))]
compile_error!("the feature `faults` is for tests and never in a release build");

//! What the integration tests stand on: a real control plane, its audit log, a local Git server and the real binary.
//!
//! ```ignore
//! use support::{ControlPlane, Part, User};
//!
//! #[test]
//! fn a_second_apply_writes_nothing() {
//!     let Some(plane) = ControlPlane::with(&[Part::Flux, Part::Nodes]) else { return };
//!     let namespace = plane.create_namespace("second-apply");
//!     let mark = plane.audit().mark();
//!     let output = support::arrplan!().kubeconfig(plane.kubeconfig(User::Arrplan)).args(["apply", "a.toml"]).run();
//!     assert_eq!(output.status, Some(0), "{output}");
//!     assert_eq!(plane.audit().writes_since(mark).by_user("arrplan").to_string(), "");
//! }
//! ```
//!
//! - [`ControlPlane`]: one etcd and kube-apiserver per test binary, started by the first test that asks; tests keep apart by
//!   namespaces. Controllers come with the [`Part`]s a test names. [`ControlPlane::own`] is a plane for one test alone, to
//!   break or freeze. `None` means: not to be had on this machine, already said on the terminal.
//! - [`AuditLog`]: every write the API server saw, with user, user agent, body and time. The referee for order, for "no
//!   writes" and for preconditions.
//! - [`GitRepo`]: a repository the test writes, served over smart HTTP on loopback.
//! - [`arrplan!`](crate::arrplan), [`ArrplanCmd`], [`RunOutput`]: the real binary in an environment of its own; whole outputs
//!   for snapshots, with what changes from run to run redacted.
//! - [`canary`]: secret values that are looked for in every byte that any run of the binary leaves.
//! - [`eventually`]: waiting for what a controller will do.
//!
//! The programs come from `KUBEBUILDER_ASSETS` where it has them, else from `tests/controlplane/build`, which builds them
//! once. Everything started dies with the test process, however that ends. Logs live below the system's temporary folder and
//! are removed at the end; after a panic they stay, and their folder is named on standard error.
//!
//! A crate and not a module: each test binary would compile a module again and call what it does not use dead code.

mod audit;
mod canary;
mod cli;
mod cozystack;
mod git;
mod http_api;
mod identity;
mod nodes;
mod parts;
mod plane;
mod process;
mod programs;
mod redact;
mod sandbox;
mod scratch;
mod talk;
mod wait;

pub use audit::{AuditLog, AuditRecord, Mark, Records};
pub use canary::{canary, leaked_before, leaks, may_hold_secrets, plain_canary, watch_for};
pub use cli::{ArrplanCmd, RunOutput, Running};
pub use cozystack::ARRSTACK_DEFINITION;
pub use git::GitRepo;
pub use http_api::Reply;
pub use identity::User;
pub use parts::Part;
pub use plane::ControlPlane;
pub use process::{Process, free_port};
pub use programs::program;
pub use redact::redact;
pub use sandbox::Order;
pub use scratch::scratch_dir;
pub use talk::Kubectl;
pub use wait::{eventually, eventually_within, soak};

//! The command line as clap reads it. Doc comments are the help texts.

mod import;
mod rollback;
mod sandbox;
mod state;

pub(super) use import::Import;
pub(super) use rollback::Rollback;
pub(super) use sandbox::{Reset, Sandbox, Serve};
pub(super) use state::{History, OfState, Output, Recover, Rm, State};

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::values::{allowed, duration, take};
use crate::address::{Address, Named};
use crate::path::FieldPath;
use crate::plan::{Fidelity, Risk};

const TOPICS: &str = "\
Exit codes: 0 done, or nothing to do; 1 error; 4 invalid stack; 64 wrong command line; \
130 interrupted. With --detailed-exitcode a plan ends with 2 if there are changes, 3 if some of them delete something.";

/// Plan and apply for Kubernetes and Flux.
///
/// One TOML file says what you want. `plan` shows the exact effect, `apply` makes it so in the right order and
/// waits until it works, `destroy` takes it down in reverse.
#[derive(Debug, Parser)]
#[command(name = "arrplan", version = super::commands::VERSION.as_str(), disable_help_subcommand = true, max_term_width = 100, after_help = TOPICS)]
pub(super) struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(super) color: Color,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// See [`Cli::color`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` or `CLICOLOR=0` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a commented starter stack
    Init(Init),
    /// Find every mistake that can be known from files
    Validate(Validate),
    /// Show what would change; writes nothing
    Plan(Box<Plan>),
    /// Plan, ask, apply, and wait until it works
    Apply(Box<Apply>),
    /// Delete everything the stack owns, in reverse order
    Destroy(Box<Destroy>),
    /// Return to what was applied before: plan, ask, apply, and wait until it works
    Rollback(Box<Rollback>),
    /// Show what depends on what, and why
    Graph(Graph),
    /// Show the outputs of the last apply
    Output(Output),
    /// Show the compiled manifests as YAML; secret values are left out
    Render(Render),
    /// Adopt an object that is there already
    Import(Box<Import>),
    /// Look into the state, and mend it
    #[command(subcommand)]
    State(State),
    /// Show what was applied when, by whom, and whether it worked
    History(History),
    /// A practice cluster that needs nothing but this program: what --sandbox uses
    #[command(subcommand)]
    Sandbox(Sandbox),
    /// Print the JSON Schema of a machine-readable format
    Schema(Schema),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Explain an error code, a command, or the rights arrplan needs
    Help(Help),
}

/// Which stack.
#[derive(Debug, Clone, Args)]
pub(super) struct StackArg {
    /// A stack file, or the name of one in ./stacks; may be left out where there is only one
    #[arg(value_name = "STACK")]
    pub(super) stack: Option<String>,
}

/// Values for variables.
#[derive(Debug, Clone, Args)]
pub(super) struct Vars {
    /// Give a variable a value (wins over all other sources)
    #[arg(long = "var", value_name = "NAME=VALUE", help_heading = "Variables")]
    pub(super) var: Vec<String>,
    /// Read variables from a TOML file; may be given more than once, the last one wins
    #[arg(long = "var-file", value_name = "FILE", help_heading = "Variables")]
    pub(super) var_file: Vec<PathBuf>,
    /// Use <stack>.<NAME>.vars.toml, and a state of its own
    #[arg(long, value_name = "NAME", help_heading = "Variables")]
    pub(super) env: Option<String>,
}

/// Where the state is.
#[derive(Debug, Clone, Args)]
pub(super) struct StateArg {
    /// The state file, instead of state/<stack>.json
    #[arg(long, value_name = "FILE", conflicts_with = "sandbox")]
    pub(super) state: Option<PathBuf>,
    /// Use the sandbox: a practice cluster inside this program, with a state of its own in state/sandbox
    #[arg(long)]
    pub(super) sandbox: bool,
}

/// Which cluster.
#[derive(Debug, Clone, Args)]
pub(super) struct Cluster {
    /// Kubeconfig file, instead of $KUBECONFIG and ~/.kube/config
    #[arg(long, value_name = "FILE", conflicts_with = "sandbox", help_heading = "Cluster")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", conflicts_with = "sandbox", help_heading = "Cluster")]
    pub(super) context: Option<String>,
    /// URL of the API server, with the credentials of the context
    #[arg(long, value_name = "URL", conflicts_with = "sandbox", help_heading = "Cluster")]
    pub(super) server: Option<String>,
    /// Longest wait for one answer of the API server, instead of 40s; a request is tried again for three times that
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Cluster")]
    pub(super) request_timeout: Option<Duration>,
}

/// How to plan.
#[derive(Debug, Clone, Args)]
pub(super) struct Planning {
    /// Take contested fields, or foreign ones, away from who holds them; may be given more than once
    #[arg(long, value_name = "ADDRESS[.PATH]", value_parser = take, help_heading = "Planning")]
    pub(super) take: Vec<(Address, FieldPath)>,
    /// Adopt an object that carries another tool's mark or an owner; may be given more than once
    #[arg(long, value_name = "ADDRESS", help_heading = "Planning")]
    pub(super) adopt: Vec<Named>,
    /// `full`: ask the server about every resource, also where its own record proves it unchanged
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Planning")]
    pub(super) refresh: Option<Refresh>,
    /// Fail where a change could not be checked this far
    #[arg(long, value_enum, value_name = "LEVEL", help_heading = "Planning")]
    pub(super) min_fidelity: Option<MinFidelity>,
    /// Only this resource and what it needs; may be given more than once
    #[arg(long, value_name = "ADDRESS", help_heading = "Planning")]
    pub(super) target: Vec<Named>,
    /// Everything but this resource and what needs it; may be given more than once
    #[arg(long, value_name = "ADDRESS", help_heading = "Planning")]
    pub(super) exclude: Vec<Named>,
    /// Delete this resource's object and make it anew, even if nothing differs; may be given more than once
    #[arg(long, value_name = "ADDRESS", help_heading = "Planning")]
    pub(super) replace: Vec<Named>,
    /// Change nothing in the cluster: only drop from the state what is gone from it
    #[arg(long, help_heading = "Planning", conflicts_with_all = ["take", "adopt", "target", "exclude", "replace"])]
    pub(super) refresh_only: bool,
    /// Namespace for the dry-runs of objects whose own namespace is not there yet
    #[arg(long, value_name = "NAME", help_heading = "Planning")]
    pub(super) dry_run_namespace: Option<String>,
    /// Show everything: unchanged resources, whole manifests, long texts
    #[arg(long)]
    pub(super) full: bool,
}

/// See [`Planning::refresh`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Refresh {
    /// A dry-run for every resource
    Full,
}

/// See [`Planning::min_fidelity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum MinFidelity {
    /// Dry-run by the server
    Server,
    /// Dry-run, if only in a stand-in namespace
    #[value(name = "server*")]
    StandIn,
    /// Against the schema of its kind
    Schema,
}

impl From<MinFidelity> for Fidelity {
    fn from(level: MinFidelity) -> Self {
        match level {
            MinFidelity::Server => Self::Server,
            MinFidelity::StandIn => Self::StandIn,
            MinFidelity::Schema => Self::Schema,
        }
    }
}

/// How to write.
#[derive(Debug, Clone, Args)]
pub(super) struct Applying {
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
    /// Allow a risk that was shown, e.g. data-loss=helm_release.arr-stack; may be given more than once
    #[arg(long, value_name = "RISK=ADDRESS", value_parser = allowed)]
    pub(super) allow: Vec<(Risk, Named)>,
    /// Most changes at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) parallelism: u16,
    /// Longest time one change may take until it works, instead of what its kind and the stack say (90s, 10m, 1h)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// Wait this long for another arrplan that works on the same state (30s, 5m)
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0s")]
    pub(super) lock_timeout: Duration,
    /// JSON lines on standard output: the plan, every event, the outputs; asks nothing, so it needs --yes
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Name of the stack
    #[arg(default_value = "main")]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct Validate {
    #[command(flatten)]
    pub(super) stack: StackArg,
    #[command(flatten)]
    pub(super) vars: Vars,
    /// JSON on standard output
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) stack: StackArg,
    #[command(flatten)]
    pub(super) state: StateArg,
    #[command(flatten)]
    pub(super) vars: Vars,
    #[command(flatten)]
    pub(super) cluster: Cluster,
    #[command(flatten)]
    pub(super) planning: Planning,
    /// Plan as `destroy` would
    #[arg(long)]
    pub(super) destroy: bool,
    /// Plan as `rollback --to` would, to the revision of this serial
    #[arg(long, value_name = "SERIAL", conflicts_with = "destroy")]
    pub(super) to: Option<u64>,
    /// Do not read secret values: run no command, ask for no file or variable
    #[arg(long)]
    pub(super) skip_secrets: bool,
    /// Write the plan to a file, which `arrplan apply FILE` does later, and nothing else
    #[arg(long, value_name = "FILE", conflicts_with = "skip_secrets")]
    pub(super) out: Option<PathBuf>,
    /// End with 2 if there are changes, 3 if some of them delete something
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// The plan as JSON on standard output (see `arrplan schema plan`)
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// A stack file, the name of one in ./stacks, or a plan saved by `plan --out`; may be left out where there
    /// is only one stack
    #[arg(value_name = "STACK or PLAN")]
    pub(super) stack: Option<String>,
    /// Of a saved plan: plan again what the cluster has moved on from, and ask for that part
    #[arg(long)]
    pub(super) replan_stale: bool,
    #[command(flatten)]
    pub(super) applying: Applying,
    #[command(flatten)]
    pub(super) state: StateArg,
    #[command(flatten)]
    pub(super) vars: Vars,
    #[command(flatten)]
    pub(super) cluster: Cluster,
    #[command(flatten)]
    pub(super) planning: Planning,
}

#[derive(Debug, Args)]
pub(super) struct Destroy {
    #[command(flatten)]
    pub(super) stack: StackArg,
    #[command(flatten)]
    pub(super) applying: Applying,
    #[command(flatten)]
    pub(super) state: StateArg,
    #[command(flatten)]
    pub(super) vars: Vars,
    #[command(flatten)]
    pub(super) cluster: Cluster,
    /// Only this resource and what needs it; may be given more than once
    #[arg(long, value_name = "ADDRESS", help_heading = "Planning")]
    pub(super) target: Vec<Named>,
    /// Everything but this resource and what it needs; may be given more than once
    #[arg(long, value_name = "ADDRESS", help_heading = "Planning")]
    pub(super) exclude: Vec<Named>,
    /// Show everything that goes
    #[arg(long)]
    pub(super) full: bool,
}

#[derive(Debug, Args)]
pub(super) struct Graph {
    #[command(flatten)]
    pub(super) stack: StackArg,
    #[command(flatten)]
    pub(super) vars: Vars,
    /// How to write it
    #[arg(long, value_enum, default_value_t = GraphFormat::Tree)]
    pub(super) format: GraphFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphFormat {
    /// A tree for people
    Tree,
    /// Graphviz
    Dot,
    /// Nodes and edges with all their reasons
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Render {
    #[command(flatten)]
    pub(super) stack: StackArg,
    #[command(flatten)]
    pub(super) vars: Vars,
}

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Of what
    #[arg(value_enum)]
    pub(super) of: SchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// `plan --json`
    Plan,
    /// A line of `apply --json` and `destroy --json`
    Events,
    /// What `plan --out` writes
    SavedPlan,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Help {
    /// A code such as E012, `codes` for all of them, `rbac`, or a command
    #[arg(value_name = "TOPIC")]
    pub(super) topic: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }
}

//! What is interrupted: one command of each kind, small enough that every step of it can be.

use crate::stage::Stage;

/// A command, and what is done before it.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) setup: &'static [Step],
    pub(crate) args: &'static [&'static str],
    /// Whether key, lineage and secret are drawn by the command itself, so that no two runs share them.
    pub(crate) draws: bool,
}

/// A step on the way to it.
pub(crate) enum Step {
    /// The stack file says this.
    Stack(&'static [&'static str]),
    /// A run that succeeds.
    Run(&'static [&'static str]),
    /// A config map that somebody else made.
    Foreign(&'static str),
}

impl Step {
    pub(crate) fn take(stage: &Stage, steps: &[Self]) {
        for step in steps {
            match step {
                Self::Stack(parts) => stage.write(&parts.concat()),
                Self::Run(args) => drop(stage.run(args).expect_status(0)),
                Self::Foreign(name) => stage.foreign_map(name),
            }
        }
    }
}

const HEAD: &str = r#"
[stack]
name = "crash"
[defaults]
namespace = "NS"
[variables.version]
type = "integer"
default = 1
[namespace.extra]
name = "NS-extra"
labels = { version = "v${var.version}" }
"#;
const ONE: &str = r#"
[config_map.one]
depends_on = ["namespace.extra"]
data.version = "v${var.version}"
"#;
const KEYS: &str = r#"
[variables.token]
secret = true
from = { generate = { length = 16, charset = "hex" } }
[secret.keys]
depends_on = ["namespace.extra"]
stringData.token = "${var.token}"
stringData.version = "v${var.version}"
"#;
const TWO: &str = r#"
[config_map.two]
depends_on = ["secret.keys", "config_map.one"]
data.version = "v${var.version}"
"#;
/// Nothing but its place changes about `two`: `one` has another address.
const RENAMED: &str = r#"
[[moved]]
from = "config_map.one"
to = "config_map.first"
[config_map.first]
name = "one"
depends_on = ["namespace.extra"]
data.version = "v${var.version}"
[config_map.two]
depends_on = ["secret.keys", "config_map.first"]
data.version = "v${var.version}"
"#;
/// Back from that.
const MOVED_BACK: &str = r#"
[[moved]]
from = "config_map.first"
to = "config_map.one"
"#;
const SEALED: &str = r#"
[config_map.sealed]
depends_on = ["namespace.extra"]
on_immutable = "replace"
immutable = true
data.version = "v${var.version}"
[config_map.last]
depends_on = ["config_map.sealed"]
data.version = "v${var.version}"
"#;
const LET_GO: &str = r#"
[[removed]]
resource = "config_map.two"
destroy = false
"#;

pub(crate) const APPLY: &[&str] = &["apply", "--yes"];
pub(crate) const APPLY_2: &[&str] = &["apply", "--yes", "--var", "version=2"];
const ALL: Step = Step::Stack(WHOLE);

/// A stack of all parts.
pub(crate) const WHOLE: &[&str] = &[HEAD, ONE, KEYS, TWO];
/// Another one of the same name.
pub(crate) const OTHER: &[&str] = &[HEAD, KEYS, RENAMED, SEALED];
/// The first one again, coming from the other.
pub(crate) const BACK: &[&str] = &[HEAD, KEYS, ONE, MOVED_BACK, TWO];

/// All of them.
pub(crate) const OPERATIONS: &[Operation] = &[
    Operation { name: "create", setup: &[ALL], args: APPLY, draws: true },
    Operation { name: "update", setup: &[ALL, Step::Run(APPLY)], args: APPLY_2, draws: false },
    Operation {
        name: "replace",
        setup: &[Step::Stack(&[HEAD, SEALED]), Step::Run(APPLY)],
        args: APPLY_2,
        draws: false,
    },
    Operation {
        name: "adopt",
        setup: &[
            Step::Stack(&[HEAD]),
            Step::Run(APPLY),
            Step::Foreign("one"),
            Step::Foreign("two"),
            Step::Stack(&[HEAD, ONE, KEYS, TWO]),
        ],
        args: APPLY,
        draws: true,
    },
    Operation {
        name: "delete",
        setup: &[ALL, Step::Run(APPLY), Step::Stack(&[HEAD, ONE])],
        args: APPLY,
        draws: false,
    },
    Operation { name: "destroy", setup: &[ALL, Step::Run(APPLY)], args: &["destroy", "--yes"], draws: false },
    Operation {
        name: "rollback",
        setup: &[ALL, Step::Run(APPLY), Step::Run(APPLY_2)],
        args: &["rollback", "--yes"],
        draws: false,
    },
    Operation {
        name: "moved",
        setup: &[ALL, Step::Run(APPLY), Step::Stack(&[HEAD, KEYS, RENAMED])],
        args: APPLY_2,
        draws: false,
    },
    Operation {
        name: "forget",
        setup: &[ALL, Step::Run(APPLY), Step::Stack(&[HEAD, ONE, KEYS, LET_GO])],
        args: APPLY,
        draws: false,
    },
];

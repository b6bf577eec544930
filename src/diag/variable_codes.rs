//! The codes of variables and of where secrets may stand.

use super::codes::{Code, code};

/// Sorted.
pub(super) const VARIABLES: &[Code] = &[
    code(
        "E101",
        "no such variable",
        "A value was given for a variable that the stack does not declare. Variables are declared as \
         `[variables.NAME]`. A value that nobody reads is most often a slip in the name, so it is an \
         error, save in the environment, which stacks share.",
    ),
    code(
        "E102",
        "a value of the wrong type",
        "The variable's `type` is `string`, `integer`, `number`, `bool`, `list` or `map`; without `type` \
         it is that of the default, or `string`. On the command line and in the environment a list is \
         written `[\"a\", \"b\"]` and a map `{ a = \"x\" }`.",
    ),
    code(
        "E103",
        "a variable without a value",
        "Values are taken from `--var`, `--var-file`, `ARRPLAN_VAR_<name>`, the `--env` file and \
         `default`, the first that has one. None had.",
    ),
    code(
        "E104",
        "a secret on the command line",
        "The arguments of a command are visible to other users of the machine and stay in the shell's \
         history. Give a secret by `ARRPLAN_VAR_<name>`, by a variable file, or by `from` in its \
         declaration.",
    ),
    code(
        "E105",
        "`--var` without a value",
        "`--var` takes a name and a value, joined by `=`: `--var domain=media.example.org`.",
    ),
    code(
        "E106",
        "a variable that is not declared right",
        "A variable has `type`, `default`, `description`, `secret` and `from`. A secret one is text, has \
         no default, and may say `from = { env = \"NAME\" }`, `{ file = \"path\" }`, `{ command = [\"program\", \
         \"argument\"] }` or `{ generate = { length = 32, charset = \"hex\" } }`.",
    ),
    code(
        "E107",
        "a secret in `data`",
        "`data` of a Secret holds base64, a variable's value is plain. Put it into `stringData`: it is \
         encoded into `data` before anything is compared or sent.",
    ),
    code(
        "E108",
        "a key in `data` and in `stringData`",
        "Both become `data` of the object, so only one of them could be kept.",
    ),
    code(
        "E109",
        "a generated secret without exactly one home",
        "The value of a generated variable is kept in the cluster alone. Exactly one `secret` resource \
         must therefore have a key that is the reference and nothing else: `stringData.api-key = \
         \"${var.api_key}\"`. There it is read back by every plan; all other uses wait for it.",
    ),
    code(
        "E110",
        "an output that is secret",
        "Outputs are printed and kept in the state. A secret is neither: name the Secret and the key that \
         hold it instead.",
    ),
    code(
        "E111",
        "a secret in metadata",
        "Names, labels and annotations are shown by every list and copied to other objects by \
         controllers. Secrets stand in Secrets.",
    ),
    code(
        "E112",
        "not base64",
        "`data` of a Secret holds base64. Plain text belongs into `stringData`, from where it is encoded.",
    ),
    code(
        "E113",
        "`--env` without its file",
        "`--env NAME` reads `<stack>.NAME.vars.toml` beside the stack file, and keeps the state of that \
         environment apart. The name is made of lower-case letters, digits and `-`.",
    ),
    code(
        "E114",
        "a default that refers to something",
        "Defaults are plain values: they are read before anything that could be referred to. What is \
         computed from variables belongs below `[locals]`.",
    ),
];

//! The codes of files, TOML and the tables of a stack.

use super::codes::{Code, code};

/// Sorted.
pub(super) const FILES: &[Code] = &[
    code(
        "E001",
        "a file cannot be read",
        "The stack file, or a file that it names by `include`, `file('…')` or a flag, is not there, is a \
         folder, or may not be read. Paths inside of a stack are relative to the stack's own folder, also \
         in included files.",
    ),
    code(
        "E002",
        "a file is too large",
        "A file of a stack may have 4 MiB, all of them together 64 MiB. Objects in Kubernetes are far \
         smaller (about 1.5 MiB at most), so a file of this size is usually the wrong one. Split a large \
         stack with `include = [\"apps/*.toml\"]` in `[stack]`.",
    ),
    code(
        "E003",
        "a file is not UTF-8",
        "TOML is UTF-8. The place shown is the first byte that is none. Save the file as UTF-8; binary \
         content does not belong into a stack as text.",
    ),
    code(
        "E004",
        "not TOML",
        "The text does not follow TOML's grammar. What people meet most: text needs quotes (`interval = \
         \"10m\"`), a boolean is `true` or `false`, a key with `/` or other signs needs quotes \
         (`\"cozystack.io/tenant\" = \"true\"`), a comment starts with `#`, and `key = value` takes the place \
         of YAML's `key: value`. The grammar is at https://toml.io.",
    ),
    code(
        "E005",
        "a key or table is there twice",
        "TOML allows each key and each table header once. Put all keys of one table below one header. A \
         table that was begun with dotted keys (`spec.interval = \"5m\"` below `[helm_release.x]`) cannot \
         get a header of its own (`[helm_release.x.spec]`) as well: use one of the two forms for all of \
         its keys.",
    ),
    code(
        "E006",
        "a path leads out of the stack's folder",
        "A stack reads only files below its own folder: no absolute path, no `..`, no link that leads \
         out. What a stack means then depends on its folder alone, and a stack from elsewhere cannot read \
         your files. Copy the file into the folder.",
    ),
    code(
        "E007",
        "`include` names no file",
        "`include` in `[stack]` lists files of the same stack, relative to its folder. `*` stands for any \
         characters of one name and `?` for one of them; there is no `**`. A pattern that matches nothing \
         is only warned about, a plain name must be there.",
    ),
    code(
        "E008",
        "nested too deep or grown too large",
        "Values may be nested 80 levels deep, and references may make a value grow to 64 MiB. More than \
         that is a mistake, most often a local value that holds another one twice, which holds another \
         one twice. A stack has at most 100,000 resources and 1,000,000 dependencies: split it.",
    ),
    code(
        "E009",
        "an unknown table",
        "The top level of a stack has `stack`, `cluster`, `state`, `defaults`, `variables`, `locals`, \
         `sources`, `existing`, `outputs`, `moved`, `removed`, `preflight` and one table for each known \
         kind, such as `helm_release`. A kind without a table of its own is declared as `[manifest.NAME]` \
         with `apiVersion` and `kind`.",
    ),
    code(
        "E010",
        "an unknown key",
        "This table has a fixed list of keys, and the one shown is not among them. Keys that are ignored \
         silently are how a protection that was meant is not there, so none is.",
    ),
    code(
        "E011",
        "a setting of the wrong type",
        "The setting needs a value of another type: text in quotes, `true` or `false` without, a list in \
         brackets, a table in braces or below a header of its own. A resource needs a local name in its \
         header: `[namespace.media]`, not `[namespace]`.",
    ),
    code(
        "E012",
        "something needed is missing",
        "A table lacks a key that it cannot do without. A stack file needs `[stack]` with `name`; \
         `[[moved]]` needs `from` and `to`; `[[removed]]` needs `resource` and `destroy`, because \
         forgetting an object and deleting it are too different for a default.",
    ),
    code(
        "E013",
        "a setting with a value that it cannot have",
        "The setting takes one of a few values. `wait` is `\"ready\"`, `\"applied\"` or `{ cel = \"…\" }`; \
         `on_immutable` is `\"error\"` or `\"replace\"`; `backend` is `\"file\"`.",
    ),
    code(
        "E014",
        "not a local name",
        "The part behind the table is the local name, by which other resources refer to this one. It is \
         made of letters, digits, `_` and `-`. The object itself may be called otherwise: `name = \"…\"`.",
    ),
    code(
        "E015",
        "declared twice",
        "Two files of the stack, or two tables, declare the same thing. Local names are unique per table \
         over all files of a stack. Rename one of the two, or remove it.",
    ),
    code(
        "E016",
        "a setting in an included file",
        "`[stack]`, `[state]`, `[cluster]` and `[defaults]` decide about the whole stack and stand in the \
         stack file itself, so that one look tells what holds.",
    ),
    code(
        "E017",
        "not part of this version",
        "The stack language has this, but the version of arrplan that you run does not read it yet. The \
         help line says how to do without.",
    ),
];

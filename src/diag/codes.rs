//! The registry of diagnostic codes: what `arrplan help CODE` prints.
//!
//! `E0xx` a stack file, `E1xx` variables and secrets, `E3xx` the cluster, `E4xx` what a plan refuses,
//! `E5xx` the state. A code is never reused for another meaning.

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `E012`.
    pub code: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// Why it is an error and how to mend it, in a few sentences, with an example where one helps.
    pub text: &'static str,
}

const fn code(code: &'static str, title: &'static str, text: &'static str) -> Code {
    Code { code, title, text }
}

/// The codes of the stack language, sorted.
pub const CODES: &[Code] = &[
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
         one twice.",
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
    code(
        "E020",
        "a reference that is not complete",
        "A reference is `${…}` inside of a basic string (`\"…\"` or `\"\"\"…\"\"\"`). Its path is made of words \
         joined by dots, `[0]`, `['any key']` and `[name=app]`. Where the characters `${` are meant as \
         they stand, write `$${`, or use a literal string: `'…'`.",
    ),
    code(
        "E021",
        "not a reference",
        "A reference names something: `var.NAME`, `local.NAME`, `stack.name`, `each.key`, `each.value`, \
         `file('PATH')`, `null`, `TABLE.NAME.FIELD` or `existing.TABLE.NAME.FIELD`. There are no \
         operators and no functions besides `file`; a rule, where one is wanted, is written in CEL in \
         `wait`.",
    ),
    code(
        "E022",
        "a reference to nothing",
        "What the reference names is not declared in this stack. An object that belongs to somebody else \
         is declared as `[existing.TABLE.NAME]`: it is read and waited for, never written.",
    ),
    code(
        "E023",
        "no such field",
        "The value that is referred to has no such field. Of a resource you can name what the stack \
         itself writes (`name`, `namespace`, any path of its manifest), `ref`, and what only the cluster \
         knows: `uid` and `status.…`. A field that the server fills in by itself is not there before \
         apply.",
    ),
    code(
        "E024",
        "an instance of `for_each` that is not named right",
        "A resource with `for_each` has one instance for each key. Name the one that is meant: \
         `helm_release.app['sonarr']`. A resource without `for_each` is named without brackets.",
    ),
    code(
        "E025",
        "local values in a circle",
        "Local values may refer to each other in any order, but not in a circle: none of them would ever \
         have a value.",
    ),
    code(
        "E026",
        "a value of the wrong sort for this place",
        "A string that is exactly one reference takes the value's own type. Inside of a longer text only \
         text, numbers and booleans can stand. Names, namespaces and settings must be known from the \
         files, so nothing that is secret or known only after apply can be part of them.",
    ),
    code(
        "E027",
        "`each` outside of `for_each`",
        "`each.key` and `each.value` are the key and the value of an instance. They have a meaning only \
         in a resource that has `for_each`.",
    ),
    code(
        "E028",
        "`ref` where it has no shape",
        "`ref` becomes the fields by which an object names another: of `name`, `kind`, `namespace`, \
         `apiGroup` and `apiVersion` those that the field it stands in has. In text, in local values and \
         in kinds that arrplan does not know there is no such field; write out what is needed, for \
         example `name = \"${secret.x.name}\"`.",
    ),
    code(
        "E029",
        "`null` where it means nothing",
        "TOML has no null. `\"${null}\"` stands for it in free-form fields, such as the values of a \
         release, where it takes away a chart's default. Everywhere else leave the line out.",
    ),
    code(
        "E030",
        "`for_each` that cannot be expanded",
        "`for_each` is a table, or a list of distinct strings. It decides which resources there are, so \
         it must be known from the files: no resource, no secret, nothing known only after apply.",
    ),
    code(
        "E031",
        "a namespace is missing",
        "The kind lives in a namespace. Say which: `namespace = \"…\"` on the resource, or once for all in \
         `[defaults]`. The namespace of your kubeconfig context is never taken: the same stack would go \
         elsewhere on another machine.",
    ),
    code(
        "E032",
        "a namespace on a kind without one",
        "The kind belongs to the whole cluster, such as `Namespace`, `ClusterRole` or \
         `CustomResourceDefinition`. Remove the namespace.",
    ),
    code(
        "E033",
        "not a legal name",
        "Kubernetes restricts names by kind. Most are lower-case letters, digits, `-` and `.`; namespaces \
         and services have no dots; a Cozystack tenant has no dashes; a Helm release has at most 53 \
         characters; a definition is named `<plural>.<group>`. The object is named after the local name \
         unless `name = \"…\"` says otherwise.",
    ),
    code(
        "E034",
        "two resources for one object",
        "An object is known by its kind, namespace and name. Two resources that write the same object \
         would undo each other's fields at every apply. Instances of `for_each` need names of their own: \
         `name = \"x-${each.key}\"`.",
    ),
    code(
        "E035",
        "set twice",
        "`name`, `namespace`, `labels` and `annotations` are short for the fields of `metadata`. A pasted \
         `metadata` table is merged with them, but the two may not set the same key.",
    ),
    code(
        "E036",
        "a label or annotation that is not one",
        "Keys of labels and annotations look like `app` or `team.io/name`, and a key with a dot or slash \
         stands in quotes: without them TOML reads `team.io = \"x\"` as a table `team` with a key `io`. A \
         label's value is at most 63 letters, digits, `-`, `_` and `.`; an annotation's is any text.",
    ),
    code(
        "E037",
        "a field that the cluster writes",
        "`status`, `metadata.uid`, `metadata.resourceVersion` and their like are the cluster's own; a \
         manifest copied from a cluster has them, a stack does not. `generateName` would make a new \
         object at every apply. Labels and annotations below `arrplan.dev/` are arrplan's own mark.",
    ),
    code(
        "E040",
        "an unknown field",
        "The kind has no field of this name. Field names are those of Kubernetes, in camelCase, as its \
         documentation spells them. The names were checked against the structure of the versions that \
         `arrplan --version` names; what a kind made by a CRD of your own holds is checked by the \
         cluster.",
    ),
    code(
        "E041",
        "a field of the wrong type",
        "The field needs a value of another type. In TOML text stands in quotes and numbers do not: \
         `replicas = 3`, `data.port = \"8989\"`. Labels, annotations and the data of a ConfigMap are always \
         text.",
    ),
    code(
        "E042",
        "not one of the field's values",
        "The field takes one of a few values, spelt exactly so, also in upper and lower case.",
    ),
    code(
        "E043",
        "a field is missing",
        "The server refuses the object without this field. Flux wants `spec.interval` on nearly \
         everything.",
    ),
    code(
        "E044",
        "not a duration",
        "A duration is a number and a unit, joined without spaces, several of them if needed: `\"90s\"`, \
         `\"10m\"`, `\"1h30m\"`. There are no days; write `\"24h\"`. A few fields of Flux take no hours.",
    ),
    code(
        "E045",
        "not a quantity",
        "A quantity is a number with an optional suffix: `Ki`, `Mi`, `Gi`, `Ti` count by 1024, `k`, `M`, \
         `G`, `T` by 1000, and `m` is a thousandth: `\"500Gi\"`, `\"1.5\"`, `\"100m\"`. There is no `B` for \
         bytes and no space.",
    ),
    code(
        "E046",
        "an argument below the wrong header",
        "In TOML a key belongs to the header above it. `depends_on`, `protect`, `timeout` and their like \
         are arguments of the resource, so they stand directly below `[helm_release.NAME]`, before the \
         first header that goes deeper, such as `[helm_release.NAME.spec.chart.spec]`.",
    ),
    code(
        "E047",
        "a release without exactly one chart",
        "A HelmRelease has either `spec.chart`, from which Flux makes a HelmChart out of a GitRepository, \
         HelmRepository or Bucket, or `spec.chartRef`, which names an OCIRepository or HelmChart.",
    ),
    code(
        "E048",
        "a date without quotes",
        "TOML reads `2024-05-01` as a date, a type that manifests do not have. Put it in quotes.",
    ),
    code(
        "E049",
        "`apiVersion` or `kind` that does not fit",
        "`[manifest.NAME]` needs both. The tables with a known kind set them; `apiVersion` may be set to \
         choose another version of the same kind. A warning with this code means that arrplan does not \
         know the kind, so that its fields are checked by the cluster only.",
    ),
    code(
        "E050",
        "`depends_on` names nothing",
        "`depends_on` is a list of addresses: `TABLE.NAME`, `TABLE.NAME[\"key\"]` for an instance of \
         `for_each`, or `existing.TABLE.NAME`. Most dependencies need no such line: references and what \
         manifests name are found by themselves, as `arrplan graph` shows.",
    ),
    code(
        "E051",
        "resources in a circle",
        "Each of these resources waits for the next, so none could ever be created. The notes say why \
         each one waits. Take away one of the reasons: a reference by writing the value in both places or \
         putting it below `[locals]`, a `depends_on` by removing it.",
    ),
    code(
        "E052",
        "a resource that refers to itself",
        "A resource cannot wait for itself. Put a value that it needs twice below `[locals]`.",
    ),
    code(
        "E053",
        "`[[moved]]` or `[[removed]]` that does not fit the stack",
        "`[[moved]]` says that the resource which was called `from` is now called `to`: `from` is no \
         longer declared, `to` is. `[[removed]]` says that a resource was taken out on purpose: it is no \
         longer declared.",
    ),
    code(
        "E054",
        "`[sources]` that does not fit the stack",
        "`[sources.NAME]` says where the content of the `git_repository` with this local name lies on \
         your disk: `path` is a folder below the stack's own.",
    ),
    code(
        "E055",
        "not a CEL expression",
        "`wait = { cel = \"…\" }` holds an expression in CEL over the live object: its top-level fields and \
         `self`. For example `status.phase == 'Bound'`. The language is described at https://cel.dev.",
    ),
    code(
        "E056",
        "`ignore` that names no field",
        "`ignore` is a list of paths to fields that are left to others, such as `spec.replicas` or \
         `metadata.annotations['team.io/x']`. For kinds that arrplan knows, the path must exist.",
    ),
    code(
        "E060",
        "a reference in a literal string",
        "References are read in basic strings (`\"…\"`) only. In literal strings (`'…'`) every character \
         stands for itself, so that scripts, Grafana and Flux keep their own `${…}`. This one names \
         something that the stack declares, so it may have been meant.",
    ),
    code(
        "E070",
        "no such stack",
        "A command takes the path of a stack file, or the name of one in `./stacks` without `.toml`. \
         Without either, the only file in `./stacks` that has `[stack]` is taken.",
    ),
    code(
        "E071",
        "more than one stack",
        "`./stacks` holds several stack files. Say which one is meant: `arrplan plan NAME`.",
    ),
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

/// Every code, sorted.
pub fn all() -> impl Iterator<Item = &'static Code> {
    CODES.iter().chain(super::engine_codes::ENGINE)
}

/// The entry of `code`, in any letter case.
#[must_use]
pub fn find(code: &str) -> Option<&'static Code> {
    all().find(|entry| entry.code.eq_ignore_ascii_case(code))
}

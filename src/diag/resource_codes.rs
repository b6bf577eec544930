//! The codes of resources: names, metadata, fields, what they depend on; and of finding a stack.

use super::codes::{Code, code};

/// Sorted.
pub(super) const RESOURCES: &[Code] = &[
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
];

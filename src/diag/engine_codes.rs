//! The codes of everything behind the stack language: secrets, the cluster, plans, the state.

use super::codes::Code;

/// Sorted.
pub(super) const ENGINE: &[Code] = &[
    Code {
        code: "E150",
        title: "the environment variable of a secret is not set",
        text: "A secret variable takes its value from an environment variable that is not set, or is empty. Set it in the shell that runs arrplan (`export SONARR_API_KEY=…`), or give the value as `ARRPLAN_VAR_<name>`. `plan --skip-secrets` plans without any secret and says which changes it could not judge.",
    },
    Code {
        code: "E151",
        title: "the file of a secret cannot be read",
        text: "A secret variable takes its value from a file: a regular text file of at most 1 MiB in the folder of the stack or below it. Links that lead out of that folder are not followed. One newline at the end is not part of the value.",
    },
    Code {
        code: "E152",
        title: "the value of a secret is not in its variable file",
        text: "The value of a secret variable stands in a variable file (`--var-file`, or the one of `--env`), which changed since the stack was read, or is no text. Write `name = \"value\"` there, in quotes.",
    },
    Code {
        code: "E153",
        title: "the command of a secret failed",
        text: "A secret variable takes its value from what a command prints. The command runs in the folder of the stack, without a shell, with the terminal, and has two minutes. It must end with status 0 and print the value and nothing else; one newline at the end is not part of it. For pipes and variables name a shell: `command = [\"sh\", \"-c\", \"…\"]`.",
    },
    Code {
        code: "E301",
        title: "no cluster to plan against",
        text: "No kubeconfig was found at any of the places the message lists, and this is no pod. Name one with `--kubeconfig`, set `KUBECONFIG`, or choose a context with `--context`. arrplan never falls back to another cluster silently.",
    },
    Code {
        code: "E302",
        title: "a kind the cluster does not serve",
        text: "Nothing in the cluster serves this kind, and nothing in the plan that the resource depends on brings it along. Check `apiVersion` and `kind`; if a HelmRelease or Kustomization of the stack installs the definition, say so with `depends_on`.",
    },
    Code {
        code: "E303",
        title: "a namespace where none belongs, or none where one is needed",
        text: "Only the cluster knows whether a kind without an entry in the built-in table lies in namespaces. Give a namespaced kind its `namespace`, and a cluster-scoped one none.",
    },
    Code {
        code: "E304",
        title: "an object that could not be read",
        text: "Without the right to read an object nothing can be planned for it: not being allowed to look is not the same as being absent. `arrplan help rbac` prints the rights a plan needs. An answer that is about another object, or that is no answer of the API at all, is not believed either.",
    },
    Code {
        code: "E305",
        title: "a namespace that is not there",
        text: "The namespace does not exist and nothing in the plan makes it. Declare it with `[namespace.<name>]`, or say which tenant, HelmRelease or Kustomization makes it with `depends_on`.",
    },
    Code {
        code: "E306",
        title: "an object that appeared while planning",
        text: "It was not there when it was looked for, and it was a moment later. Somebody else works on the same objects: plan again.",
    },
    Code {
        code: "E307",
        title: "a kind that cannot be looked up",
        text: "State owns objects of a kind that is not served now. An API that does not answer is no proof that they are gone, so nothing is decided about them. `kubectl get apiservices` shows which one is down.",
    },
    Code {
        code: "E308",
        title: "an existing object that is not there yet",
        text: "The stack refers to an object it does not make. Apply waits for it, up to the timeout of the `existing` entry; what refers to it waits too.",
    },
    Code {
        code: "E309",
        title: "the connection to the cluster cannot be set up",
        text: "The kubeconfig names something that cannot be read or does not work: a file, a certificate, a credential plugin. The message says which.",
    },
    Code {
        code: "E310",
        title: "the sandbox is in use",
        text: "One process at a time holds the sandbox of a project. The message names the one that does; wait until it is done. While `arrplan sandbox serve` runs, every command with `--sandbox` talks to it, and several can do so at once.",
    },
    Code {
        code: "E311",
        title: "the sandbox cannot be started",
        text: "What the sandbox keeps in `state/sandbox` cannot be read, or it cannot listen on the loopback address. It holds nothing but practice: `arrplan sandbox reset` throws it away, its cluster and the state of everything applied to it; real clusters and their states are not touched.",
    },
    Code {
        code: "E401",
        title: "an object of another stack",
        text: "The object carries the mark of another stack. Both use the same field manager, so no conflict would ever be reported, and each apply would remove what the other one wrote. Declare it in one stack, and refer to it as `[existing.…]` in the other.",
    },
    Code {
        code: "E402",
        title: "an object of another state",
        text: "The object belongs to a stack of this name, but to another state of it: another lineage. That happens when the state file was lost or copied. Use the state that owns it.",
    },
    Code {
        code: "E403",
        title: "an object that another tool manages",
        text: "The object is managed by Helm, Flux, Cozystack or a controller, which will change back what this plan writes. If you mean to take it over, `--adopt ADDRESS`.",
    },
    Code {
        code: "E404",
        title: "a field that is somebody else's",
        text: "The field was set by another Server-Side-Apply manager, through a subresource such as `scale`, was never ours, or was taken back once and changed again. It is never taken silently: take it with `--take`, leave it with `ignore`, or drop it from the stack.",
    },
    Code {
        code: "E405",
        title: "the server rejects a manifest",
        text: "The dry-run was refused. The server's own text says which field and why.",
    },
    Code {
        code: "E406",
        title: "admission refuses a manifest",
        text: "A policy, a quota or a webhook of the cluster refused the dry-run. It is never a reason to replace the object.",
    },
    Code {
        code: "E407",
        title: "a field that cannot change in place",
        text: "The server keeps the field as it was made. The only way to change it is to delete the object and make it anew, which `on_immutable = \"replace\"` allows for that resource, with all that the delete takes along. What does not carry the mark of the stack is not deleted for that: somebody took the mark off, or it was never this stack's. Neither is what is protected, or would take something along that is protected or another stack's; a HelmRelease whose name or target changes is uninstalled and installed anew, and counts as well.",
    },
    Code {
        code: "E408",
        title: "a claim in use",
        text: "A PersistentVolumeClaim that pods mount is not replaced: the pods would lose their data while they run. Stop them first, and copy the data.",
    },
    Code {
        code: "E409",
        title: "an object that Cozystack forbids to delete",
        text: "Its label makes Cozystack's admission deny the delete. It can be forgotten with `[[removed]]` and `destroy = false`.",
    },
    Code {
        code: "E410",
        title: "data would be lost",
        text: "A delete, replace or reinstall takes data along: claims, the content of a namespace, objects of a definition. Nothing was written. `--allow data-loss=ADDRESS` allows it for the address named, and only there; protection is never overridden.",
    },
    Code {
        code: "E411",
        title: "a suspended release or Kustomization",
        text: "Deleting it while suspended removes the object and leaves everything it installed, owned by nobody. Resume it, then delete.",
    },
    Code {
        code: "E412",
        title: "a controller that is not available",
        text: "The object's finalizer is removed by a controller that does not run. The delete would hang. Finalizers are never stripped: bring the controller back.",
    },
    Code {
        code: "E413",
        title: "a flag that names nothing",
        text: "`--take`, `--adopt` or `--allow` names an address that the plan does not have. Addresses look like `helm_release.arr-stack` or `helm_release.app[\"sonarr\"]`.",
    },
    Code {
        code: "E414",
        title: "not checked far enough",
        text: "`--min-fidelity` asks for more than could be checked for this change. The note says why.",
    },
    Code {
        code: "E415",
        title: "an object that does not fit its definition",
        text: "The object gets no dry-run, so it was checked against the schema of its definition: the CRD in the same plan, or the ApplicationDefinition in the cluster.",
    },
    Code {
        code: "E416",
        title: "a revision whose secret has no value",
        text: "Revisions hold no secret values. A rollback takes each value from its variable as it is today, and where today's value is another one, it keeps the one in the cluster. Here there is neither: the stack has no such variable any more, and the object, or its key, is gone. Declare the variable again.",
    },
    Code {
        code: "E420",
        title: "a file that a plan would overwrite",
        text: "`plan --out FILE` writes over a plan it saved before, and over nothing else. Name another file, or move this one away.",
    },
    Code {
        code: "E421",
        title: "a saved plan is damaged",
        text: "The file begins like a saved plan, and does not match its checksum or is not whole. Nothing was done. Plan again: `arrplan plan --out FILE`.",
    },
    Code {
        code: "E422",
        title: "a saved plan of a newer version",
        text: "The file was written by a newer version of arrplan, in a format that this one does not know. Apply it with that version, or plan again with this one.",
    },
    Code {
        code: "E423",
        title: "a saved plan for another cluster",
        text: "A saved plan is applied to the cluster it was made for, told by the uid of its namespace `kube-system`; or, where that may not be read, by its URL and certificate. Choose that cluster with `--context`, or plan again for this one.",
    },
    Code {
        code: "E424",
        title: "a saved plan of another state",
        text: "A saved plan belongs to the state it was made with: to its lineage, and to the key that its digests were made with. `--env` and `--state` are part of it. Apply it in the project it was made in, or plan again.",
    },
    Code {
        code: "E425",
        title: "a saved plan that is out of date",
        text: "The state changed since the plan was made: something was applied, moved or let go of; the message says what. Approving a plan approves it for what was there then. Plan again.",
    },
    Code {
        code: "E426",
        title: "a saved plan of other files or variables",
        text: "A saved plan holds what was decided, and no manifests: they are compiled again from the same files and the same values of variables. The message names each file and variable that is another one now. Secrets are compared by keyed digests. Put them back, or plan again.",
    },
    Code {
        code: "E501",
        title: "the state cannot be read or written",
        text: "The file system refused: no right, a full or read-only disk, a folder where a file is meant. Space for a whole run is set aside before the first change, so a full disk shows before anything is written to the cluster. If it happens in the middle, what was done is in the journal beside the state; run the same command again once the disk works.",
    },
    Code {
        code: "E502",
        title: "a file of the state is damaged",
        text: "The state, its journal or a revision does not match its checksum, or is empty. It is left as it is and nothing is done: read as \"no state\" it would make arrplan lose sight of everything it owns. Put a copy back from a backup, or let `arrplan state recover` rebuild the state from its previous copy, its journal, its revisions and the objects in the cluster that carry its mark. It shows what it makes of them, and why, before it writes anything, and keeps the damaged file.",
    },
    Code {
        code: "E503",
        title: "a file was written by a newer version",
        text: "The format of a file is newer than this version of arrplan knows. It is left untouched. Use the version that wrote it, or a newer one.",
    },
    Code {
        code: "E504",
        title: "the state file is missing",
        text: "There is no state file, but its journal or its predecessor is there, so there was one. Starting anew would own nothing, and every object of the stack would carry the mark of another lineage. Put the file back from a backup, or let `arrplan state recover` rebuild it from what is left and from the objects in the cluster that carry its mark. To begin anew and own nothing, move what is left away too.",
    },
    Code {
        code: "E505",
        title: "the state belongs to another stack",
        text: "Two stack files have the same name, or `--state` names the state of another stack. Each stack needs its own name and its own state: change `[stack] name` in one of them, or set `[state] path`. An environment (`--env`) is a plain word, because it is part of the file's name.",
    },
    Code {
        code: "E506",
        title: "the state is of another lineage",
        text: "Each state has a lineage, for ever, and every object it owns carries it. The journal, or the state to be written, has another one than the state file: files of two states were mixed. Put back the files that belong together.",
    },
    Code {
        code: "E507",
        title: "the state is locked",
        text: "Another arrplan works on this state. The message says who, doing what, since when. Wait for it, or let this command wait: `--lock-timeout 5m`. A lock goes away with the process that holds it, also when that is killed: there is nothing to clean up.",
    },
    Code {
        code: "E508",
        title: "the state cannot be locked",
        text: "The file system that holds the state has no locks, as some network file systems do. arrplan never works on a state without a lock. Put it on a local disk with `--state` or `[state] path`.",
    },
    Code {
        code: "E510",
        title: "a state of another cluster",
        text: "The state records which cluster it is about, and this is another one. Choose the right one with `--context`, or keep a state of its own with `--env` or `--state`.",
    },
    Code {
        code: "E511",
        title: "a state that cannot be recovered",
        text: "`arrplan state recover` finds out which state it was by its lineage: the files that are left carry it, and so does every object the state owned. Where nothing carries one there is nothing to recover, and `apply` begins a new state. Where files and objects tell of more than one, say which one with `--lineage`; objects of the other are left alone.",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::super::codes;

    /// Every code in a string of the sources, tests of views excepted: their samples are made up.
    fn used(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                used(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("engine_codes.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let words = text.split('"').filter(|word| word.len() == 4 && word.starts_with('E'));
                found.extend(words.filter(|w| w[1..].bytes().all(|b| b.is_ascii_digit())).map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_code_is_sorted_explained_and_used() {
        let listed: Vec<&str> = codes::all().map(|code| code.code).collect();
        assert!(listed.is_sorted() && listed.len() == listed.iter().collect::<BTreeSet<_>>().len());
        assert!(codes::all().all(|code| code.text.len() > 60 && code.text.ends_with(['.', '`'])));
        let mut found = BTreeSet::new();
        used(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let listed: BTreeSet<String> = listed.into_iter().map(str::to_owned).collect();
        assert_eq!(found.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "not registered");
        assert_eq!(listed.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new(), "not used");
    }
}

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

/// All codes, sorted.
pub const CODES: &[Code] = &[
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
        code: "E501",
        title: "the state cannot be read or written",
        text: "The file system refused: no right, a full or read-only disk, a folder where a file is meant. Space for a whole run is set aside before the first change, so a full disk shows before anything is written to the cluster. If it happens in the middle, what was done is in the journal beside the state; run the same command again once the disk works.",
    },
    Code {
        code: "E502",
        title: "a file of the state is damaged",
        text: "The state, its journal or a revision does not match its checksum, or is empty. It is left as it is and nothing is done: read as \"no state\" it would make arrplan lose sight of everything it owns. Put a copy back from a backup. `<stack>.prev.json` is the state before the last change; with it, the plan finds the rest in the cluster.",
    },
    Code {
        code: "E503",
        title: "a file was written by a newer version",
        text: "The format of a file is newer than this version of arrplan knows. It is left untouched. Use the version that wrote it, or a newer one.",
    },
    Code {
        code: "E504",
        title: "the state file is missing",
        text: "There is no state file, but its journal or its predecessor is there, so there was one. Starting anew would own nothing, and every object of the stack would carry the mark of another lineage. Put the file back, or, if that is what you want, move what is left away too.",
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
];

/// The entry of `code`, in any letter case.
#[must_use]
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|entry| entry.code.eq_ignore_ascii_case(code))
}

//! What was typed, again, so that a command we suggest is about the same thing.

use std::path::Path;

use clap::ValueEnum;

use crate::cli::args::{Cluster, Command, Planning, State, StateArg, Vars};

/// Flags as they were typed, each with a blank before it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Flags(String);

impl Flags {
    /// Of which state, variables and cluster.
    pub(super) fn about(state: &StateArg, vars: Option<&Vars>, cluster: &Cluster) -> Self {
        let mut flags = Self::default();
        flags.state(state);
        if let Some(vars) = vars {
            flags.all("--var", &vars.var);
            for file in &vars.var_file {
                flags.path("--var-file", Some(file));
            }
            flags.all("--env", vars.env.as_slice());
        }
        flags.cluster(cluster);
        flags
    }

    fn state(&mut self, state: &StateArg) {
        self.path("--state", state.state.as_deref());
        if state.sandbox {
            self.0.push_str(" --sandbox");
        }
    }

    fn cluster(&mut self, cluster: &Cluster) {
        self.path("--kubeconfig", cluster.kubeconfig.as_deref());
        self.all("--context", cluster.context.as_slice());
        self.all("--server", cluster.server.as_slice());
        if let Some(time) = cluster.request_timeout {
            self.one("--request-timeout", &format!("{}s", time.as_secs()));
        }
    }

    /// And how it is planned.
    pub(super) fn planned(mut self, planning: &Planning) -> Self {
        for (address, path) in &planning.take {
            let path = if path.is_root() { String::new() } else { format!(".{path}") };
            self.one("--take", &format!("{address}{path}"));
        }
        self.all("--adopt", &planning.adopt);
        self.value("--refresh", planning.refresh);
        self.value("--min-fidelity", planning.min_fidelity);
        self.all("--target", &planning.target);
        self.all("--exclude", &planning.exclude);
        self.all("--replace", &planning.replace);
        if planning.refresh_only {
            self.0.push_str(" --refresh-only");
        }
        self.all("--dry-run-namespace", planning.dry_run_namespace.as_slice());
        self
    }

    /// And of which part it is; a destroy has no other flags of planning.
    pub(super) fn part(mut self, planning: &Planning) -> Self {
        self.all("--target", &planning.target);
        self.all("--exclude", &planning.exclude);
        self
    }

    /// One more.
    pub(super) fn one(&mut self, flag: &str, value: &str) {
        self.0.extend([" ", flag, " ", &word(value)]);
    }

    fn all(&mut self, flag: &str, values: &[impl ToString]) {
        for value in values {
            self.one(flag, &value.to_string());
        }
    }

    fn path(&mut self, flag: &str, value: Option<&Path>) {
        if let Some(value) = value {
            self.one(flag, &value.display().to_string());
        }
    }

    fn value(&mut self, flag: &str, value: Option<impl ValueEnum>) {
        if let Some(name) = value.and_then(|value| value.to_possible_value()) {
            self.one(flag, name.get_name());
        }
    }
}

impl std::fmt::Display for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_stack(name: &str) -> bool {
    let path = Path::new(name);
    path.extension().is_some_and(|ending| ending == "toml") || !path.is_file()
}

/// The stack, and which state and cluster a command is about, as `state recover` takes them.
pub(super) fn place(command: &Command) -> String {
    type Parts<'a> = (Option<&'a String>, &'a StateArg, Option<&'a String>, Option<&'a Cluster>);
    let (stack, state, env, cluster): Parts<'_> = match command {
        Command::Plan(a) => (a.stack.stack.as_ref(), &a.state, a.vars.env.as_ref(), Some(&a.cluster)),
        // What is no stack is a saved plan, whose stack is not known here.
        Command::Apply(a) => {
            (a.stack.as_ref().filter(|name| is_stack(name)), &a.state, a.vars.env.as_ref(), Some(&a.cluster))
        }
        Command::Destroy(a) => (a.stack.stack.as_ref(), &a.state, a.vars.env.as_ref(), Some(&a.cluster)),
        Command::Rollback(a) => (a.stack.stack.as_ref(), &a.state, a.vars.env.as_ref(), Some(&a.cluster)),
        Command::Import(a) => (a.stack.as_ref(), &a.state, a.vars.env.as_ref(), Some(&a.cluster)),
        Command::Output(a) => (a.stack.as_ref(), &a.state, a.env.as_ref(), None),
        Command::History(a) => (a.stack.stack.as_ref(), &a.of.state, a.of.env.as_ref(), None),
        Command::State(command) => match command {
            State::List { stack, of } => (stack.stack.as_ref(), &of.state, of.env.as_ref(), None),
            State::Show { stack, of, .. } => (stack.as_ref(), &of.state, of.env.as_ref(), None),
            State::Mv { stack, state, env, .. } => (stack.as_ref(), state, env.as_ref(), None),
            State::Rm(a) => (a.stack.as_ref(), &a.state, a.env.as_ref(), Some(&a.cluster)),
            State::Recover(a) => (a.stack.stack.as_ref(), &a.state, a.vars.env.as_ref(), Some(&a.cluster)),
            State::Pull { stack, state, env } | State::Unlock { stack, state, env } => {
                (stack.stack.as_ref(), state, env.as_ref(), None)
            }
        },
        _ => return String::new(),
    };
    let mut flags = Flags::default();
    if let Some(stack) = stack {
        flags.0.extend([" ", &word(stack)]);
    }
    flags.state(state);
    flags.all("--env", env.as_slice());
    if let Some(cluster) = cluster {
        flags.cluster(cluster);
    }
    flags.0
}

/// A text as a shell takes it for one word.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::Parser as _;

    #[test]
    fn what_was_typed_comes_back_as_a_shell_takes_it() {
        for typed in [
            "",
            " --sandbox --var 'a=b c' --var d=e --var-file x.toml --env prod",
            " --state s/x.json --kubeconfig k --context c --server https://h:6443 --request-timeout 90s",
            " --take deployment.web.spec.replicas --take deployment.web --adopt a.b --refresh full --min-fidelity 'server*'",
            " --target 'a.b[\"c\"]' --exclude a.d --replace a.e --dry-run-namespace n",
            " --refresh-only",
        ] {
            let words = typed.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let mut joined: Vec<String> = vec!["arrplan".into(), "plan".into()];
            for word in words {
                let open = joined.last().is_some_and(|last| last.matches('\'').count() % 2 == 1);
                match joined.last_mut() {
                    Some(last) if open => last.extend([" ", &word]),
                    _ => joined.push(word),
                }
            }
            let args = joined.iter().map(|word| word.replace('\'', ""));
            let Command::Plan(plan) = Cli::parse_from(args).command else { panic!("no plan") };
            let flags = Flags::about(&plan.state, Some(&plan.vars), &plan.cluster).planned(&plan.planning);
            assert_eq!(flags.to_string(), typed);
        }
    }

    #[test]
    fn a_state_error_names_the_same_state() {
        for (typed, expected) in [
            ("apply arr --env prod --context c --yes --var a=b", " arr --env prod --context c"),
            ("state pull --state s/x.json", " --state s/x.json"),
            ("state rm config_map.a --stack arr --sandbox", " arr --sandbox"),
            ("history --env prod", " --env prod"),
            ("schema plan", ""),
        ] {
            let command = Cli::parse_from(format!("arrplan {typed}").split(' ')).command;
            assert_eq!(place(&command), expected, "{typed}");
        }
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        for (text, expected) in
            [("p.plan", "p.plan"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("$x", "'$x'"), ("", "''")]
        {
            assert_eq!(word(text), expected);
        }
    }
}

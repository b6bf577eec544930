use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;

/// What a command wrote.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that went away.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A folder to run commands in, without environment, home and terminal.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.0.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        self
    }

    /// Standard output, standard error and exit code in one text.
    fn run(&self, args: &[&str]) -> String {
        let (out, err) = (Buffer::default(), Buffer::default());
        let mut host = Host::with(self.0.path().to_owned(), Box::new(out.clone()), Box::new(err.clone()));
        host.now = || "2026-11-22T12:00:00Z".parse().unwrap();
        let exit = run(std::iter::once("arrplan").chain(args.iter().copied()).map(Into::into), &mut host);
        let text = |buffer: &Buffer| {
            let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
            let shown = text.replace(&self.0.path().display().to_string(), "[folder]");
            let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
            if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" }
        };
        format!("--- stdout\n{}--- stderr\n{}--- exit {}\n", text(&out), text(&err), exit.code())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

#[test]
fn help_and_version() {
    let place = Place::new();
    insta::assert_snapshot!(place.run(&["--help"]));
    insta::assert_snapshot!(place.run(&["apply", "--help"]));
    assert_eq!(place.run(&["help", "apply"]), place.run(&["apply", "--help"]));
    let version = place.run(&["--version"]);
    assert!(version.contains("kubernetes") && version.contains("exit 0"), "{version}");
}

#[test]
fn wrong_command_lines() {
    let place = Place::new();
    let lines: [&[&str]; 8] = [
        &[],
        &["plna"],
        &["plan", "--sandbox"],
        &["apply", "--allow", "data-loss"],
        &["apply", "--timeout", "90"],
        &["apply", "--json"],
        &["help", "nothing"],
        &["state", "show", "media"],
    ];
    let texts = lines.map(|line| format!("$ arrplan {}\n{}\n", line.join(" "), place.run(line)));
    insta::assert_snapshot!(texts.concat());
}

#[test]
fn init_writes_once() {
    let place = Place::new().file(".gitignore", "/target");
    let first = place.run(&["init", "home"]);
    let text = format!("{first}\n{}\n{}", place.run(&["init", "home"]), place.run(&["init", "Home Lab"]));
    insta::assert_snapshot!(text);
    assert_eq!(fs_err::read_to_string(place.path().join(".gitignore")).unwrap(), "/target\nstate/\n");
}

#[test]
fn which_stack() {
    let place = Place::new();
    let none = place.run(&["validate"]);
    let place = place
        .file("stacks/b.toml", "# b\n [stack] # here\nname = \"b\"\n")
        .file("stacks/a.toml", "[stack]\nname = \"a\"\n")
        .file("stacks/a.vars.toml", "[stack]\n")
        .file("stacks/part.toml", "[namespace.x]\n");
    insta::assert_snapshot!(format!("{none}\n{}\n{}", place.run(&["validate"]), place.run(&["plan", "c"])));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    let err = Buffer::default();
    let mut host = Host::with(place.path().to_owned(), Box::new(Closed), Box::new(err.clone()));
    let exit = run(["arrplan", "help", "rbac"].map(Into::into), &mut host);
    assert_eq!(exit, Exit::Done);
    assert!(err.0.lock().unwrap().is_empty());
}

#[test]
fn colours_follow_the_conventions() {
    let check = |env: &[(&str, &str)], terminal: bool, expect: bool| {
        let mut host = Host::with("/".into(), Box::new(io::sink()), Box::new(io::sink()));
        host.env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        host.out_width = terminal.then_some(80);
        assert_eq!(host.out_layout().color, expect, "{env:?} {terminal}");
    };
    check(&[], true, true);
    check(&[], false, false);
    check(&[("NO_COLOR", "1")], true, false);
    check(&[("NO_COLOR", "")], true, true);
    check(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true, false);
    check(&[("CLICOLOR", "0")], true, false);
    check(&[("CLICOLOR_FORCE", "1")], false, true);
    check(&[("TERM", "dumb")], true, false);
}

#[test]
fn the_roles_and_the_schemas_are_well_formed() {
    let place = Place::new();
    for of in ["plan", "events"] {
        let text = place.run(&["schema", of]);
        let json = text.strip_prefix("--- stdout\n").unwrap().split("--- stderr").next().unwrap();
        serde_json::from_str::<serde_json::Value>(json).unwrap();
    }
    let roles = place.run(&["help", "rbac"]);
    assert_eq!(roles.matches("kind: ClusterRole\n").count(), 2);
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.run(&["completions", shell]).contains("exit 0"));
    }
}

//! Rows about what reaches a terminal or a file that should not.

use arrplan::views::page::{Layout, Page, Text, Tone};
use arrplan::views::{json, yaml};
use proptest::prelude::*;
use serde_json::json;
use support::{User, eventually};

use crate::project::Project;
use crate::runs::hides;
use crate::stage::{self, STACK, answer, left_behind};

/// A terminal that counts what would do more than show letters.
#[derive(Default)]
struct Terminal {
    letters: usize,
    moved: Vec<String>,
}

impl Terminal {
    fn shown(bytes: &[u8]) -> Self {
        let mut terminal = Self::default();
        vte::Parser::new().advance(&mut terminal, bytes);
        terminal
    }
}

impl vte::Perform for Terminal {
    fn print(&mut self, c: char) {
        self.letters += 1;
        let reorders = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if c.is_control() || reorders {
            self.moved.push(format!("letter {:x}", u32::from(c)));
        }
    }

    fn execute(&mut self, byte: u8) {
        if byte != b'\n' {
            self.moved.push(format!("control {byte:x}"));
        }
    }

    fn hook(&mut self, _: &vte::Params, _: &[u8], _: bool, action: char) {
        self.moved.push(format!("device {action}"));
    }

    fn osc_dispatch(&mut self, _: &[&[u8]], _: bool) {
        self.moved.push("title".to_owned());
    }

    fn csi_dispatch(&mut self, _: &vte::Params, _: &[u8], _: bool, action: char) {
        self.moved.push(format!("sequence {action}"));
    }

    fn esc_dispatch(&mut self, _: &[u8], _: bool, byte: u8) {
        self.moved.push(format!("escape {byte:x}"));
    }
}

/// Text of a cluster or a stack at its worst.
const HOSTILE: &str = "a\u{1b}[31m\u{1b}]0;owned\u{7}b\r\u{8}\u{9b}2J\u{202e}c\u{2066}\u{feff}\u{7f}d";

proptest! {
    #![proptest_config(ProptestConfig { cases: if support::soak() { 100_000 } else { 500 }, ..ProptestConfig::default() })]

    #[test]
    fn row_37_any_bytes_are_letters_to_a_terminal(bytes in proptest::collection::vec(any::<u8>(), 0..80), odd in "[\\x00-\\x1f\\x7f-\\u{9f}\\u{200b}-\\u{206f}a\\[;\\]]{0,40}") {
        for text in [String::from_utf8_lossy(&bytes).into_owned(), odd] {
            let mut page = Page::new(Layout { color: false, width: 40 });
            page.line(2, &Text::plain(&text));
            page.wrapped(2, 4, &Text::tone(Tone::Danger, &text).add(Tone::Plain, &text));
            page.columns(2, &Text::plain(&text), 20, &Text::plain(&text));
            let value = json!({ &text: [&text, { "k": format!("{text}\nx") }], "t": &text });
            let documents = [page.finish(), json::pretty(&value), json::line(&value), yaml::to_string(&value)];
            for document in documents {
                let terminal = Terminal::shown(document.as_bytes());
                prop_assert_eq!(&terminal.moved, &Vec::<String>::new(), "{:?}", document);
            }
            let read: serde_json::Value = serde_json::from_str(&json::pretty(&value)).unwrap();
            prop_assert_eq!(read, value);
        }
    }
}

#[test]
fn row_37_the_terminal_of_the_test_sees_what_moves() {
    for (text, what) in [
        ("a\u{1b}[2J", "sequence J"),
        ("\u{1b}]0;t\u{7}", "title"),
        ("\r", "control d"),
        ("\u{202e}", "letter 202e"),
    ] {
        assert_eq!(Terminal::shown(text.as_bytes()).moved, [what]);
    }
}

#[test]
fn row_37_hostile_text_of_cluster_and_stack_is_shown_and_never_obeyed() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let quoted =
        serde_json::to_string(HOSTILE).unwrap().replace('\u{9b}', "\\u009b").replace('\u{202e}', "\\u202e");
    let quoted =
        quoted.replace('\u{2066}', "\\u2066").replace('\u{feff}', "\\ufeff").replace('\u{7f}', "\\u007f");
    let stack = STACK
        .replace("data.colour = \"blue\"", &format!("data.colour = {quoted}\nannotations.note = {quoted}"));
    let project = Project::new(&plane, "app", &format!("{stack}\n[outputs]\nword = {quoted}\n"));
    let mut outputs = vec![project.plan(&[]), project.plan(&["--json"]), project.apply(&[]).expect_status(0)];
    // Somebody else's words on our objects: data, annotation, finalizer's neighbour, a condition, an event.
    let path = "/api/v1/namespaces/home/configmaps/first";
    let theirs = json!({ "data": { "colour": HOSTILE.repeat(2), "theirs": HOSTILE }, "metadata": { "annotations": { "note": "x", "theirs": HOSTILE } } });
    plane.request(User::Admin, "PATCH", path, Some(&theirs)).ok();
    for args in [
        &["plan", "--full"][..],
        &["plan", "--json"],
        &["render"],
        &["graph"],
        &["graph", "--format", "json"],
        &["history"],
        &["state", "list"],
        &["validate", "--json"],
    ] {
        let mut args = args.to_vec();
        let stack = project.stack_argument();
        let at = if args[0] == "state" { 2 } else { 1 };
        args.insert(at, &stack);
        outputs.push(project.run(&args));
    }
    outputs.push(project.run(&["state", "show", "config_map.first"]));
    outputs.push(project.run(&["output"]));
    // The server's own words: a refusal, and what it says while it is waited for.
    let said = answer(422, "Invalid", &format!("ConfigMap \"first\" is invalid: {HOSTILE}\n{HOSTILE}"));
    stage::script(&plane, &json!([{ "method": "PATCH", "path": path, "times": 0, "fault": said }]));
    outputs.push(project.apply(&["--take", "config_map.first.data.colour"]).expect_status(1));
    outputs.push(project.apply(&["--json"]).expect_status(1));
    for output in &outputs {
        let terminal = Terminal::shown(format!("{}{}", output.stdout, output.stderr).as_bytes());
        assert_eq!(terminal.moved, [""; 0], "{output}");
        assert!(terminal.letters > 10, "{output}");
    }
    let all: String = outputs.iter().map(|output| output.stdout.as_str()).collect();
    assert!(all.contains("\\u{1b}[31m") && all.contains("\\u202e"), "it is shown, as its escape:\n{all}");
}

#[test]
fn row_38_a_secret_value_reaches_no_file_and_no_screen() {
    use base64::Engine as _;
    let Some(plane) = stage::sandbox(&[]) else { return };
    let canary = "c4nary-9f3b1d7e";
    let url = format!("https://user:{canary}@example.org");
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let secret = "\n[variables.key]\nsecret = true\nfrom = { env = \"KEY\" }\n\n[secret.login]\nnamespace = \"home\"\n\
                  stringData.key = \"${var.key}\"\nstringData.url = \"https://user:${var.key}@example.org\"\n";
    let project = Project::new(&plane, "app", &format!("{STACK}{secret}"));
    let stack = project.stack_argument();
    let with = |key: &str, args: &[&str]| {
        let args = [&[args[0], stack.as_str()], &args[1..]].concat();
        project.command(support::arrplan!(), &args).env("KEY", key).run()
    };
    // A refusal that prints what it refuses, whole, in part and encoded; the plugin's word goes the same way.
    let says = format!(
        "Secret \"login\" is invalid: data: Invalid value: {{\"key\":\"{}\",\"url\":\"{url}\"}}",
        encode(canary)
    );
    let path = "*/secrets/login";
    stage::script(
        &plane,
        &json!([{ "method": "PATCH", "path": path, "query": stage::REAL, "times": 0, "fault": answer(422, "Invalid", &says) }]),
    );
    let mut outputs = vec![
        with(canary, &["plan"]),
        with(canary, &["apply", "--yes", "--parallelism", "1"]).expect_status(1),
    ];
    insta::assert_snapshot!("row_38_refused", outputs[1].snapshot());
    stage::calm(&plane);
    outputs.push(with(canary, &["apply", "--yes", "--json"]).expect_status(0));
    let stored = plane.get_json("secret", "home", "login").unwrap();
    assert_eq!(stored["data"]["url"], encode(&url));
    outputs.push(with(canary, &["plan", "--json", "--refresh", "full"]).expect_status(0));
    outputs.push(with("another", &["plan", "--full"]).expect_status(0));
    outputs.push(with(canary, &["history"]));
    outputs.push(project.run(&["state", "pull"]).expect_status(0));
    outputs.push(project.run(&["state", "show", "secret.login"]).expect_status(0));
    // Killed with a request on the wire, so that the journal is open.
    stage::script(
        &plane,
        &json!([{ "method": "PATCH", "path": path, "query": stage::REAL, "times": 0, "fault": "hang" }]),
    );
    let args = ["apply", &stack, "--yes"];
    let running = project.command(support::arrplan!(), &args).env("KEY", format!("{canary}-2")).spawn();
    eventually("the write to be on its way", || (stage::struck(&plane)[0] > 0).then_some(()));
    outputs.push(running.kill());

    let all: Vec<_> = outputs.iter().collect();
    let bytes = left_behind(&project, &all);
    let holds = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(holds("secret.login") && holds("blue"), "the search finds what is there");
    for needle in [canary, &encode(canary), &encode(&url), &encode(&format!("{canary}-2"))] {
        assert!(!holds(needle), "{needle} was left behind");
    }
    for output in &outputs {
        hides(output, &[canary]);
    }
}

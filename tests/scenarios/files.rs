//! Rows about what a stack and its files say. Nothing here needs a cluster.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use support::{RunOutput, scratch_dir};

/// A folder with a stack file.
fn folder(name: &str, stack: &str) -> PathBuf {
    let folder = scratch_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("s.toml"), stack).unwrap();
    folder
}

#[track_caller]
fn validate(folder: &PathBuf, status: i32) -> RunOutput {
    let limit = Duration::from_mins(1);
    support::arrplan!().folder(folder).limit(limit).args(["validate", "s.toml"]).run().expect_status(status)
}

#[test]
fn row_34_a_stack_reads_only_regular_files_below_its_folder() {
    let canary = "canary-outside";
    let outside = folder("row-34-outside", "");
    std::fs::write(outside.join("key"), canary).unwrap();
    let names = [
        "../row-34-outside/key",
        "link",
        "linked/key",
        "/etc/hostname",
        "proc",
        "null",
        "pipe",
        "folder",
        "inside/../../x",
    ];
    let mut stack = "[stack]\nname = \"s\"\ninclude = [\"../row-34-outside/*.toml\"]\n[defaults]\nnamespace = \"n\"\n[config_map.m]\n".to_owned();
    for (at, name) in names.iter().enumerate() {
        writeln!(stack, "data.f{at} = \"${{file('{name}')}}\"").unwrap();
    }
    let inside = folder("row-34", &stack);
    symlink(outside.join("key"), inside.join("link")).unwrap();
    symlink(&outside, inside.join("linked")).unwrap();
    symlink("/proc/self/environ", inside.join("proc")).unwrap();
    symlink("/dev/null", inside.join("null")).unwrap();
    std::fs::create_dir(inside.join("folder")).unwrap();
    assert!(Command::new("mkfifo").arg(inside.join("pipe")).status().unwrap().success());
    let refused = validate(&inside, 4);
    insta::assert_snapshot!("row_34_files", refused.snapshot());
    assert!(!refused.to_string().contains(canary), "{refused}");
}

#[test]
fn row_35_huge_and_deep_files_are_refused_in_time() {
    let head = "[stack]\nname = \"s\"\n[defaults]\nnamespace = \"n\"\n";
    let deep = 50_000;
    let mut bomb = format!("{head}[locals]\nl0 = \"0123456789\"\n");
    for at in 1..40 {
        writeln!(bomb, "l{at} = \"${{local.l{0}}}${{local.l{0}}}\"", at - 1).unwrap();
    }
    let mut many = format!("{head}[locals]\nlist = [");
    for at in 0..100_001 {
        write!(many, "\"a{at}\",").unwrap();
    }
    many.push_str("]\n[config_map.m]\nfor_each = \"${local.list}\"\n");
    for (name, text) in [
        ("size", format!("{head}#{}\n", "x".repeat(4 << 20))),
        ("lists", format!("{head}[manifest.m]\nx = {}{}\n", "[".repeat(deep), "]".repeat(deep))),
        ("tables", format!("{head}[manifest.m]\nx = {}1{}\n", "{a=".repeat(deep), "}".repeat(deep))),
        ("keys", format!("{head}[manifest.m]\n{}x = 1\n", "a.".repeat(deep))),
        ("reference", format!("{head}[config_map.m]\ndata.k = \"${{local.{}x}}\"\n", "a[0].".repeat(deep))),
        ("doubling", bomb),
        ("many", many),
    ] {
        let refused = validate(&folder(&format!("row-35-{name}"), &text), 4);
        // Lines of the file are long beyond reading.
        let said: String = refused
            .stderr
            .lines()
            .filter(|line| line.starts_with("error"))
            .take(3)
            .collect::<Vec<_>>()
            .join("\n");
        insta::assert_snapshot!(format!("row_35_{name}"), said);
        assert!(refused.elapsed < Duration::from_secs(30), "{name}: {:?}", refused.elapsed);
        assert!(refused.stderr.len() < 64 << 10, "{name}: {} bytes", refused.stderr.len());
    }
}

#[test]
fn row_36_a_cycle_is_shown_as_its_shortest_and_a_hundred_thousand_edges_are_no_matter() {
    let mut stack = "[stack]\nname = \"s\"\n[defaults]\nnamespace = \"n\"\n".to_owned();
    // Everything depends on everything before it.
    let size = 450;
    for at in 0..size {
        let before: Vec<String> = (0..at).map(|before| format!("\"config_map.m{before}\"")).collect();
        writeln!(stack, "[config_map.m{at}]\ndepends_on = [{}]\ndata.k = \"v\"", before.join(", ")).unwrap();
    }
    let fine = validate(&folder("row-36-edges", &stack), 0);
    assert!(fine.stderr.contains("450 resources, 101025 edges"), "{fine}");
    assert!(fine.elapsed < Duration::from_secs(30), "{:?}", fine.elapsed);

    // A long way round, and a short one.
    for (at, to) in [(0, size - 1), (7, 9)] {
        let from = format!("[config_map.m{at}]\ndepends_on = [");
        assert_eq!(stack.matches(&from).count(), 1);
        let comma = if at == 0 { "" } else { ", " };
        stack = stack.replace(&from, &format!("{from}\"config_map.m{to}\"{comma}"));
    }
    let cycle = validate(&folder("row-36-cycle", &stack), 4);
    assert!(cycle.elapsed < Duration::from_secs(30), "{:?}", cycle.elapsed);
    let short: Vec<&str> = cycle.stderr.lines().filter(|line| line.len() < 200).collect();
    insta::assert_snapshot!("row_36_cycle", short.join("\n"));
}

//! Tests of `tests/live` that are not about the sandbox: a closed list, with reasons.

use std::io::Write as _;
use std::process::Command;

const COZYSTACK: &str = "runs Cozystack's real API server behind the aggregation layer";
const HELM: &str = "installs a real chart by the real Helm controller";
const PROGRAMS: &str = "is about the processes of a real control plane";
const RIGHTS: &str = "is about RBAC of a limited user";
const PODS: &str = "makes pods fail by stages of kwok";

/// Test and reason.
pub(crate) const NOT_HERE: &[(&str, &str)] = &[
    ("harness_selftest::cozystack_serves_the_kind_of_a_definition", COZYSTACK),
    ("harness_selftest::flux_applies_a_kustomization", HELM),
    ("harness_selftest::flux_installs_two_releases_from_a_local_repository", HELM),
    ("harness_selftest::nothing_outlives_a_killed_test_process", PROGRAMS),
    ("harness_selftest::pods_fail_in_the_way_their_label_says", PODS),
    ("harness_selftest::the_api_server_answers_each_user_by_its_rights", RIGHTS),
];

/// Whether the test of this thread is on the list; if so, that is said on the terminal.
pub(crate) fn is_this_test() -> bool {
    // The test runner names a test's thread after the test.
    let thread = std::thread::current();
    let test = thread.name().expect("a test runs on a thread with its name");
    let Some((test, reason)) = NOT_HERE.iter().find(|(name, _)| *name == test) else { return false };
    // Not `eprintln!`: what a passing test prints is captured.
    writeln!(std::io::stderr(), "not for the sandbox: {test} {reason}").expect("standard error");
    true
}

/// A list that names what is not there would hide that a test was renamed, and runs.
#[test]
fn the_list_names_tests_that_exist() {
    let output = Command::new(std::env::current_exe().unwrap()).args(["--list"]).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let tests: Vec<&str> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    assert!(tests.len() > 60, "only {} tests", tests.len());
    let unknown: Vec<_> = NOT_HERE.iter().filter(|(name, _)| !tests.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let mut terminal = std::io::stderr().lock();
    writeln!(terminal, "{} of the {} tests are not for the sandbox", NOT_HERE.len(), tests.len()).unwrap();
}

//! Tests of `tests/live` that are not about the sandbox: a closed list, with reasons.

use std::io::Write as _;
use std::process::Command;

const COZYSTACK: &str = "runs Cozystack's real API server behind the aggregation layer";
const FLUX: &str = "is about what the real Flux controllers fetch, build or install";
const POLICY: &str = "is about admission policies";
const PODS: &str = "makes pods fail by stages of kwok";
const PROGRAMS: &str = "is about the processes of a real control plane";
const REQUESTS: &str =
    "reads in the audit log what controllers sent and what a chart made; stand-ins send nothing";
const RIGHTS: &str = "is about RBAC of a limited user";
const TABLE: &str = "generates the structure table from the API server it is compared with";

/// Test and reason.
pub(crate) const NOT_HERE: &[(&str, &str)] = &[
    (
        "apply::flux::a_chart_that_cannot_be_built_fails_in_seconds_with_its_chain_and_the_next_apply_goes_on",
        FLUX,
    ),
    ("apply::flux::a_release_that_does_not_get_ready_is_explained_down_to_the_container", FLUX),
    ("apply::flux::a_suspended_release_is_not_deleted", FLUX),
    ("apply::flux::an_application_of_an_aggregated_api_is_made_changed_and_deleted", COZYSTACK),
    ("cluster::admission_is_told_from_validation_and_rights", POLICY),
    ("cozystack::a_plan_of_an_application_writes_nothing_and_an_apply_does_what_it_said", COZYSTACK),
    ("cozystack::an_application_is_ready_when_its_release_works", COZYSTACK),
    ("destroy::a_suspended_release_is_not_deleted_and_a_renamed_one_goes_first", FLUX),
    ("destroy::the_shipped_stack_goes_in_reverse_order_with_consent_and_without_leftovers", FLUX),
    ("harness_selftest::cozystack_serves_the_kind_of_a_definition", COZYSTACK),
    ("harness_selftest::flux_applies_a_kustomization", FLUX),
    ("harness_selftest::flux_installs_two_releases_from_a_local_repository", FLUX),
    ("harness_selftest::nothing_outlives_a_killed_test_process", PROGRAMS),
    ("harness_selftest::pods_fail_in_the_way_their_label_says", PODS),
    ("harness_selftest::the_api_server_answers_each_user_by_its_rights", RIGHTS),
    ("main_job::a_chart_that_is_not_in_the_source_goes_on_when_it_is_pushed", FLUX),
    ("main_job::a_wrong_chart_path_fails_with_its_cause_and_goes_on_when_the_stack_is_mended", FLUX),
    (
        "main_job::the_shipped_stack_is_applied_in_order_stays_as_it_is_and_changes_where_its_text_does",
        REQUESTS,
    ),
    ("ownership::a_policy_that_came_after_the_apply_refuses_and_never_replaces", POLICY),
    ("ownership::a_policy_that_changes_what_we_send_is_no_fight", POLICY),
    ("status::a_source_that_cannot_be_fetched_is_the_end_of_the_chain", FLUX),
    ("status::cozystacks_kinds_are_known_as_aggregated_and_get_no_dry_run", COZYSTACK),
    ("status::releases_work_or_name_what_is_at_fault_within_seconds", FLUX),
    ("structure::the_structure_table_is_the_servers_own", TABLE),
    ("taken::a_release_stays_with_a_claim_of_it_that_is_protected", FLUX),
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

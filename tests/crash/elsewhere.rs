//! A first apply that was cut off, and a cluster that is not its own.

use support::{ArrplanCmd, RunOutput};

use crate::end::End;
use crate::operations::{APPLY, WHOLE};
use crate::serve::Served;

#[test]
fn a_first_apply_that_was_cut_off_is_settled_by_its_own_cluster_alone() {
    let (own, other) = (Served::empty(), Served::empty());
    own.stage.write(&WHOLE.concat());
    let cut = own.stage.traced(APPLY, ";end.before@1=abort").run();
    assert_eq!((cut.status, own.stage.state()), (None, None), "it got no state file: {cut}");
    let journal = std::fs::read(own.stage.state_path("journal")).unwrap();
    let there = |args: &[&str]| -> RunOutput {
        let command: ArrplanCmd = own.stage.command(args).kubeconfig(&other.stage.kubeconfig);
        command.run()
    };
    for args in [&["plan"], APPLY, &["destroy", "--yes"]] {
        let refused = there(args).expect_status(1);
        assert!(format!("{refused}").contains("E510"), "{refused}");
    }
    assert_eq!(std::fs::read(own.stage.state_path("journal")).unwrap(), journal, "nothing was settled");
    drop(own.stage.run(APPLY).expect_status(0));
    let reference = Served::empty();
    reference.stage.write(&WHOLE.concat());
    drop(reference.stage.run(APPLY).expect_status(0));
    let different = End::read(&own.stage, true).differences(&End::read(&reference.stage, true));
    assert!(different.is_empty(), "{}", different.join("\n"));
    for served in [own, other, reference] {
        served.forget();
    }
}

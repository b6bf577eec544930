//! Back to what worked, after a run that came to no end.

use crate::operations::WHOLE;
use crate::serve::Served;

const ROLLBACK: &[&str] = &["rollback", "--yes"];

#[test]
fn a_rollback_after_an_apply_that_was_cut_off_goes_to_what_worked_last() {
    let served = Served::empty();
    let stage = &served.stage;
    stage.write(&WHOLE.concat());
    let live = || {
        let path = format!("/api/v1/namespaces/{}/configmaps/one", stage.namespace);
        stage.get(&path).unwrap()["data"]["version"].as_str().unwrap().to_owned()
    };
    for version in ["version=1", "version=2"] {
        drop(stage.run(&["apply", "--yes", "--var", version]).expect_status(0));
    }
    let third = ["apply", "--yes", "--var", "version=3"];
    let cut = stage.traced(&third, ";end.after@3=abort").run();
    assert_eq!((cut.status, live()), (None, "v3".to_owned()), "{cut}");

    // Cut off itself, it is gone on with: at its start, in its middle, and at its end.
    let mut told = 0;
    for at in ["prepare.reserved@1", "end.after@1", "revision.renamed@1", "lock.releasing@1"] {
        let cut = stage.traced(ROLLBACK, &format!(";{at}=abort")).run();
        assert_eq!(cut.status, None, "{at}: {cut}");
        assert!(cut.stdout.contains("Back to revision 2."), "{at}: {cut}");
        told += usize::from(format!("{cut}").contains("was cut off: this goes there, too"));
        // Nobody says yes: what is known of the run that was cut off stays known.
        if at.starts_with("prepare") || at.starts_with("end") {
            let declined = stage.run(&["rollback"]).expect_status(1);
            assert!(declined.stdout.contains("Back to revision 2."), "{at}: {declined}");
        }
    }
    assert_eq!(told, 3, "all but the first go on with one");
    let output = stage.run(ROLLBACK).expect_status(0);
    assert!(output.stdout.contains("Back to revision 2."), "{output}");
    assert_eq!(live(), "v2");
    let state = stage.state().unwrap();
    assert_eq!(state["serial"], 3);

    // That one came to its end: the next goes back from there.
    let output = stage.run(ROLLBACK).expect_status(0);
    assert!(output.stdout.contains("Back to revision 1."), "{output}");
    assert_eq!(live(), "v1");
    served.forget();
}

#[test]
fn what_was_in_doubt_is_not_forgotten_by_a_no() {
    let served = Served::empty();
    let stage = &served.stage;
    stage.write(&WHOLE.concat());
    for version in ["version=1", "version=2"] {
        drop(stage.run(&["apply", "--yes", "--var", version]).expect_status(0));
    }
    let cut = stage.traced(&["apply", "--yes", "--var", "version=3"], ";request.answered@1=abort").run();
    assert_eq!(cut.status, None, "{cut}");
    for args in [&["rollback"][..], &["rollback"], ROLLBACK] {
        let output = stage.run(args);
        assert!(output.stdout.contains("Back to revision 2."), "{args:?}: {output}");
        assert!(format!("{output}").contains("came to no end"), "{args:?}: {output}");
    }
    // A key that is lost is no run that was cut off.
    std::fs::remove_file(stage.state_path("key")).unwrap();
    let output = stage.run(&["rollback"]).expect_status(1);
    assert!(output.stdout.contains("Back to revision 1."), "{output}");
    served.forget();
}

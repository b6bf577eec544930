//! A fault of the program's own: it says where, and not what it was about; nothing is lost by it.

use support::{eventually, plain_canary};

use crate::end::End;
use crate::operations::{APPLY, WHOLE};
use crate::serve::Served;

#[test]
fn a_panic_says_where_it_was_and_no_value() {
    let reference = Served::empty();
    reference.stage.write(&WHOLE.concat());
    drop(reference.stage.run(APPLY).expect_status(0));
    let expected = End::read(&reference.stage, true);
    reference.forget();
    for point in
        ["lock.taken", "request.sent", "end.before", "record.written", "commit.before", "state.renamed"]
    {
        let served = Served::empty();
        let stage = &served.stage;
        stage.write(&WHOLE.concat());
        // It is in the text of the panic; the harness looks for it in all that is said and left.
        let armed = stage.traced(APPLY, &format!(";{point}@1=panic:{}", plain_canary()));
        let failed = armed.env("RUST_BACKTRACE", "full").run();
        assert_ne!(failed.status, Some(0), "{point}: {failed}");
        let text = format!("failed at {}", std::path::Path::new("src").join("failpoint.rs").display());
        assert!(failed.stderr.contains(&text), "{point}: {failed}");
        assert!(failed.stderr.contains("its text may hold values"), "{point}: {failed}");
        drop(stage.run(APPLY).expect_status(0));
        let different = End::read(stage, true).differences(&expected);
        assert!(different.is_empty(), "{point}: {}", different.join("\n"));
        served.forget();
    }
}

#[test]
fn the_kernel_writes_no_memory_of_it_to_disk() {
    let served = Served::empty();
    served.stage.write(&WHOLE.concat());
    let running = served.stage.traced(APPLY, ";commit.before@1=freeze").spawn();
    eventually("the apply to be held", || (served.stage.hits("commit.before") == 1).then_some(()));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
    drop(running.kill());
    served.forget();
}

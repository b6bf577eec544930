//! The fuzz targets over the seeds and findings that are committed, so that no target rots and no finding comes back.

#[cfg(test)]
#[expect(unreachable_pub, reason = "the crate of the fuzz targets exports them")]
#[path = "src/lib.rs"]
mod targets;

#[cfg(test)]
mod replay {
    use std::fs;
    use std::path::Path;

    use super::targets;

    /// Every file below these folders, and at least `least` of them, through the target.
    #[track_caller]
    fn replay(target: fn(&[u8]), least: usize, folders: &[&str]) {
        let mut done = 0;
        for folder in folders {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
            // A target without findings has no folder of them.
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            let mut files: Vec<_> = entries.map(|entry| entry.expect("a folder").path()).collect();
            files.sort();
            for file in files.iter().filter(|file| file.is_file()) {
                let bytes = fs::read(file).expect("a file");
                println!("{}", file.display());
                target(&bytes);
                // Damage at any place is what a campaign begins with.
                for at in [bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(2)] {
                    target(&bytes[..at]);
                }
                done += 1;
            }
        }
        assert!(done >= least, "{done} inputs, and there were {least}");
    }

    #[test]
    fn stack() {
        replay(
            targets::stack,
            100,
            &["fuzz/seeds/stack", "fuzz/regressions/stack", "cases/valid", "cases/broken"],
        );
    }

    #[test]
    fn state() {
        replay(targets::state, 4, &["fuzz/seeds/state", "fuzz/regressions/state"]);
    }

    #[test]
    fn journal() {
        replay(targets::journal, 4, &["fuzz/seeds/journal", "fuzz/regressions/journal"]);
    }

    #[test]
    fn classify() {
        replay(targets::classify, 13, &["fuzz/seeds/classify", "fuzz/regressions/classify"]);
    }

    #[test]
    fn sanitise() {
        replay(targets::sanitise, 6, &["fuzz/seeds/sanitise", "fuzz/regressions/sanitise"]);
    }
}

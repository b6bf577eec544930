//! The rules of the module map, checked over the sources: what may name what, and how large a file may get.

#[cfg(test)]
mod rules {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Lines of a file before its tests from which on it should be split.
    const LONGEST: usize = 400;

    /// Every source file below `src`, by its path from there, without its tests.
    fn sources() -> Vec<(String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![root.clone()];
        let mut files: Vec<PathBuf> = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.extension() {
                    _ if path.is_dir() => folders.push(path),
                    Some(extension) if extension == "rs" => files.push(path),
                    _ => {}
                }
            }
        }
        files.sort();
        assert!(files.len() > 50, "the sources were not found");
        files
            .iter()
            .map(|path| (path.strip_prefix(&root).unwrap().display().to_string(), without_tests(path)))
            .filter(|(name, _)| !is_test(name))
            .collect()
    }

    /// Files that hold tests only.
    fn is_test(name: &str) -> bool {
        name.ends_with("tests.rs")
            || name.contains("/tests/")
            || name.ends_with("fake.rs")
            || name.ends_with("samples.rs")
    }

    fn without_tests(path: &Path) -> String {
        let text = fs::read_to_string(path).unwrap();
        let tests = ["\n#[cfg(test)]\nmod tests", "\n#[cfg(test)]\n#[path ="];
        let end = tests.iter().filter_map(|start| text.find(start)).min();
        text[..end.unwrap_or(text.len())].to_owned()
    }

    /// Lines of code (no comments) that hold one of `words` outside of the files that `allowed` names.
    fn named_outside(words: &[&str], allowed: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for (name, text) in sources() {
            if allowed.iter().any(|place| name.starts_with(place)) {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if words.iter().any(|word| code.contains(word)) {
                    found.push(format!("src/{name}:{}: {}", number + 1, line.trim()));
                }
            }
        }
        found
    }

    #[track_caller]
    fn assert_none(found: &[String], rule: &str) {
        assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
    }

    #[test]
    fn only_the_cluster_names_kube() {
        let found = named_outside(&["kube::", "k8s_openapi::"], &["cluster/"]);
        assert_none(&found, "kube and k8s-openapi are named in src/cluster alone");
    }

    #[test]
    fn only_apply_writes() {
        // The sandbox has a writer of its own, of managedFields, and no way to the engine's.
        let found = named_outside(&["Writer"], &["cluster/", "apply/", "ops/", "state/", "sandbox/"]);
        assert_none(&found, "the writer is named in apply, and handed on by ops, alone");
        let writes = [
            "writer.apply(",
            "writer.delete(",
            "writer.create(",
            "writer.replace(",
            "writer.merge_patch(",
            "writer.json_patch(",
        ];
        assert_none(&named_outside(&writes, &["apply/"]), "requests that write are made in apply alone");
    }

    #[test]
    fn only_views_and_the_command_line_know_a_terminal() {
        let words = [
            "indicatif::",
            "anstream::",
            "annotate_snippets::",
            "stdout()",
            "stderr()",
            "println!",
            "eprintln!",
            "print!(",
        ];
        assert_none(
            &named_outside(&words, &["views/", "cli/"]),
            "terminals are known to views and cli alone",
        );
    }

    #[test]
    fn only_the_command_line_names_clap() {
        assert_none(&named_outside(&["clap::"], &["cli/"]), "clap is named in src/cli alone");
    }

    #[test]
    fn the_engine_does_not_know_views() {
        let found = named_outside(&["crate::views", "crate::cli"], &["views/", "cli/", "lib.rs"]);
        assert_none(&found, "nothing but cli imports views, and nothing imports cli");
    }

    #[test]
    fn graph_diag_and_sandbox_know_nothing_of_the_engine() {
        for leaf in ["graph/", "diag/", "sandbox/", "address.rs", "path.rs", "object.rs"] {
            let engine = [
                "crate::plan",
                "crate::apply",
                "crate::cluster",
                "crate::state",
                "crate::stack",
                "crate::ops",
            ];
            let found: Vec<String> =
                named_outside(&engine, &[]).into_iter().filter(|line| line[4..].starts_with(leaf)).collect();
            assert_none(&found, "leaves import no engine");
        }
    }

    #[test]
    fn the_environment_is_read_at_the_edge() {
        // Who holds a lock, and which variables a child process must not see, are facts of this process.
        let facts = ["cli/", "main.rs", "state/lock.rs", "secrets/resolve.rs"];
        let found = named_outside(&["env::var", "env::vars", "current_dir()"], &facts);
        assert_none(&found, "the environment is injected, not read");
    }

    #[test]
    fn files_have_one_subject() {
        let long: Vec<String> = sources()
            .into_iter()
            .map(|(name, text)| (name, text.lines().count()))
            .filter(|(_, lines)| *lines > LONGEST)
            .map(|(name, lines)| format!("src/{name}: {lines} lines"))
            .collect();
        assert_none(&long, "split before 400 lines");
    }
}

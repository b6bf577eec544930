//! Every command of the README does what the README says, and its example stack is one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use support::{GitRepo, Part, User, eventually};

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The fenced blocks in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Every command the README tells to type: the lines of its shell blocks, and every `arrplan …` in its prose.
fn commands(text: &str) -> BTreeSet<String> {
    let lines = blocks(text, "sh");
    let shell = lines.iter().flat_map(|block| block.lines()).map(str::to_owned);
    let prose = text
        .split('`')
        .filter(|word| word.starts_with("arrplan ") && !word.contains('\n'))
        .map(str::to_owned);
    shell.chain(prose).filter(|line| !line.trim().is_empty()).collect()
}

#[test]
fn every_command_of_the_readme_works() {
    let Some(plane) = crate::plane(&[Part::Controllers, Part::Nodes, Part::Storage, Part::Flux]) else {
        return;
    };
    let text = readme();
    let sources = plane.create_namespace("readme-sources");
    let media = plane.namespace("readme-media");
    let repository = GitRepo::from_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks/catalog"));
    let folder = project(&media);
    let run = |args: &str| {
        let command = support::arrplan!()
            .kubeconfig(plane.kubeconfig(User::Arrplan))
            .folder(&folder)
            .args(args.split_whitespace());
        drop(command.run().expect_status(0));
    };
    let flags = format!("--var catalog_url={} --var source_namespace={sources}", repository.url());
    let mut left = commands(&text);
    let mut take = |command: &str| {
        assert!(left.remove(command), "the README does not tell to type `{command}`");
    };

    take("arrplan validate");
    run("validate");
    take("arrplan graph");
    run("graph");
    take("cargo run --release -- apply --sandbox --yes");
    run("apply --sandbox --yes");
    take("cargo run --release -- plan --sandbox");
    run("plan --sandbox");
    take("cargo run --release -- destroy --sandbox --yes");
    run("destroy --sandbox --yes");
    take("arrplan sandbox serve");
    let serve = support::arrplan!().folder(&folder).args(["sandbox", "serve"]).spawn();
    eventually("the sandbox to be served", || serve.stdout().contains("kubeconfig").then_some(()));
    serve.signal("INT");
    drop(serve.finish().expect_status(0));
    take("arrplan sandbox reset");
    run("sandbox reset --yes");
    take("arrplan plan");
    run(&format!("plan {flags}"));
    take("cargo run --release -- apply stacks/arr.toml");
    run(&format!("apply stacks/arr.toml --yes {flags}"));
    take("arrplan apply");
    run(&format!("apply --yes {flags}"));
    take("arrplan output");
    run("output");
    take("arrplan rollback");
    run(&format!("rollback --to 1 --yes {flags}"));
    take("arrplan destroy");
    run("destroy --yes");
    take("arrplan help E012");
    run("help E012");
    // This very run, and a build from the same manifest as the binary that is tested.
    take("cargo test");
    assert_eq!(left, BTreeSet::new(), "commands of the README that no test runs");

    // The protected claim and its namespace are what destroy keeps.
    for (named, command) in [
        ("`history`", "history"),
        ("`state list`", "state list"),
        ("`state show`", "state show persistent_volume_claim.media-pvc"),
    ] {
        assert!(text.contains(named), "{named} is not in the README");
        run(command);
    }
}

#[test]
fn the_example_stack_of_the_readme_is_applied() {
    let Some(plane) = crate::plane(&[Part::Controllers]) else {
        return;
    };
    let text = readme();
    let namespace = plane.namespace("readme-hello");
    let example =
        blocks(&text, "toml").remove(0).replace("[namespace.hello]", &format!("[namespace.{namespace}]"));
    let example = example.replace("namespace = \"hello\"", &format!("namespace = \"{namespace}\""));
    let folder = support::scratch_dir().join("readme-hello");
    fs::create_dir_all(folder.join("stacks")).unwrap();
    fs::write(folder.join("stacks/hello.toml"), example).unwrap();
    let run = |args: &str| {
        let command = support::arrplan!()
            .kubeconfig(plane.kubeconfig(User::Arrplan))
            .folder(&folder)
            .args(args.split_whitespace());
        drop(command.run().expect_status(0));
    };
    run("apply --yes");
    let login = plane.get_json("secret", &namespace, "login").unwrap();
    assert!(login.pointer("/data/password").is_some());
    let settings = plane.get_json("configmap", &namespace, "settings").unwrap();
    assert_eq!(settings.pointer("/data/greeting").unwrap(), "Hello from hello");
    run("plan --detailed-exitcode");
}

/// The project's own stack in a folder of its own, for the namespace `media`.
fn project(media: &str) -> PathBuf {
    let folder = support::scratch_dir().join("readme-project");
    fs::create_dir_all(folder.join("stacks")).unwrap();
    let stacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks");
    let stack = fs::read_to_string(stacks.join("arr.toml")).unwrap().replace("tenant-media", media);
    fs::write(folder.join("stacks/arr.toml"), stack).unwrap();
    copy(&stacks.join("catalog"), &folder.join("stacks/catalog"));
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

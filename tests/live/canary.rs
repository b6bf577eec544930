//! Secrets stay in memory and in the cluster. Every run of the binary is looked through by the harness (`support::canary`);
//! here it is shown that it finds what there is to find, and one stack takes secrets everywhere they can be.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use support::{
    Part, RunOutput, canary, eventually, leaked_before, leaks, may_hold_secrets, plain_canary, watch_for,
};

use crate::project::Project;
use crate::runs::{said, shows};

#[test]
fn a_planted_secret_is_found_in_every_form() {
    for secret in [canary(), plain_canary()] {
        let json = json!(secret).to_string();
        let hex: String = secret.bytes().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let percent = secret.bytes().fold(String::new(), |mut text, byte| {
            match byte {
                byte if byte.is_ascii_alphanumeric() => text.push(byte.into()),
                byte => write!(text, "%{byte:02X}").unwrap(),
            }
            text
        });
        let broken: Vec<String> = secret.chars().map(String::from).collect();
        let template =
            format!("core.EnvVar{{Name:\"TOKEN\", Value:{json}, ValueFrom:(*core.EnvVarSource)(nil)}}");
        for (form, text, expected) in [
            ("plain", secret.clone(), "plain"),
            ("inside", format!("postgres://me:{secret}@host/db"), "plain"),
            ("a part", secret[..14].to_owned(), "plain"),
            ("JSON", json.clone(), "plain"),
            ("JSON in JSON", json!(json).to_string(), "plain"),
            ("Go's JSON", json.replace('<', "\\u003c").replace('&', "\\u0026"), "plain"),
            ("a 422", json!({"kind": "Status", "code": 422, "message": template}).to_string(), "plain"),
            ("URL", percent.clone(), "plain"),
            ("hex", hex.clone(), "hex"),
            ("HEX", hex.to_uppercase(), "hex"),
            ("base64", STANDARD.encode(&secret), "base64"),
            ("base64 behind 1", STANDARD.encode(format!("a{secret}bcd")), "base64"),
            ("base64 behind 2", URL_SAFE_NO_PAD.encode(format!("ab{secret}bcd")), "base64"),
            ("base64 behind 3", STANDARD.encode(format!("{{\"{secret}\"}}")), "base64"),
            ("lines", broken.join("\n"), "plain"),
            ("a frame", broken.join(" │\n    │ + "), "plain"),
        ] {
            assert!(leaks(text.as_bytes()).contains(expected), "{form}: {text}");
        }
        assert!(leaks(&secret.as_bytes()[..8]).is_empty(), "too little to tell");
    }
    assert!(
        leaks(b"what is no secret, AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, 00000000000000000000").is_empty()
    );
}

#[test]
fn a_run_that_leaves_a_planted_secret_is_told() {
    let secret = canary();
    let folder = support::scratch_dir().join("planted");
    std::fs::create_dir_all(folder.join("state/sandbox/cluster")).unwrap();
    let run = || support::arrplan!().folder(&folder).args(["--version"]).leaks();
    let planted = folder.join("state/arr.journal");
    std::fs::write(&planted, format!("{{\"v\":\"{}\"}}\n", STANDARD.encode(&secret))).unwrap();
    let told = run();
    assert!(told[0].contains("state/arr.journal after --version") && told[0].contains("base64"), "{told:?}");
    std::fs::remove_file(&planted).unwrap();
    // The storage of a sandbox is the cluster, and a test's own file is where the secret comes from.
    std::fs::write(folder.join("state/sandbox/cluster/log"), &secret).unwrap();
    std::fs::write(folder.join("source"), &secret).unwrap();
    may_hold_secrets(folder.join("source"));
    assert_eq!(run(), Vec::<String>::new());
    let told = support::arrplan!().args([secret.as_str()]).leaks();
    assert!(told[0].contains("stderr of"), "{told:?}");
    // What was said before a value was known is looked through when it is.
    let drawn = format!("k{:016x}z", RandomState::new().hash_one(()));
    drop(support::arrplan!().args([drawn.as_str()]).run());
    assert!(leaked_before(&drawn)[0].contains("stderr of"));
}

fn stack(namespace: &str) -> String {
    format!(
        r#"
[stack]
name = "canary"
[defaults]
namespace = "{namespace}"

[variables.token]
secret = true
from = {{ env = "TOKEN" }}
[variables.filed]
secret = true
from = {{ file = "secrets/filed" }}
[variables.told]
secret = true
from = {{ command = ["cat", "secrets/told"] }}
[variables.given]
secret = true
from = {{ env = "UNSET" }}
[variables.drawn]
secret = true
from = {{ generate = {{ length = 32, charset = "hex" }} }}

[secret.keys]
stringData.token = "${{var.token}}"
stringData.drawn = "${{var.drawn}}"
stringData.url = "postgres://me:${{var.filed}}@db:5432/app?mode=require"
stringData.document = '''{{"auths": {{"ghcr.io": {{"auth": "none"}}}}}}'''
stringData.told = "${{var.told}}"
stringData.lines = """
first = 1
second = ${{var.given}} # and more
"""

[deployment.web]
wait = "applied"
spec.selector.matchLabels = {{ app = "web" }}
spec.template.metadata.labels = {{ app = "web" }}
spec.template.spec.containers = [
  {{ name = "web", image = "example.org/web:1", args = ["--token=${{var.token}}"], env = [
    {{ name = "TOKEN", value = "${{var.token}}" }}, {{ name = "DRAWN", value = "${{var.drawn}}" }},
  ] }},
]

[job.migrate]
wait = "applied"
spec.template.spec.restartPolicy = "Never"
spec.template.spec.containers = [
  {{ name = "migrate", image = "example.org/migrate:1", env = [{{ name = "URL", value = "db://${{var.token}}@${{var.filed}}" }}] }},
]

[helm_release.app]
wait = "applied"
depends_on = ["secret.keys", "deployment.web", "job.migrate"]
spec.interval = "1h"
spec.chart.spec = {{ chart = "app", sourceRef = {{ kind = "GitRepository", name = "none" }} }}
spec.values = {{ password = "${{var.token}}", list = ["${{var.filed}}", {{ deep = "x ${{var.drawn}} y" }}] }}

[outputs]
host = "app.example.org"
"#
    )
}

/// Where a plan is saved.
const PLAN: &str = "canary.plan";

struct Secrets {
    token: String,
    given: String,
}

impl Project<'_> {
    fn secretive(&self, args: &[&str], secrets: &Secrets) -> support::ArrplanCmd {
        let stack = self.stack_argument();
        let args: Vec<&str> = match args {
            ["state", verb, rest @ ..] if *verb != "show" => [&["state", verb, &stack], rest].concat(),
            ["state" | "output", ..] | ["apply", PLAN] => args.to_vec(),
            [command, rest @ ..] => [&[*command, &stack], rest].concat(),
            [] => Vec::new(),
        };
        let program = support::arrplan!()
            .env("TOKEN", &secrets.token)
            .env("ARRPLAN_VAR_given", &secrets.given)
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full");
        self.command(program, &args)
    }

    #[track_caller]
    fn quiet(&self, args: &[&str], secrets: &Secrets) -> RunOutput {
        self.secretive(args, secrets).run()
    }

    /// Everything that shows a stack, a plan or both.
    #[track_caller]
    fn look(&self, secrets: &Secrets) {
        for args in [
            &["validate"] as &[&str],
            &["plan"],
            &["plan", "--full"],
            &["plan", "--json"],
            &["plan", "--refresh=full", "--full"],
            &["plan", "--destroy", "--full"],
            &["plan", "--skip-secrets"],
            &["graph", "--format", "json"],
            &["render"],
        ] {
            drop(self.quiet(args, secrets));
        }
    }
}

/// What is in the cluster is looked for from now on: the values that were drawn.
fn watch_drawn(project: &Project<'_>, namespace: &str) {
    let keys = project.plane.get_json("secret", namespace, "keys").expect("the secret");
    let drawn = STANDARD.decode(keys["data"]["drawn"].as_str().unwrap()).unwrap();
    watch_for(&String::from_utf8(drawn).unwrap());
}

/// A plan that was saved, and a state that was rebuilt, of the stack as it was `before`.
fn saved_and_rebuilt(project: &Project<'_>, secrets: &mut Secrets, before: &str) {
    // A saved plan holds none; secrets are resolved again, and a value that differs is refused and not repeated.
    secrets.token = canary();
    drop(project.quiet(&["plan", "--out", PLAN], secrets).expect_status(0));
    let planned = std::mem::replace(&mut secrets.token, canary());
    drop(project.quiet(&["apply", PLAN], secrets).expect_status(1));
    secrets.token = planned;
    drop(project.quiet(&["apply", PLAN], secrets).expect_status(0));
    drop(project.quiet(&["apply", PLAN], secrets));

    // A state that is rebuilt from the cluster alone does not know which fields held one; now some leave the stack.
    std::fs::write(project.state_path("json"), "damaged").unwrap();
    std::fs::remove_file(project.state_path("prev.json")).unwrap();
    std::fs::remove_dir_all(project.state_path("revisions")).unwrap();
    project.look(secrets);
    drop(project.quiet(&["state", "recover"], secrets));
    drop(project.quiet(&["state", "recover", "--yes"], secrets).expect_status(0));
    project.look(secrets);
    project.edit("{ name = \"TOKEN\", value = \"${var.token}\" }, ", "");
    project.edit("args = [\"--token=${var.token}\"], ", "");
    project.edit("password = \"${var.token}\", ", "");
    project.edit("stringData.token = \"${var.token}\"\n", "");
    let leaving = project.quiet(&["plan", "--full"], secrets).expect_status(0);
    shows(&leaving, &["(secret)", "password"]);
    project.look(secrets);
    drop(project.quiet(&["apply", "--yes"], secrets).expect_status(0));
    project.write(before);
    drop(project.quiet(&["apply", "--yes"], secrets).expect_status(0));
}

#[test]
fn no_secret_leaves_by_any_way() {
    let Some(plane) = crate::plane(&[Part::FluxCrds]) else {
        return;
    };
    let ns = plane.create_namespace("canary");
    let project = Project::new(plane, "canary", &stack(&ns));
    let sources = project.folder.join("stacks/secrets");
    std::fs::create_dir_all(&sources).unwrap();
    may_hold_secrets(&sources);
    for name in ["filed", "told"] {
        std::fs::write(sources.join(name), canary()).unwrap();
    }
    let mut secrets = Secrets { token: canary(), given: canary() };
    project.look(&secrets);
    drop(project.quiet(&["apply", "--yes"], &secrets).expect_status(0));
    watch_drawn(&project, &ns);
    let settled = project.quiet(&["plan", "--detailed-exitcode"], &secrets).expect_status(0);
    shows(&settled, &["No changes."]);
    project.look(&secrets);
    for args in [
        &["state", "list"] as &[&str],
        &["state", "list", "--json"],
        &["state", "show", "secret.keys"],
        &["state", "show", "deployment.web", "--json"],
        &["state", "pull"],
        &["history"],
        &["history", "--json"],
        &["output", "--json"],
    ] {
        drop(project.quiet(args, &secrets).expect_status(0));
    }

    // A value in the wrong place is refused, and not repeated.
    let wrong = format!("token={}", secrets.token);
    drop(project.quiet(&["plan", "--var", &wrong], &secrets).expect_status(4));

    // The server refuses the Job's new template and prints it.
    secrets.token = canary();
    let refused = project.quiet(&["plan"], &secrets).expect_status(1);
    shows(&refused, &["job.migrate", "field is immutable"]);
    project.look(&secrets);
    drop(project.quiet(&["apply", "--yes"], &secrets).expect_status(1));
    project.edit("[job.migrate]\n", "[job.migrate]\non_immutable = \"replace\"\n");
    project.look(&secrets);
    drop(project.quiet(&["apply", "--yes", "--json"], &secrets).expect_status(0));

    // Somebody else writes another value of the test's where a secret was, and where none was.
    let foreign = canary();
    let patch = json!({"stringData": {"token": foreign, "theirs": foreign}}).to_string();
    plane.kubectl(&["-n", &ns, "patch", "secret", "keys", "--type=merge", "-p", &patch]).ok();
    project.look(&secrets);
    drop(project.quiet(&["apply", "--yes"], &secrets).expect_status(0));

    // A secret that the stack does not have any more is in the cluster still.
    let before = std::fs::read_to_string(project.stack_file()).unwrap();
    project.edit("{ name = \"TOKEN\", value = \"${var.token}\" }, ", "");
    project.edit("args = [\"--token=${var.token}\"], ", "");
    project.edit("password = \"${var.token}\", ", "");
    project.look(&secrets);
    drop(project.quiet(&["apply", "--yes"], &secrets).expect_status(0));
    let back = project.quiet(&["rollback", "--yes", "--to", "1"], &secrets);
    assert!(said(&back).contains("revision 1"), "{back}");
    project.write(&before);

    saved_and_rebuilt(&project, &mut secrets, &before);

    // Killed between the first write and the last, and gone on with.
    for _ in 0..3 {
        secrets.token = canary();
        secrets.given = canary();
        let mut running = project.secretive(&["apply", "--yes"], &secrets).spawn();
        let journal = project.state_path("journal");
        eventually("the first write to be announced", || {
            let text = std::fs::read_to_string(&journal).unwrap_or_default();
            (running.has_ended() || text.contains("\"record\":\"begin\"")).then_some(())
        });
        drop(running.kill());
        project.look(&secrets);
        drop(project.quiet(&["apply", "--yes"], &secrets).expect_status(0));
    }
    let live = plane.get_json("deployment", &ns, "web").unwrap();
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"], json!(secrets.token));
    drop(project.quiet(&["destroy", "--yes"], &secrets).expect_status(0));
    drop(project.quiet(&["history", "--json"], &secrets).expect_status(0));
    assert_eq!(plane.get_json("secret", &ns, "keys"), None::<Value>);
}

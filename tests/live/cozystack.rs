//! Cozystack's own API server, which creates, changes and deletes on `dryRun=All`: a plan must not ask it, and yet say what
//! an apply will do.

use std::path::PathBuf;

use serde_json::{Value, json};
use support::{ControlPlane, GitRepo, Mark, Part, RunOutput, User, eventually};

/// A stack of a namespace and an `ArrStack`, planned and applied by the real binary.
struct Case<'p> {
    plane: &'p ControlPlane,
    folder: PathBuf,
    namespace: String,
}

impl<'p> Case<'p> {
    fn new(plane: &'p ControlPlane, name: &str) -> Self {
        plane.serve_cozystack(support::ARRSTACK_DEFINITION, "arrstacks");
        let namespace = plane.namespace(&format!("tenant-{name}"));
        let folder = support::scratch_dir().join(&namespace);
        std::fs::create_dir_all(folder.join("stacks")).unwrap();
        Self { plane, folder, namespace }
    }

    fn stack(&self, resource: &str) {
        let namespace = &self.namespace;
        let text = format!(
            "[stack]\nname = \"{namespace}\"\n[defaults]\nnamespace = \"{namespace}\"\n[namespace.{namespace}]\n[manifest.main]\n\
             apiVersion = \"apps.cozystack.io/v1alpha1\"\nkind = \"ArrStack\"\n{resource}"
        );
        std::fs::write(self.folder.join("stacks/app.toml"), text).unwrap();
    }

    fn arrplan(&self, args: &[&str]) -> RunOutput {
        support::arrplan!()
            .kubeconfig(self.plane.kubeconfig(User::Arrplan))
            .folder(&self.folder)
            .args(args.iter().copied())
            .run()
    }

    /// The change of the application in a plan.
    fn planned(&self) -> Value {
        let output = self.arrplan(&["plan", "--json"]).expect_status(0);
        let plan: Value = serde_json::from_str(&output.stdout).unwrap();
        let mut changes = plan["changes"].as_array().unwrap().iter();
        changes.find(|change| change["address"] == "manifest.main").unwrap().clone()
    }

    fn live(&self) -> Option<Value> {
        self.plane.get_json("arrstack", &self.namespace, "main")
    }

    fn release(&self) -> Option<Value> {
        self.plane.get_json("helmrelease", &self.namespace, "arr-stack-main")
    }

    /// Nothing was written since the mark: not by us, and no HelmRelease by anybody.
    fn nothing_written(&self, mark: Mark) {
        let ours = self.plane.audit().since(mark).by_user("arrplan");
        let asked: Vec<String> = ours
            .iter()
            .filter(|record| record.group == "apps.cozystack.io")
            .filter(|record| !matches!(record.verb.as_str(), "get" | "list" | "watch"))
            .map(ToString::to_string)
            .collect();
        assert_eq!(asked, Vec::<String>::new(), "the API that ignores dryRun is only read");
        assert_eq!(ours.writes().in_namespace(&self.namespace).to_string(), "");
        let releases: Vec<String> = self
            .plane
            .audit()
            .writes_since(mark)
            .in_namespace(&self.namespace)
            .iter()
            // Where Flux runs, it writes its own part of what is there.
            .filter(|record| record.resource == "helmreleases" && record.user != "helm-controller")
            .map(ToString::to_string)
            .collect();
        assert_eq!(releases, Vec::<String>::new());
    }
}

#[test]
fn a_plan_of_an_application_writes_nothing_and_an_apply_does_what_it_said() {
    let Some(plane) = crate::plane(&[Part::Cozystack, Part::Controllers]) else {
        return;
    };
    let case = Case::new(plane, "app");

    // What its definition forbids is found without asking the API.
    let mark = plane.audit().mark();
    case.stack("spec.replicas = \"two\"\n");
    let refused = case.arrplan(&["plan"]).expect_status(1);
    assert!(refused.stdout.contains("spec.replicas"), "{refused}");

    case.stack(
        "wait = \"applied\"\nlabels = { team = \"media\" }\nspec.domain = \"media.example.org\"\nspec.replicas = 2\n\
         spec.apps = [\"sonarr\", \"radarr\"]\nspec.storage = { size = \"5Gi\", storageClass = \"replicated\" }\n",
    );
    let planned = case.planned();
    case.nothing_written(mark);
    assert_eq!(case.live(), None);
    assert_eq!((&planned["action"], &planned["fidelity"]), (&json!("create"), &json!("schema")));

    case.arrplan(&["apply", "--yes"]).expect_status(0);
    let first = case.live().unwrap();
    let spec = json!({ "domain": "media.example.org", "replicas": 2, "apps": ["sonarr", "radarr"],
        "storage": { "size": "5Gi", "storageClass": "replicated" } });
    assert_eq!(first["spec"], spec);
    let values = case.release().unwrap()["spec"]["values"].clone();
    for (key, value) in spec.as_object().unwrap() {
        assert_eq!(values[key], *value);
    }

    let mark = plane.audit().mark();
    case.arrplan(&["plan", "--detailed-exitcode"]).expect_status(0);
    case.arrplan(&["apply", "--yes"]).expect_status(0);
    case.nothing_written(mark);

    // A field changed, one removed, a label removed; somebody else's label stays.
    plane.kubectl(&["-n", &case.namespace, "label", "arrstack", "main", "theirs=1"]).ok();
    case.stack(
        "wait = \"applied\"\nspec.domain = \"media.example.org\"\nspec.replicas = 3\nspec.apps = [\"sonarr\"]\n\
         spec.storage = { size = \"5Gi\" }\n",
    );
    let mark = plane.audit().mark();
    let planned = case.planned();
    case.nothing_written(mark);
    let told: Vec<(&str, &Value, &Value)> = planned["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["path"].as_str().unwrap(), &f["before"]["value"], &f["after"]["value"]))
        .collect();
    let null = Value::Null;
    assert_eq!(
        told,
        [
            ("metadata.labels.team", &json!("media"), &null),
            ("spec.apps", &json!(["sonarr", "radarr"]), &json!(["sonarr"])),
            ("spec.replicas", &json!(2), &json!(3)),
            ("spec.storage.storageClass", &json!("replicated"), &null),
        ]
    );
    case.arrplan(&["apply", "--yes"]).expect_status(0);
    let second = case.live().unwrap();
    assert_eq!(
        second["spec"],
        json!({ "domain": "media.example.org", "replicas": 3, "apps": ["sonarr"], "storage": { "size": "5Gi" } })
    );
    assert_eq!(second["metadata"]["uid"], first["metadata"]["uid"], "changed, not made anew");
    let labels = &second["metadata"]["labels"];
    assert_eq!((&labels["theirs"], &labels["team"]), (&json!("1"), &null));
    case.arrplan(&["plan", "--detailed-exitcode"]).expect_status(0);

    // A field that leaves the stack and has a default gets it back, once.
    case.stack("wait = \"applied\"\nspec.apps = [\"sonarr\"]\nspec.storage = { size = \"5Gi\" }\n");
    case.arrplan(&["plan", "--detailed-exitcode"]).expect_status(2);
    case.arrplan(&["apply", "--yes"]).expect_status(0);
    let third = case.live().unwrap();
    assert_eq!((&third["spec"]["domain"], &third["spec"]["replicas"]), (&json!("example.org"), &json!(1)));
    case.arrplan(&["plan", "--detailed-exitcode"]).expect_status(0);

    // Changed outside: told as such, and taken back.
    let path = format!("/apis/apps.cozystack.io/v1alpha1/namespaces/{}/arrstacks/main", case.namespace);
    let edit = json!({ "spec": { "apps": ["sonarr", "lidarr"] } });
    plane.request(User::Admin, "PATCH", &path, Some(&edit)).ok();
    let planned = case.planned();
    assert_eq!(planned["fields"][0]["path"], "spec.apps");
    assert_eq!(planned["fields"][0]["cause"]["is"], "drift-unrecorded", "{planned}");
    case.arrplan(&["apply", "--yes"]).expect_status(0);
    assert_eq!(case.live().unwrap()["spec"]["apps"], json!(["sonarr"]));

    let mark = plane.audit().mark();
    let output = case.arrplan(&["plan", "--destroy"]).expect_status(0);
    assert!(output.stdout.contains("- manifest.main"), "{output}");
    case.nothing_written(mark);
    assert!(case.live().is_some());
    case.arrplan(&["destroy", "--yes"]).expect_status(0);
    assert_eq!(plane.get_json("namespace", "", &case.namespace), None);
    let deleted = plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&case.namespace);
    let order: Vec<&str> = deleted
        .iter()
        .filter(|record| record.verb == "delete" && record.succeeded())
        .map(|record| record.resource.as_str())
        .collect();
    assert_eq!(order, ["arrstacks", "namespaces"]);
}

const CHART: &[(&str, &str)] = &[
    ("packages/apps/arr-stack/Chart.yaml", "apiVersion: v2\nname: arr-stack\nversion: 0.1.0\n"),
    (
        "packages/apps/arr-stack/values.yaml",
        "domain: example.org\nreplicas: 1\napps: []\nstorage: { size: 1Gi }\n",
    ),
    (
        "packages/apps/arr-stack/templates/apps.yaml",
        r"{{ range .Values.apps }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ . }}
spec:
  replicas: {{ $.Values.replicas }}
  selector: { matchLabels: { app: {{ . }} } }
  template:
    metadata: { labels: { app: {{ . }} } }
    spec: { containers: [{ name: app, image: example.org/app:1, args: [{{ $.Values.domain }}] }] }
{{ end }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: media }
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: {{ .Values.storage.storageClass }}
  resources: { requests: { storage: {{ .Values.storage.size }} } }
",
    ),
];

#[test]
fn an_application_is_ready_when_its_release_works() {
    let Some(plane) = crate::plane(&[Part::Cozystack, Part::Flux, Part::Storage]) else {
        return;
    };
    let case = Case::new(plane, "ready");
    let repository = GitRepo::new(CHART);
    plane.create(&format!(
        "{{ apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, metadata: {{ name: catalog, namespace: cozy-system }}, \
         spec: {{ interval: 1h, url: '{}', ref: {{ branch: main }} }} }}",
        repository.url()
    ));
    plane.create(
        "{ apiVersion: source.toolkit.fluxcd.io/v1, kind: HelmChart, metadata: { name: arr-stack, namespace: cozy-system }, \
         spec: { interval: 1h, chart: packages/apps/arr-stack, sourceRef: { kind: GitRepository, name: catalog } } }",
    );
    // The platform puts the Secret into every tenant.
    case.stack(
        "depends_on = [\"secret.cozystack-values\"]\nspec.apps = [\"sonarr\", \"radarr\"]\n\
         spec.storage = { size = \"5Gi\", storageClass = \"replicated\" }\n\
         [secret.cozystack-values]\nstringData.\"values.yaml\" = \"{}\"\n",
    );
    let applied = case.arrplan(&["apply", "--yes"]).expect_status(0);
    assert!(applied.stdout.contains("ready") || applied.stderr.contains("ready"), "{applied}");
    for app in ["sonarr", "radarr"] {
        let deployment = plane.get_json("deployment", &case.namespace, app).unwrap();
        assert_eq!(deployment["status"]["readyReplicas"], 1, "{app}");
    }

    // What goes with the application is told before it goes.
    let mark = plane.audit().mark();
    let refused = case.arrplan(&["destroy", "--yes"]).expect_status(1);
    case.nothing_written(mark);
    // The claim is the release's, so that nothing more is lost with the namespace.
    let consent = "--allow data-loss=manifest.main";
    assert!(refused.stderr.contains(&format!("destroy {consent}\n")), "{refused}");
    assert!(refused.to_string().contains("media"), "{refused}");
    let mut args = vec!["destroy", "--yes"];
    args.extend(consent.split(' '));
    case.arrplan(&args).expect_status(0);
    eventually("the release to be gone", || case.release().is_none().then_some(()));
    assert_eq!(plane.get_json("namespace", "", &case.namespace), None);
}

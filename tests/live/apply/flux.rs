//! Releases, charts and applications, with their real controllers.

use std::time::Duration;

use arrplan::apply::End;
use support::{GitRepo, Part};

use super::bench::{Bench, run};

const CHART: &[(&str, &str)] = &[
    ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
    (
        "charts/web/templates/all.yaml",
        r"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: 1
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec: { containers: [{ name: web, image: example.org/web:1 }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }}-kept, annotations: { helm.sh/resource-policy: keep } }
",
    ),
];

fn toml(ns: &str, url: &str, chart: &str) -> String {
    format!(
        r#"
[defaults]
namespace = "{ns}"

[git_repository.catalog]
spec.interval = "5m"
spec.url = "{url}"
spec.ref.branch = "main"

[helm_release.web]
spec.interval = "5m"
[helm_release.web.spec.chart.spec]
chart = "{chart}"
interval = "1m"
sourceRef = "${{git_repository.catalog.ref}}"

[config_map.alone]
data.k = "1"

[config_map.after]
depends_on = ["helm_release.web"]
data.k = "1"
"#
    )
}

#[test]
fn a_chart_that_cannot_be_built_fails_in_seconds_with_its_chain_and_the_next_apply_goes_on() {
    let Some(plane) = crate::plane(&[Part::Flux, Part::Nodes]) else {
        return;
    };
    let ns = plane.create_namespace("chart");
    let repo = GitRepo::new(CHART);
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let wrong = toml(&ns, &repo.url(), "./charts/wbe");
        let planned = bench.plan(&wrong).await;
        let applied = bench.apply(planned).await;
        assert!(applied.took < Duration::from_mins(1), "{applied}");
        let ends = applied.ends();
        assert_eq!(ends["helm_release.web"], End::Failed, "{applied}");
        assert_eq!(ends["config_map.after"], End::Skipped);
        assert_eq!(ends["config_map.alone"], End::Done);
        assert_eq!(ends["git_repository.catalog"], End::Done);
        let failure = applied.failure("helm_release.web");
        println!("{failure}\nafter {:?}", applied.took);
        assert!(failure.contains(&format!("HelmChart {ns}/{ns}-web InvalidChartReference")), "{failure}");

        let planned = bench.plan(&wrong).await;
        let release = planned.plan.changes.iter().find(|c| c.address.name == "web").unwrap();
        assert!(release.not_ready.is_some());
        drop(planned);

        let right = toml(&ns, &repo.url(), "./charts/web");
        let applied = bench.up(&right).await;
        println!("{applied}");
        assert!(applied.detail("helm_release.web").is_some_and(|d| d.starts_with("web 0.1.0")), "{applied}");
        bench.settled(&right).await;

        // Destroyed: chart, records and inventory are gone before the source goes.
        let planned = bench.plan_destroy().await;
        let mark = plane.audit().mark();
        let applied = bench.apply(planned).await;
        assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
        assert_eq!(plane.get_json("helmchart", &ns, &format!("{ns}-web")), None);
        assert_eq!(plane.get_json("deployment", &ns, "web"), None);
        assert!(plane.get_json("configmap", &ns, "web-kept").is_some());
        let writes = plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&ns);
        let order: Vec<&str> = writes.iter().map(|w| w.resource.as_str()).collect();
        let at = |resource: &str| order.iter().position(|r| *r == resource).unwrap();
        assert!(at("helmreleases") < at("gitrepositories"), "{order:?}");
        assert!(writes.iter().all(|w| w.verb == "delete"), "{writes}");
    });
}

#[test]
fn an_application_of_an_aggregated_api_is_made_changed_and_deleted() {
    let Some(plane) = crate::plane(&[Part::Cozystack, Part::Flux, Part::Nodes]) else {
        return;
    };
    let ns = plane.create_namespace("tenant-aggregated");
    plane.serve_cozystack(support::ARRSTACK_DEFINITION, "arrstacks");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml = |host: &str| {
            format!(
                "[manifest.main]\napiVersion = \"apps.cozystack.io/v1alpha1\"\nkind = \"ArrStack\"\n\
                 namespace = \"{ns}\"\nwait = \"applied\"\nspec.domain = \"{host}\"\n"
            )
        };
        let mark = plane.audit().mark();
        let planned = bench.plan(&toml("a.example.org")).await;
        let written = plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&ns);
        assert_eq!(written.to_string(), "");
        let applied = bench.apply(planned).await;
        assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
        bench.settled(&toml("a.example.org")).await;
        bench.up(&toml("b.example.org")).await;
        let live = plane.get_json("arrstacks.apps.cozystack.io", &ns, "main").unwrap();
        assert_eq!(live["spec"]["domain"], "b.example.org");
        let planned = bench.plan_destroy().await;
        let applied = bench.apply(planned).await;
        assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
        assert_eq!(plane.get_json("arrstacks.apps.cozystack.io", &ns, "main"), None);
    });
}

/// A chart whose one pod never gets ready, in a release that gives up after a few seconds.
fn broken_release(ns: &str, url: &str) -> String {
    format!(
        r#"
[defaults]
namespace = "{ns}"
[git_repository.catalog]
spec.interval = "5m"
spec.url = "{url}"
spec.ref.branch = "main"
[helm_release.web]
timeout = "20s"
spec.interval = "5m"
[helm_release.web.spec.chart.spec]
chart = "./charts/web"
sourceRef = "${{git_repository.catalog.ref}}"
"#
    )
}

#[test]
fn a_release_that_does_not_get_ready_is_explained_down_to_the_container() {
    let Some(plane) = crate::plane(&[Part::Flux, Part::Nodes]) else {
        return;
    };
    let ns = plane.create_namespace("crash");
    let chart =
        CHART[1].1.replace("metadata: { labels: {", "metadata: { labels: { tests.arrplan.dev/pod: crash,");
    let repo = GitRepo::new(&[CHART[0], (CHART[1].0, &chart)]);
    run(async {
        let mut bench = Bench::new(plane, &ns).await;
        bench.timeout = None;
        let planned = bench.plan(&broken_release(&ns, &repo.url())).await;
        let applied = bench.apply(planned).await;
        let failure = applied.failure("helm_release.web");
        println!("{failure}");
        assert!(failure.starts_with("not ready after 20s"), "{failure}");
        assert!(failure.contains(&format!("Deployment {ns}/web: ")), "{failure}");
        assert!(failure.contains("container web CrashLoopBackOff"), "{failure}");
    });
}

#[test]
fn a_suspended_release_is_not_deleted() {
    let Some(plane) = crate::plane(&[Part::Flux, Part::Nodes]) else {
        return;
    };
    let ns = plane.create_namespace("suspended");
    let repo = GitRepo::new(CHART);
    run(async {
        let bench = Bench::new(plane, &ns).await;
        bench.up(&broken_release(&ns, &repo.url())).await;
        let planned = bench.plan_destroy().await;
        plane
            .kubectl(&[
                "-n",
                &ns,
                "patch",
                "helmrelease",
                "web",
                "--type=merge",
                "-p",
                "{\"spec\":{\"suspend\":true}}",
            ])
            .ok();
        let applied = bench.apply(planned).await;
        let failure = applied.failure("helm_release.web");
        assert!(failure.contains("is suspended: resume it first"), "{failure}");
        assert_eq!(applied.ends()["git_repository.catalog"], End::Skipped, "{applied}");
        assert!(plane.get_json("deployment", &ns, "web").is_some());
    });
}

//! What changes between a plan and its apply stops that change, and nothing else.

use std::time::Duration;

use arrplan::apply::{End, EventKind};
use arrplan::plan::Action;
use serde_json::{Value, json};
use support::ControlPlane;
use tokio_util::sync::CancellationToken;

use super::bench::{Bench, run};

fn maps(namespace: &str, data: &[(&str, &str)]) -> String {
    let maps = data.iter().map(|(name, rest)| format!("[config_map.{name}]\n{rest}\n"));
    format!("[defaults]\nnamespace = \"{namespace}\"\n{}", maps.collect::<String>())
}

fn uid(plane: &ControlPlane, namespace: &str, name: &str) -> String {
    plane.get_json("configmap", namespace, name).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
}

#[test]
fn what_somebody_made_meanwhile_is_not_overwritten() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("race-create");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml = maps(
            &ns,
            &[
                ("a", "data.k = \"ours\""),
                ("b", "depends_on = [\"config_map.a\"]\ndata.k = \"v\""),
                ("c", "data.k = \"v\""),
            ],
        );
        let planned = bench.plan(&toml).await;
        plane.create_config_map(&ns, "a", &[("k", "theirs")]);
        let applied = bench.apply(planned).await;
        let ends: Vec<End> = applied.ends().into_values().collect();
        assert_eq!(ends, [End::Failed, End::Skipped, End::Done], "{applied}");
        let failure = applied.failure("config_map.a");
        assert_eq!(failure, format!("ConfigMap {ns}/a was made by kubectl-create since the plan was made"));
        let cause = applied.events.iter().find_map(|event| match &event.kind {
            EventKind::Skipped { cause, .. } => Some(cause.to_string()),
            _ => None,
        });
        assert_eq!(cause.as_deref(), Some("config_map.a"));
        assert_eq!(plane.get_json("configmap", &ns, "a").unwrap()["data"]["k"], "theirs");
        let state = bench.state().await;
        let owned: Vec<String> = state.resources.keys().map(ToString::to_string).collect();
        assert_eq!(owned, ["config_map.c"]);
    });
}

#[test]
fn an_update_is_sent_again_only_while_what_decided_it_holds() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("race-update");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml = |value: &str| maps(&ns, &[("a", &format!("data.k = \"{value}\"\ndata.other = \"x\""))]);
        bench.up(&toml("1")).await;
        bench.settled(&toml("1")).await;

        // Only the resourceVersion moves: sent again.
        let planned = bench.plan(&toml("2")).await;
        plane.kubectl(&["-n", &ns, "annotate", "configmap", "a", "moved=1"]).ok();
        let applied = bench.apply(planned).await;
        assert_eq!(applied.outcome.summary.done, 1, "{applied}");
        assert_eq!(plane.get_json("configmap", &ns, "a").unwrap()["data"]["k"], "2");

        // A field of ours moves: stopped, and the difference said.
        let planned = bench.plan(&toml("3")).await;
        plane
            .kubectl(&[
                "-n",
                &ns,
                "patch",
                "configmap",
                "a",
                "--type=merge",
                "-p",
                "{\"data\":{\"other\":\"y\"}}",
            ])
            .ok();
        let applied = bench.apply(planned).await;
        assert_eq!(
            applied.failure("config_map.a"),
            format!(
                "ConfigMap {ns}/a was changed since the plan was made\ndata.other: \"x\" when planned, \"y\" now, by kubectl-patch\n\
                 data.other is held by \"kubectl-patch\" using v1"
            )
        );
        assert_eq!(plane.get_json("configmap", &ns, "a").unwrap()["data"]["k"], "2");

        // Planned anew it is drift, shown, and taken back by force.
        let planned = bench.plan(&toml("3")).await;
        let force = &planned.plan.changes[0].write.as_ref().unwrap().force;
        assert_eq!(force.len(), 1, "{force:?}");
        let applied = bench.apply(planned).await;
        assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
        let live = plane.get_json("configmap", &ns, "a").unwrap();
        assert_eq!(live["data"], json!({"k": "3", "other": "x"}));
        bench.settled(&toml("3")).await;
    });
}

#[test]
fn drift_that_moves_again_is_not_forced() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("race-drift");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml = maps(&ns, &[("a", "data.k = \"ours\"\ndata.l = \"ours\"")]);
        bench.up(&toml).await;
        let edit = |data: &str| {
            plane.kubectl(&["-n", &ns, "patch", "configmap", "a", "--type=merge", "-p", data]).ok();
        };
        edit("{\"data\":{\"k\":\"theirs\"}}");
        let planned = bench.plan(&toml).await;
        edit("{\"data\":{\"k\":\"again\"}}");
        let applied = bench.apply(planned).await;
        assert_eq!(applied.ends().into_values().collect::<Vec<_>>(), [End::Failed], "{applied}");
        assert_eq!(plane.get_json("configmap", &ns, "a").unwrap()["data"]["k"], "again");

        // A second field taken by another manager: more than was shown.
        let planned = bench.plan(&toml).await;
        edit("{\"data\":{\"l\":\"theirs\"}}");
        let applied = bench.apply(planned).await;
        assert_eq!(applied.ends().into_values().collect::<Vec<_>>(), [End::Failed], "{applied}");
        assert_eq!(plane.get_json("configmap", &ns, "a").unwrap()["data"]["k"], "again");
    });
}

#[test]
fn another_object_of_the_same_name_is_left_alone() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("race-recreate");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml =
            |value: &str| maps(&ns, &[("a", &format!("data.k = \"{value}\"")), ("b", "data.k = \"v\"")]);
        bench.up(&toml("1")).await;
        let recreate = |name: &str| {
            plane.kubectl(&["-n", &ns, "delete", "configmap", name]).ok();
            plane.create_config_map(&ns, name, &[("k", "theirs")]);
        };

        let planned = bench.plan(&toml("2")).await;
        recreate("a");
        let applied = bench.apply(planned).await;
        let failure = applied.failure("config_map.a");
        assert!(failure.contains("another object"), "{failure}");
        assert_eq!(plane.get_json("configmap", &ns, "a").unwrap()["data"]["k"], "theirs");

        // The same for a delete.
        let planned = bench.plan_destroy().await;
        let before = uid(plane, &ns, "b");
        recreate("b");
        let applied = bench.apply(planned).await;
        let failure = applied.failure("config_map.b");
        assert!(failure.contains("another object"), "{failure}");
        assert_ne!(uid(plane, &ns, "b"), before);
    });
}

#[test]
fn a_delete_names_uid_and_version_and_ends_when_the_object_is_gone() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("delete");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml =
            maps(&ns, &[("a", "data.k = \"1\""), ("b", "depends_on = [\"config_map.a\"]\ndata.k = \"1\"")]);
        bench.up(&toml).await;
        let live = plane.get_json("configmap", &ns, "a").unwrap();
        let mark = plane.audit().mark();
        let planned = bench.plan_destroy().await;
        assert_eq!(
            planned.actions(),
            [("config_map.b".to_owned(), Action::Delete), ("config_map.a".to_owned(), Action::Delete)]
        );
        let applied = bench.apply(planned).await;
        assert_eq!(applied.outcome.summary.done, 2, "{applied}");
        assert!(applied.outcome.state.resources.is_empty());
        let writes = plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&ns);
        let deletes: Vec<(String, Value)> = writes.iter().map(|w| (w.name.clone(), w.body.clone())).collect();
        assert_eq!(deletes.len(), 2, "{writes}");
        assert_eq!((deletes[0].0.as_str(), deletes[1].0.as_str()), ("b", "a"));
        assert_eq!(deletes[1].1["preconditions"]["uid"], live["metadata"]["uid"]);
        assert_eq!(deletes[1].1["preconditions"]["resourceVersion"], live["metadata"]["resourceVersion"]);
        assert_eq!(deletes[1].1["propagationPolicy"], "Background");
        assert_eq!(plane.get_json("configmap", &ns, "a"), None);
    });
}

#[test]
fn a_finalizer_is_named_and_never_touched() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("finalizer");
    run(async {
        let mut bench = Bench::new(plane, &ns).await;
        let toml = maps(&ns, &[("a", "metadata.finalizers = [\"example.org/hold\"]\ndata.k = \"1\"")]);
        bench.up(&toml).await;
        let planned = bench.plan_destroy().await;
        bench.timeout = Some(Duration::from_secs(2));
        let applied = bench.apply(planned).await;
        bench.timeout = None;
        let failure = applied.failure("config_map.a");
        assert!(failure.contains("held by example.org/hold"), "{failure}");
        // It is on its way: the next run finds it gone and says nothing of a failure.
        assert!(bench.state().await.resources.len() == 1);
        plane
            .kubectl(&[
                "-n",
                &ns,
                "patch",
                "configmap",
                "a",
                "--type=merge",
                "-p",
                "{\"metadata\":{\"finalizers\":null}}",
            ])
            .ok();
        let planned = bench.plan_destroy().await;
        let applied = bench.apply(planned).await;
        assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
        assert!(bench.state().await.resources.is_empty());
    });
}

#[test]
fn what_came_into_a_namespace_after_the_plan_stops_its_delete() {
    let Some(plane) = crate::plane(&[support::Part::Controllers]) else {
        return;
    };
    let ns = plane.namespace("content");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml = format!("[namespace.{ns}]\n[config_map.a]\nnamespace = \"{ns}\"\ndata.k = \"1\"\n");
        bench.up(&toml).await;
        let planned = bench.plan_destroy().await;
        plane.create_config_map(&ns, "late", &[("k", "1")]);
        let applied = bench.apply(planned).await;
        let failure = applied.failure(&format!("namespace.{ns}"));
        assert!(failure.contains(&format!("ConfigMap {ns}/late")), "{failure}");
        assert!(plane.get_json("configmap", &ns, "late").is_some());

        plane.kubectl(&["-n", &ns, "delete", "configmap", "late"]).ok();
        let planned = bench.plan_destroy().await;
        let applied = bench.apply(planned).await;
        assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
        assert_eq!(plane.get_json("namespace", "", &ns), None);
    });
}

#[test]
fn adoption_takes_fields_over_so_that_they_can_be_removed_later() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("adopt");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        plane.create_config_map(&ns, "a", &[("k", "1"), ("theirs", "1")]);
        let both = maps(&ns, &[("a", "data.k = \"2\"\ndata.l = \"1\"")]);
        let planned = bench.plan(&both).await;
        assert_eq!(planned.actions(), [("config_map.a".to_owned(), Action::Adopt)]);
        let applied = bench.apply(planned).await;
        assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
        let live = plane.get_json("configmap", &ns, "a").unwrap();
        assert_eq!(live["data"], json!({"k": "2", "l": "1", "theirs": "1"}));
        bench.settled(&both).await;
        bench.up(&maps(&ns, &[("a", "data.l = \"1\"")])).await;
        let live = plane.get_json("configmap", &ns, "a").unwrap();
        assert_eq!(live["data"], json!({"l": "1", "theirs": "1"}));
    });
}

#[test]
fn nothing_of_us_stays_in_what_is_forgotten() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("forget");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml = maps(&ns, &[("a", "data.k = \"1\""), ("b", "data.k = \"1\"")]);
        bench.up(&toml).await;
        let rest = maps(&ns, &[("b", "data.k = \"1\"")]);
        let rest = format!("{rest}\n[[removed]]\nresource = \"config_map.a\"\ndestroy = false\n");
        let applied = bench.up(&rest).await;
        assert_eq!(applied.detail("config_map.a").as_deref(), Some("stays, owned by nobody"));
        let live = plane.get_json("configmap", &ns, "a").unwrap();
        assert_eq!(live["data"], json!({"k": "1"}));
        let metadata = live["metadata"].as_object().unwrap();
        for field in ["labels", "annotations", "managedFields"] {
            assert_eq!(metadata.get(field), None, "{live:#}");
        }
        assert_eq!(bench.state().await.resources.len(), 1);
    });
}

#[test]
fn a_replace_is_a_delete_and_a_create_with_dependents_after_it() {
    let Some(plane) = crate::plane(&[support::Part::Nodes]) else {
        return;
    };
    let ns = plane.create_namespace("replace");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml = |label: &str| {
            format!(
                "[defaults]\nnamespace = \"{ns}\"\n\
                 [deployment.web]\non_immutable = \"replace\"\nspec.selector.matchLabels.app = \"{label}\"\n\
                 spec.template.metadata.labels.app = \"{label}\"\n\
                 [[deployment.web.spec.template.spec.containers]]\nname = \"web\"\nimage = \"example.org/web:1\"\n\
                 [config_map.after]\ndepends_on = [\"deployment.web\"]\ndata.label = \"{label}\"\n"
            )
        };
        bench.up(&toml("one")).await;
        let before = plane.get_json("deployment", &ns, "web").unwrap()["metadata"]["uid"].clone();
        let planned = bench.plan(&toml("two")).await;
        assert_eq!(planned.actions()[0], ("deployment.web".to_owned(), Action::Replace));
        let mark = plane.audit().mark();
        let applied = bench.apply(planned).await;
        assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
        let writes = plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&ns);
        let order: Vec<(&str, &str)> = writes.iter().map(|w| (w.verb.as_str(), w.name.as_str())).collect();
        assert_eq!(order, [("delete", "web"), ("patch", "web"), ("patch", "after")]);
        let after = plane.get_json("deployment", &ns, "web").unwrap()["metadata"]["uid"].clone();
        assert_ne!(before, after);
        bench.settled(&toml("two")).await;
    });
}

#[test]
fn an_interrupt_ends_waits_at_once_and_the_next_run_goes_on() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("interrupt");
    run(async {
        let mut bench = Bench::new(plane, &ns).await;
        let toml = maps(
            &ns,
            &[
                ("a", "wait = { cel = \"data.k == 'never'\" }\ndata.k = \"1\""),
                ("b", "depends_on = [\"config_map.a\"]\ndata.k = \"1\""),
            ],
        );
        let planned = bench.plan(&toml).await;
        let cancel = bench.cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.cancel();
        });
        let applied = bench.apply(planned).await;
        assert!(applied.took.as_secs() < 5, "{applied}");
        assert_eq!(applied.outcome.summary.interrupted, 2, "{applied}");
        let written: Vec<bool> = applied
            .events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::Interrupted { written, .. } => Some(written),
                _ => None,
            })
            .collect();
        assert!(written.contains(&true) && written.contains(&false), "{applied}");
        assert_eq!(bench.state().await.resources.len(), 1);
        bench.cancel = CancellationToken::new();
        let toml = toml.replace("'never'", "'1'");
        bench.up(&toml).await;
        bench.settled(&toml).await;
    });
}

//! Claims: deleted after their last pod, by the real controllers' own rules.

use std::time::Duration;

use arrplan::apply::EventKind;
use serde_json::json;
use support::Part;

use super::bench::{Bench, run};

#[test]
fn a_claim_goes_after_its_last_pod() {
    let Some(plane) = crate::plane(&[Part::Storage]) else {
        return;
    };
    let ns = plane.create_namespace("claim");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml = format!(
            "[persistent_volume_claim.data]\nnamespace = \"{ns}\"\nspec.accessModes = [\"ReadWriteOnce\"]\n\
             spec.storageClassName = \"replicated\"\nspec.resources.requests.storage = \"1Gi\"\n"
        );
        let applied = bench.up(&toml).await;
        assert_eq!(applied.detail("persistent_volume_claim.data").as_deref(), Some("Bound"));
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "user", "namespace": ns},
            "spec": {
                "containers": [{"name": "a", "image": "example.org/a:1"}],
                "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
            },
        });
        plane.create(&pod.to_string());
        let planned = bench.plan_destroy().await;
        let mark = plane.audit().mark();
        let applied = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_secs(2));
                plane.kubectl(&["-n", &ns, "delete", "pod", "user", "--grace-period=0", "--force"]).ok();
            });
            let runtime = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| runtime.block_on(bench.apply(planned)))
        });
        assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
        let waited = applied
            .events
            .iter()
            .any(|event| matches!(&event.kind, EventKind::Waiting { what, .. } if what == "mounted by user"));
        assert!(waited, "{applied}");
        let writes = plane.audit().writes_since(mark).in_namespace(&ns);
        let at = |resource: &str, user: &str| {
            writes
                .iter()
                .find(|w| w.resource == resource && w.verb == "delete" && w.user == user)
                .unwrap_or_else(|| panic!("{writes}"))
                .received
                .clone()
        };
        assert!(at("pods", "admin") < at("persistentvolumeclaims", "arrplan"), "{writes}");
        assert_eq!(plane.get_json("pvc", &ns, "data"), None);
    });
}

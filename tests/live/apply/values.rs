//! Values that are known only at apply, kinds that come with the plan, objects of others that are waited for.

use arrplan::apply::End;
use base64::Engine as _;

use super::bench::{Bench, run};

#[test]
fn generated_secrets_and_uids_are_filled_in_after_their_home() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("fill");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml = format!(
            "[defaults]\nnamespace = \"{ns}\"\n\
             [variables.key]\nsecret = true\nfrom = {{ generate = {{ length = 24, charset = \"hex\" }} }}\n\
             [secret.home]\nstringData.key = \"${{var.key}}\"\n\
             [secret.user]\nstringData.line = \"token=${{var.key}} of ${{secret.home.uid}}\"\n\
             [config_map.map]\ndata.uid = \"${{secret.home.uid}}\"\n"
        );
        bench.up(&toml).await;
        let home = plane.get_json("secret", &ns, "home").unwrap();
        let user = plane.get_json("secret", &ns, "user").unwrap();
        let map = plane.get_json("configmap", &ns, "map").unwrap();
        let plain = |value: &serde_json::Value| {
            let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let key = plain(&home["data"]["key"]);
        let uid = home["metadata"]["uid"].as_str().unwrap();
        assert_eq!(key.len(), 24);
        assert_eq!(plain(&user["data"]["line"]), format!("token={key} of {uid}"));
        assert_eq!(map["data"]["uid"], uid);
        bench.settled(&toml).await;

        // A consumer that comes later reads the value from its home.
        let toml = format!("{toml}[secret.late]\nstringData.key = \"again ${{var.key}}\"\n");
        bench.up(&toml).await;
        let late = plane.get_json("secret", &ns, "late").unwrap();
        assert_eq!(plain(&late["data"]["key"]), format!("again {key}"));
    });
}

#[test]
fn a_custom_resource_waits_until_its_kind_is_served() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("kind");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml = format!(
            r#"
[custom_resource_definition.gadgets]
name = "gadgets.{ns}.example.org"
spec.group = "{ns}.example.org"
spec.scope = "Namespaced"
spec.names = {{ plural = "gadgets", singular = "gadget", kind = "Gadget", listKind = "GadgetList" }}
[[custom_resource_definition.gadgets.spec.versions]]
name = "v1"
served = true
storage = true
schema.openAPIV3Schema = {{ type = "object", properties = {{ spec = {{ type = "object", properties = {{ size = {{ type = "integer" }} }} }} }} }}

[manifest.gadget]
apiVersion = "{ns}.example.org/v1"
kind = "Gadget"
namespace = "{ns}"
spec.size = 3
"#
        );
        let applied = bench.up(&toml).await;
        assert_eq!(applied.outcome.summary.done, 2, "{applied}");
        bench.settled(&toml).await;
        let planned = bench.plan_destroy().await;
        let applied = bench.apply(planned).await;
        assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
        assert_eq!(plane.get_json("crd", "", &format!("gadgets.{ns}.example.org")), None);
    });
}

#[test]
fn existing_objects_are_waited_for() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("existing");
    run(async {
        let bench = Bench::new(plane, &ns).await;
        let toml = format!(
            "[defaults]\nnamespace = \"{ns}\"\n\
             [existing.config_map.theirs]\nnamespace = \"{ns}\"\ntimeout = \"2s\"\n\
             [config_map.ours]\ndata.copy = \"${{existing.config_map.theirs.data.k}}\"\n\
             [config_map.alone]\ndata.k = \"1\"\n"
        );
        let planned = bench.plan(&toml).await;
        let applied = bench.apply(planned).await;
        let ends: Vec<End> = applied.ends().into_values().collect();
        assert_eq!(ends, [End::Done, End::Failed], "{applied}");
        let failure = applied.failure("config_map.ours");
        assert!(failure.starts_with("existing.config_map.theirs is not ready"), "{failure}");

        let toml = toml.replace("2s", "30s");
        let planned = bench.plan(&toml).await;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_secs(1));
                plane.create_config_map(&ns, "theirs", &[("k", "found")]);
            });
            let runtime = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| {
                let applied = runtime.block_on(bench.apply(planned));
                assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
            });
        });
        assert_eq!(plane.get_json("configmap", &ns, "ours").unwrap()["data"]["copy"], "found");
    });
}

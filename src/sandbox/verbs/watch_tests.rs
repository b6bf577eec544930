use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::list::list;
use super::list_params::ListParams;
use super::watch::{Watch, watch};
use crate::sandbox::resource::Resource;
use crate::sandbox::server::{Server, Source};
use crate::sandbox::storage::{Key, Storage};

/// A server in memory and its `ConfigMaps`.
struct Place {
    server: Arc<Server>,
    resource: Arc<Resource>,
}

impl Place {
    fn new() -> Self {
        let server = Server::new(Storage::in_memory(), Source::default(), "127.0.0.1:1".into(), None);
        let resource = server.registry.find("", "v1", "configmaps").expect("they are served");
        Self { server: Arc::new(server), resource }
    }

    /// Writes an object, past all verbs.
    async fn put(&self, name: &str, label: &str) -> u64 {
        let key = Key {
            group: String::new(),
            plural: "configmaps".into(),
            namespace: "n".into(),
            name: name.into(),
        };
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "n", "labels": {"l": label}},
        });
        let expected = self.server.storage.get(&key).map(|stored| stored.revision);
        self.server.storage.commit(&key, expected, Some(object)).await.expect("nobody else writes").revision
    }

    fn params(&self, query: &str) -> ListParams {
        let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let get = |wanted: &str| pairs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        ListParams::parse(&self.resource, get).expect("good parameters")
    }

    async fn watch(&self, query: &str) -> Watch {
        let params = self.params(&format!("watch=1&{query}"));
        let (server, resource) = (Arc::clone(&self.server), Arc::clone(&self.resource));
        watch(server, resource, Some("n".into()), params).await.expect("a watch")
    }

    async fn list(&self, query: &str) -> Result<Value, Value> {
        let listed = list(&self.server, &self.resource, Some("n"), &self.params(query)).await;
        listed.map(|listed| listed.to_value()).map_err(|error| error.to_status())
    }
}

/// `ADDED a`, and for bookmarks how many seconds after the beginning they came.
async fn all(mut watch: Watch) -> Vec<String> {
    let begun = Instant::now();
    let mut told = Vec::new();
    while let Some(event) = watch.next().await {
        let name = event.object["metadata"]["name"].as_str().unwrap_or_default();
        told.push(match event.kind {
            "BOOKMARK" => format!("BOOKMARK after {}", begun.elapsed().as_secs()),
            "ERROR" => format!("ERROR {}", event.object["message"]),
            kind => format!("{kind} {name}"),
        });
    }
    told.push(format!("end after {}", begun.elapsed().as_secs()));
    told
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_every_minute_and_before_the_end_and_only_with_news() {
    let place = Place::new();
    let start = place.put("a", "x").await;
    let quiet =
        place.watch(&format!("allowWatchBookmarks=1&timeoutSeconds=150&resourceVersion={start}")).await;
    assert_eq!(all(quiet).await, ["end after 150"]);
    let watch =
        place.watch(&format!("allowWatchBookmarks=1&timeoutSeconds=150&resourceVersion={start}")).await;
    place.put("b", "x").await;
    let told = ["ADDED b", "BOOKMARK after 60", "BOOKMARK after 120", "BOOKMARK after 148", "end after 150"];
    assert_eq!(all(watch).await, told);
    let without = place.watch(&format!("timeoutSeconds=150&resourceVersion={start}")).await;
    assert_eq!(all(without).await, ["ADDED b", "end after 150"]);
    let short = place.watch(&format!("allowWatchBookmarks=1&timeoutSeconds=1&resourceVersion={start}")).await;
    assert_eq!(all(short).await, ["ADDED b", "end after 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_a_limit_ends_some_time() {
    let place = Place::new();
    let start = place.put("a", "x").await;
    assert_eq!(all(place.watch(&format!("resourceVersion={start}")).await).await, ["end after 2700"]);
    assert_eq!(all(place.watch("timeoutSeconds=-1").await).await.last(), Some(&"end after 0".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_change_wakes_a_watch_at_once() {
    let place = Place::new();
    let start = place.put("a", "x").await;
    let watch = place.watch(&format!("timeoutSeconds=100&labelSelector=l=y&resourceVersion={start}")).await;
    let told = tokio::spawn(all(watch));
    tokio::time::sleep(Duration::from_secs(30)).await;
    for label in ["y", "y", "x", "y"] {
        place.put("a", label).await;
    }
    place.put("b", "x").await;
    let told = told.await.expect("no panic");
    assert_eq!(told, ["ADDED a", "MODIFIED a", "DELETED a", "ADDED a", "end after 100"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_of_the_future_is_waited_for_three_seconds() {
    let place = Place::new();
    let start = place.put("a", "x").await;
    let next = start + 1;
    let begun = Instant::now();
    let refused = place.list(&format!("resourceVersion={next}")).await.expect_err("it does not come");
    assert_eq!((begun.elapsed(), &refused["code"]), (Duration::from_secs(3), &json!(504)));
    let message = format!("Timeout: Too large resource version: {next}, current: {start}");
    assert_eq!(refused["message"], message);
    let query = format!("resourceVersion={next}&sendInitialEvents=1&resourceVersionMatch=NotOlderThan");
    assert_eq!(
        all(place.watch(&query).await).await,
        [format!("ERROR \"{message}\""), "end after 0".to_owned()]
    );
    let listed = async { place.list(&format!("resourceVersion={next}")).await };
    let later = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        place.put("b", "x").await
    };
    let (listed, _) = tokio::join!(listed, later);
    assert_eq!(listed.expect("it came")["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_gone_and_a_list_can_go_on_all_the_same() {
    let place = Place::new();
    let start = place.put("a", "x").await;
    place.put("b", "x").await;
    let page = place.list("limit=1").await.expect("a page");
    let token = page["metadata"]["continue"].as_str().expect("there is more").to_owned();
    let slow = place.watch(&format!("resourceVersion={start}")).await;
    for _ in 0..10_001 {
        place.put("c", "x").await;
    }
    let oldest = place.server.storage.revision() - 10_000;
    let watch = place.watch(&format!("resourceVersion={start}")).await;
    let gone = format!("ERROR \"too old resource version: {start} ({oldest})\"");
    assert_eq!(all(watch).await, [gone, "end after 0".to_owned()]);
    assert_eq!(all(slow).await, ["end after 0"], "a watch that was too slow ends");
    let exact = place.list(&format!("resourceVersionMatch=Exact&resourceVersion={start}")).await;
    let exact = exact.expect_err("forgotten");
    assert_eq!((&exact["code"], &exact["reason"]), (&json!(410), &json!("Expired")));
    assert_eq!(exact["message"], "The resourceVersion for the provided list is too old.");
    let expired = place.list(&format!("limit=1&continue={token}")).await.expect_err("forgotten");
    assert_eq!((&expired["code"], &expired["details"]), (&json!(410), &Value::Null));
    let token = expired["metadata"]["continue"].as_str().expect("a token for now");
    let rest = place.list(&format!("continue={token}")).await.expect("the rest as it is now");
    let names: Vec<&Value> =
        rest["items"].as_array().expect("items").iter().map(|item| &item["metadata"]["name"]).collect();
    assert_eq!(names, ["b", "c"]);
}

#[test]
fn a_list_is_written_as_its_value_is() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let place = Place::new();
        place.put("a", "x").await;
        let listed =
            list(&place.server, &place.resource, Some("n"), &ListParams::default()).await.expect("a list");
        assert_eq!(serde_json::to_value(&listed).expect("JSON"), listed.to_value());
        assert_eq!(listed.to_value()["items"][0].get("kind"), None);
    });
}

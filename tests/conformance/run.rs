//! Runs one case against one server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::case::{Case, Events, Step, Until};
use crate::fill::Known;
use crate::normal::Labels;
use crate::server::{Answer, Ask, Server, Watch};

/// How long a watch collects, and `until` asks, where a step does not say.
const WITHIN: Duration = Duration::from_secs(15);
const INITIAL_EVENTS_END: &str = "/object/metadata/annotations/k8s.io~1initial-events-end";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// What a case gave; `None` of a server that was not asked.
#[derive(Debug)]
pub(crate) struct Both {
    /// kube-apiserver.
    pub(crate) real: Option<Vec<Exchange>>,
    /// The sandbox.
    pub(crate) sandbox: Option<Vec<Exchange>>,
}

/// A request and its answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Index of the step; `None` for what the runner does by itself.
    pub(crate) step: Option<usize>,
    /// As it went out.
    pub(crate) ask: Ask,
    /// As it came.
    pub(crate) answer: Answer,
    /// As it is compared.
    pub(crate) shown: Value,
}

struct Runner<'a> {
    server: &'a Server,
    known: Known,
    labels: Labels,
    watches: BTreeMap<String, (Ask, Watch)>,
    exchanges: Vec<Exchange>,
    definitions: BTreeSet<String>,
}

/// Runs it. Where an answer is not what later steps need, they run all the same.
pub(crate) async fn run(server: &Server, case: &Case) -> Vec<Exchange> {
    let mut runner = Runner {
        server,
        known: Known::new(&case.id),
        labels: Labels::default(),
        watches: BTreeMap::new(),
        exchanges: Vec::new(),
        definitions: BTreeSet::new(),
    };
    if case.needs_namespace {
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": case.id } });
        let ask = runner.plain("POST", "/api/v1/namespaces", Some(&object));
        let answer = server.ask(&ask).await;
        runner.note(None, ask, answer);
    }
    for (index, step) in case.steps.iter().enumerate() {
        let mut last = Value::Null;
        for number in 1..=step.times.unwrap_or(1) {
            runner.known.number = number;
            last = runner.step(index, step).await;
        }
        runner.known.push(step.label.as_deref(), &last);
    }
    // A server that goes on slows down with every definition it holds. One of our own does not last, and a definition whose objects
    // have finalizers would hold up the end of others.
    let lasts = std::env::var_os("ARRPLAN_CONFORMANCE_REAL").is_some();
    for name in runner.definitions.iter().filter(|_| lasts) {
        let ask = runner.plain("DELETE", &format!("{DEFINITIONS}/{name}"), None);
        server.ask(&ask).await;
    }
    runner.exchanges
}

impl Runner<'_> {
    async fn step(&mut self, index: usize, step: &Step) -> Value {
        if let Some(version) = &step.crd {
            return self.define(index, version).await;
        }
        if let Some(path) = &step.watch {
            return self.watch(index, step, path).await;
        }
        if let (Some(name), Some(events)) = (&step.collect, &step.events) {
            return match self.watches.remove(name) {
                Some((ask, mut watch)) => {
                    let answer = collect(&mut watch, events, limit(step)).await;
                    self.watches.insert(name.clone(), (ask.clone(), watch));
                    self.note(Some(index), ask, answer)
                }
                None => self.note(Some(index), Ask::default(), Answer::none("this watch is not open")),
            };
        }
        let (method, path) =
            step.request.as_deref().and_then(|line| line.split_once(' ')).unwrap_or_default();
        let ask = self.compose(step, method, path.trim());
        let answer = self.ask_until(&ask, step).await;
        self.note(Some(index), ask, answer)
    }

    async fn ask_until(&mut self, ask: &Ask, step: &Step) -> Answer {
        let wanted = step.until.as_ref().map(|tree| self.known.fill_tree(tree));
        let started = Instant::now();
        let mut pause = Duration::from_millis(10);
        loop {
            let answer = self.server.ask(ask).await;
            let holds = wanted.as_ref().is_none_or(|wanted| contains(&answer.body, wanted))
                && step.until_status.is_none_or(|status| status == answer.status);
            if holds || started.elapsed() > limit(step) {
                return answer;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    async fn watch(&mut self, index: usize, step: &Step, path: &str) -> Value {
        let ask = self.compose(step, "GET", path);
        let mut watch = match self.server.watch(&ask).await {
            Ok(watch) => watch,
            Err(answer) => return self.note(Some(index), ask, answer),
        };
        let answer = match &step.events {
            Some(events) => collect(&mut watch, events, limit(step)).await,
            None => watch.head.clone(),
        };
        if let Some(name) = &step.label {
            self.watches.insert(name.clone(), (ask.clone(), watch));
        }
        self.note(Some(index), ask, answer)
    }

    /// Makes the definition of `widgets.{id}.example.com` and waits until its objects are served.
    async fn define(&mut self, index: usize, version: &Value) -> Value {
        let group = format!("{}.example.com", self.known.id);
        let mut version = self.known.fill_tree(version);
        let more = version.as_object_mut().and_then(|version| version.remove("spec"));
        if version["schema"].get("openAPIV3Schema").is_none() {
            version["schema"] = json!({ "openAPIV3Schema": version["schema"] });
        }
        let mut first = json!({ "name": "v1", "served": true, "storage": true });
        merge(&mut first, version);
        let mut spec = json!({
            "group": group,
            "scope": "Namespaced",
            "names": { "plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList" },
            "versions": [first],
        });
        merge(&mut spec, more.unwrap_or_default());
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("widgets.{group}") },
            "spec": spec,
        });
        let ask = self.plain("POST", DEFINITIONS, Some(&definition));
        let answer = self.server.ask(&ask).await;
        self.note(Some(index), ask, answer);
        let established = Step {
            until: Some(json!({ "status": { "conditions": [{ "type": "Established", "status": "True" }] } })),
            ..Step::default()
        };
        let ask = self.plain("GET", &format!("{DEFINITIONS}/widgets.{group}"), None);
        let answer = self.ask_until(&ask, &established).await;
        let definition = self.note(Some(index), ask, answer);
        let served = Step { until_status: Some(200), ..Step::default() };
        let version = spec["versions"][0]["name"].as_str().unwrap_or("v1");
        let ask = self.plain("GET", &format!("/apis/{group}/{version}/widgets"), None);
        let answer = self.ask_until(&ask, &served).await;
        self.note(Some(index), ask, answer);
        definition
    }

    fn compose(&self, step: &Step, method: &str, path: &str) -> Ask {
        let body = match (&step.raw, &step.body) {
            (Some(raw), _) => self.known.fill(raw).into_bytes(),
            (None, Some(tree)) => self.known.fill_tree(tree).to_string().into_bytes(),
            (None, None) => Vec::new(),
        };
        let content_type = match (step.content_type.as_deref(), method) {
            (Some("none"), _) => None,
            (Some("apply"), _) => Some("application/apply-patch+yaml"),
            (Some("merge"), _) => Some("application/merge-patch+json"),
            (Some("json-patch"), _) => Some("application/json-patch+json"),
            (Some("strategic"), _) => Some("application/strategic-merge-patch+json"),
            (Some("yaml"), _) => Some("application/yaml"),
            (Some("json"), _) => Some("application/json"),
            (Some(other), _) => Some(other),
            (None, _) if body.is_empty() => None,
            (None, _) => Some("application/json"),
        };
        let mut headers: Vec<(String, String)> =
            step.headers.iter().map(|(name, value)| (name.clone(), self.known.fill(value))).collect();
        let has = |headers: &[(String, String)], wanted: &str| {
            headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        if let Some(content_type) = content_type.filter(|_| !has(&headers, "content-type")) {
            headers.push(("Content-Type".into(), content_type.into()));
        }
        if !has(&headers, "accept") {
            headers.push(("Accept".into(), "application/json".into()));
        }
        if !has(&headers, "accept-encoding") {
            // A compressed watch does not come event by event.
            headers.push(("Accept-Encoding".into(), "identity".into()));
        }
        if !has(&headers, "user-agent") {
            headers.push(("User-Agent".into(), "conformance/1.0".into()));
        }
        Ask { method: method.to_owned(), path: encoded(&self.known.fill(path)), headers, body }
    }

    fn plain(&self, method: &str, path: &str, body: Option<&Value>) -> Ask {
        self.compose(&Step { body: body.cloned(), ..Step::default() }, method, path)
    }

    fn note(&mut self, step: Option<usize>, ask: Ask, answer: Answer) -> Value {
        let body = answer.body.clone();
        if body["kind"] == "CustomResourceDefinition" && answer.status < 300 {
            self.definitions.extend(body["metadata"]["name"].as_str().map(str::to_owned));
        }
        self.labels.sent(&ask);
        let shown = self.labels.show(&answer);
        self.exchanges.push(Exchange { step, ask, answer, shown });
        body
    }
}

fn limit(step: &Step) -> Duration {
    step.within.map_or(WITHIN, Duration::from_secs)
}

/// Events as the answer's body. Bookmarks are left out but for the one that ends the initial events: when the others come is the
/// server's choice.
async fn collect(watch: &mut Watch, events: &Events, limit: Duration) -> Answer {
    let mut collected: Vec<Value> = Vec::new();
    let deadline = tokio::time::Instant::now() + limit;
    let mut counted = 0;
    while *events != Events::Count(counted) {
        let event = match tokio::time::timeout_at(deadline, watch.next()).await {
            Ok(Some(event)) => event,
            Ok(None) => {
                if *events != Events::Until(Until::End) {
                    collected.push("the answer ended".into());
                }
                break;
            }
            Err(_) => {
                collected.push("nothing more in time".into());
                break;
            }
        };
        let ends_initial = event.pointer(INITIAL_EVENTS_END).is_some();
        if event["type"] == "BOOKMARK" && !ends_initial {
            continue;
        }
        counted += usize::from(!ends_initial);
        let broken = event.is_string();
        collected.push(event);
        if broken || (ends_initial && *events == Events::Until(Until::Initial)) {
            break;
        }
    }
    Answer { body: Value::Array(collected), ..watch.head.clone() }
}

/// Whether `wanted` is in `value`: a map has these keys, a list such elements, in any order.
fn contains(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(map), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| map.get(key).is_some_and(|value| contains(value, wanted)))
        }
        (Value::Array(items), Value::Array(wanted)) => {
            wanted.iter().all(|wanted| items.iter().any(|item| contains(item, wanted)))
        }
        (value, wanted) => value == wanted,
    }
}

fn merge(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (base, more) => *base = more,
    }
}

/// Percent-encodes what may not stand in a request line.
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        let plain = byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        if plain {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

//! Random sequences of requests, sent to both servers: every answer, every event of a watch, and so the objects and
//! `managedFields` they end in, are the same.
//!
//! ```text
//! cargo test --test conformance differential            # a slice: the same seeds every time
//! ARRPLAN_SOAK=1 …                                      # 2,000 sequences of new seeds
//! ARRPLAN_SEED=42 …                                     # one seed; with ARRPLAN_SOAK, from that seed on
//! ```
//!
//! A sequence that ends differently is made as short as it can be and still does, and printed with its seed.

mod objects;
mod random;
mod steps;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::normal::Labels;
use crate::report::{self, say};
use crate::server::{self, Answer, Ask, Server};
use objects::definition;
use steps::{Sequence, Step, sequence};

/// Sequences of a plain test run, about 40 seconds of them.
const SLICE: u64 = 150;
/// Sequences of a soak run.
const SOAK: u64 = 2_000;
/// Sequences that run at the same time.
const PARALLEL: usize = 6;
/// The last object of every sequence: its event ends the watch.
const END: &str = "the-end";
/// Runs that making a sequence shorter may take.
const ATTEMPTS: usize = 60;

#[test]
fn random_sequences_end_alike_on_both_servers() {
    let Some(servers) = server::servers() else { return };
    let (Some(real), Some(sandbox)) = (&servers.real, &servers.sandbox) else { return };
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, count) = match (support::soak(), number("ARRPLAN_SEED")) {
        (false, Some(seed)) => (seed, 1),
        (true, Some(seed)) => (seed, SOAK),
        (true, None) => (new_seed(), SOAK),
        (false, None) => (1, SLICE),
    };
    let both = Both { real, sandbox, group: format!("diff-{}.example.com", std::process::id()) };
    let started = Instant::now();
    say(&format!("sequences of seeds {first} to {}\n", first + count - 1));
    server::block_on(both.define());
    let runs =
        futures::stream::iter(first..first + count).map(|seed| both.run(seed)).buffer_unordered(PARALLEL);
    let outcomes = server::block_on(runs.collect::<Vec<_>>());
    let mut failed: Vec<&Difference> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    failed.sort_by_key(|difference| difference.seed);
    for difference in failed.iter().take(5) {
        say(&server::block_on(both.shortened(difference)));
    }
    let equal = || outcomes.iter().filter_map(|outcome| outcome.as_ref().ok());
    let requests: usize = equal().map(|(requests, _)| requests).sum();
    let again = equal().filter(|(_, again)| *again).count();
    say(&format!(
        "sequences: {}, equal: {} (of which run twice: {again}), different: {}; requests of the equal ones: {requests}; \
         {:.1} s\n",
        outcomes.len(),
        outcomes.len() - failed.len(),
        failed.len(),
        started.elapsed().as_secs_f64(),
    ));
    server::block_on(both.forget());
    assert_eq!(u64::try_from(outcomes.len()), Ok(count), "every sequence ran");
    let seeds: Vec<u64> = failed.iter().map(|difference| difference.seed).collect();
    assert_eq!(seeds, [] as [u64; 0], "seeds of sequences that end differently");
    assert!(again * 50 <= outcomes.len(), "{again} sequences had to be run twice");
}

fn new_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a time after 1970").as_secs() * 10_000
}

struct Both<'s> {
    real: &'s Server,
    sandbox: &'s Server,
    group: String,
}

/// The first answer that is not the same.
#[derive(Debug)]
struct Difference {
    seed: u64,
    sequence: Sequence,
    /// Index of the step; that of the watch is one more than the last.
    at: usize,
    real: Value,
    sandbox: Value,
}

impl Both<'_> {
    async fn define(&self) {
        for server in [self.real, self.sandbox] {
            let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            let answer = server.ask(&ask("POST", path, "application/json", &definition(&self.group))).await;
            assert_eq!(answer.status, 201, "{}: {}", server.name, answer.body);
            let listed = format!("/apis/{}/v1/widgets", self.group);
            let deadline = Instant::now() + Duration::from_secs(30);
            while server.ask(&ask("GET", &listed, "", &Value::Null)).await.status != 200 {
                assert!(Instant::now() < deadline, "{}: {listed} is not served", server.name);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// A server slows down with every definition it holds.
    async fn forget(&self) {
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{}", self.group);
        for server in [self.real, self.sandbox] {
            server.ask(&ask("DELETE", &path, "", &Value::Null)).await;
        }
    }

    /// How many requests were answered alike, and whether the sequence had to be run again: the API server orders the
    /// entries of `managedFields` by their times, so that a second that ends at one server alone makes a difference.
    async fn run(&self, seed: u64) -> Result<(usize, bool), Difference> {
        let sequence = sequence(seed, &self.group);
        match self.compare(seed, &sequence, 0).await {
            Ok(requests) => Ok((requests, false)),
            Err(_) => Ok((self.compare(seed, &sequence, ATTEMPTS).await?, true)),
        }
    }

    async fn compare(&self, seed: u64, sequence: &Sequence, attempt: usize) -> Result<usize, Difference> {
        let namespace = format!("diff-{}-{seed}-{attempt}", std::process::id());
        let (real, sandbox) = futures::join!(
            answers(self.real, &self.group, &namespace, sequence),
            answers(self.sandbox, &self.group, &namespace, sequence),
        );
        let at = real.iter().zip(&sandbox).position(|(real, sandbox)| real != sandbox);
        match at {
            None => Ok(real.len()),
            Some(at) => Err(Difference {
                seed,
                sequence: sequence.clone(),
                at,
                real: real[at].clone(),
                sandbox: sandbox[at].clone(),
            }),
        }
    }

    /// The difference with as few steps as possible, for people.
    async fn shortened(&self, first: &Difference) -> String {
        let mut steps = first.sequence.steps.clone();
        steps.truncate(first.at + 1);
        let kind = first.sequence.kind;
        let mut attempt = 1;
        let mut shortest: Option<Difference> = None;
        let mut at = steps.len();
        while at > 0 && attempt < ATTEMPTS {
            at -= 1;
            let mut fewer = steps.clone();
            fewer.remove(at);
            let shorter = Sequence { kind, steps: fewer };
            if let Err(mut difference) = self.compare(first.seed, &shorter, attempt).await {
                difference.sequence.steps.truncate(difference.at + 1);
                steps.clone_from(&difference.sequence.steps);
                at = at.min(steps.len());
                shortest = Some(difference);
            }
            attempt += 1;
        }
        let difference = shortest.as_ref().unwrap_or(first);
        let mut text = format!("==== seed {}: {kind:?}, answer {} differs\n", first.seed, difference.at + 1);
        for step in &difference.sequence.steps {
            let Step { method, name, subresource, query, content_type, body, on_live } = step;
            let base = if *on_live { " on the live object" } else { "" };
            writeln!(text, "{method} {name}{subresource}{query} {content_type}{base} {body}")
                .expect("a String takes any text");
        }
        text + &report::difference(&difference.real, &difference.sandbox) + "\n"
    }
}

fn ask(method: &str, path: &str, content_type: &str, body: &Value) -> Ask {
    let mut headers = vec![
        ("Accept".to_owned(), "application/json".to_owned()),
        ("User-Agent".to_owned(), "differential/1.0".to_owned()),
    ];
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    if !body.is_empty() {
        headers.push(("Content-Type".to_owned(), content_type.to_owned()));
    }
    Ask { method: method.to_owned(), path: path.to_owned(), headers, body }
}

/// All answers of one server, as they are compared; the last is the list of the events.
async fn answers(server: &Server, group: &str, namespace: &str, sequence: &Sequence) -> Vec<Value> {
    let mut labels = Labels::default();
    let collection = sequence.kind.collection(group, namespace);
    let json = "application/json";
    let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
    let made = server.ask(&ask("POST", "/api/v1/namespaces", json, &object)).await;
    assert_eq!(made.status, 201, "{}: {}", server.name, made.body);
    let start = server.ask(&ask("GET", &collection, "", &Value::Null)).await;
    let version = text(&start.body, "/metadata/resourceVersion").to_owned();
    let mut shown = Vec::new();
    let mut last = Value::Null;
    for step in &sequence.steps {
        let ask = request(step, &collection, &last);
        let answer = server.ask(&ask).await;
        let is_ours = answer
            .body
            .pointer("/metadata/name")
            .is_some_and(|name| *name == step.name || step.name.is_empty());
        if answer.status < 300 && is_ours && step.subresource != "/scale" && !step.query.contains("dryRun") {
            last = answer.body.clone();
        }
        // What the server drew and the step gives back is still drawn.
        labels.sent(&Ask { body: step.body.to_string().into_bytes(), ..ask });
        shown.push(without_numbers(labels.show(&answer)));
    }
    // Any object of the kind ends the watch.
    let end = sequence.kind.object(&mut random::Random::new(7), group, END, true);
    let end = ask("POST", &format!("{collection}?fieldManager=end"), json, &end);
    let ended = server.ask(&end).await;
    labels.sent(&end);
    shown.push(without_numbers(labels.show(&ended)));
    let path = format!("{collection}?watch=1&resourceVersion={version}&timeoutSeconds=20");
    shown.push(without_numbers(labels.value(&events(server, &path).await)));
    give_back(server, &collection).await;
    shown
}

/// Drawn addresses and ports without the numbers that tell them apart: an address that was given back may be drawn
/// again.
fn without_numbers(shown: Value) -> Value {
    match shown {
        Value::String(text) if text.starts_with("<ip ") => "<ip>".into(),
        Value::String(text) if text.starts_with("<port ") => "<port>".into(),
        Value::Array(items) => items.into_iter().map(without_numbers).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, without_numbers(value))).collect(),
        other => other,
    }
}

/// Deletes the objects of a sequence: those of services hold addresses, of which there are not many.
async fn give_back(server: &Server, collection: &str) {
    let bare = json!({ "metadata": { "finalizers": null } });
    for name in ["x", "y", END] {
        let path = format!("{collection}/{name}");
        server.ask(&ask("PATCH", &path, "application/merge-patch+json", &bare)).await;
        server.ask(&ask("DELETE", &path, "", &Value::Null)).await;
    }
}

async fn events(server: &Server, path: &str) -> Value {
    let mut watch = match server.watch(&ask("GET", path, "", &Value::Null)).await {
        Ok(watch) => watch,
        Err(Answer { status, body, .. }) => return json!({ "status": status, "body": body }),
    };
    let mut events = Vec::new();
    let collect = async {
        while let Some(event) = watch.next().await {
            let is_last = text(&event, "/object/metadata/name") == END;
            if event["type"] != "BOOKMARK" {
                events.push(event);
            }
            if is_last {
                break;
            }
        }
    };
    if tokio::time::timeout(Duration::from_secs(20), collect).await.is_err() {
        events.push("nothing more in time".into());
    }
    events.into()
}

fn request(step: &Step, collection: &str, last: &Value) -> Ask {
    let mut body = step.body.clone();
    if step.on_live {
        body = last.clone();
        merge(&mut body, &step.body);
        if body.get("apiVersion").is_none() {
            body = json!({ "apiVersion": "v1", "kind": "Nothing" });
        }
    }
    let of_last = |pointer: &str, otherwise: &str| match text(last, pointer) {
        "" => otherwise.to_owned(),
        found => found.to_owned(),
    };
    let body_text = body
        .to_string()
        .replace("{rv}", &of_last("/metadata/resourceVersion", "1"))
        .replace("{uid}", &of_last("/metadata/uid", "11111111-2222-3333-4444-555555555555"));
    let path = match step.name {
        "" => format!("{collection}{}", step.query),
        name => format!("{collection}/{name}{}{}", step.subresource, step.query),
    };
    let body: Value = serde_json::from_str(&body_text).expect("placeholders are texts");
    ask(step.method, &path, step.content_type, &body)
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        match value {
            Value::Null => drop(target.as_object_mut().and_then(|map| map.remove(key))),
            value => merge(&mut target[key], value),
        }
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

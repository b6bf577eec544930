use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::script::is_like;
use crate::sandbox::{Options, Running, start};

/// A sandbox and who asks it.
struct Client {
    running: Running,
    address: String,
    connector: TlsConnector,
}

/// What came back, and how the connection ended.
struct Got {
    text: String,
    end: Result<(), io::ErrorKind>,
}

impl Got {
    fn status(&self) -> &str {
        self.text.split(' ').nth(1).unwrap_or("none")
    }

    fn body(&self) -> Value {
        let body = self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    /// The events of a watch: lines of chunks.
    fn events(&self) -> Vec<Value> {
        self.text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(Value::is_object)
            .collect()
    }
}

impl Client {
    async fn start() -> Self {
        let tokens = vec![("t".to_owned(), "admin".to_owned())];
        let running = start(Options { tokens, ..Options::default() }).await.expect("a sandbox");
        let kubeconfig: Value = serde_json::from_str(running.kubeconfig()).expect("JSON");
        let cluster = &kubeconfig["clusters"][0]["cluster"];
        let address = cluster["server"].as_str().expect("a URL").trim_start_matches("https://").to_owned();
        let pem = cluster["certificate-authority-data"].as_str().expect("a certificate");
        let pem = base64::engine::general_purpose::STANDARD.decode(pem).expect("base64");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).expect("a certificate")).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { running, address, connector: TlsConnector::from(Arc::new(config)) }
    }

    async fn script(&self, rules: Value) {
        let got = self.ask("PUT", "/sandbox/faults", &rules).await;
        assert_eq!(got.status(), "200", "{}", got.text);
    }

    async fn ask(&self, method: &str, target: &str, body: &Value) -> Got {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer t\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let stream = TcpStream::connect(&self.address).await.expect("it listens");
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let mut stream = self.connector.connect(name, stream).await.expect("TLS");
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut bytes = Vec::new();
        let end = loop {
            let mut part = [0; 4096];
            match stream.read(&mut part).await {
                Ok(0) => break Ok(()),
                Ok(length) => bytes.extend_from_slice(&part[..length]),
                Err(error) => break Err(error.kind()),
            }
        };
        Got { text: String::from_utf8(bytes).expect("text"), end }
    }

    async fn get(&self, target: &str) -> Got {
        self.ask("GET", target, &Value::Null).await
    }

    /// Makes a `ConfigMap`.
    async fn make(&self, name: &str, query: &str) -> Got {
        let body =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v"}});
        self.ask("POST", &format!("{MAPS}{query}"), &body).await
    }

    async fn status_of(&self, name: &str) -> String {
        self.get(&format!("{MAPS}/{name}")).await.status().to_owned()
    }

    async fn stop(self) {
        self.running.stop().await;
    }
}

const MAPS: &str = "/api/v1/namespaces/n/configmaps";

async fn client() -> Client {
    let client = Client::start().await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}});
    let made = client.ask("POST", "/api/v1/namespaces", &namespace).await;
    assert_eq!((made.status(), made.end), ("201", Ok(())), "{}", made.text);
    client
}

#[test]
fn patterns() {
    let cases = [
        ("", "", true),
        ("a", "", false),
        ("", "*", true),
        ("/a/b", "*", true),
        ("/a/b", "/a/*", true),
        ("/a/b", "*/b", true),
        ("/a/b", "*/a", false),
        ("/a/b/c", "/a/*/c", true),
        ("/a/c", "/a/*/c", false),
        ("aba", "a*a", true),
        ("a", "a*a", false),
        ("/x/configmaps/y", "*/configmaps/*", true),
        ("/x/configmaps", "*/configmaps/*", false),
        ("abcabc", "*b*b*", true),
        ("abc", "*b*b*", false),
    ];
    for (text, pattern, expected) in cases {
        assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
    }
}

#[tokio::test]
async fn a_rule_strikes_the_requests_it_names_and_no_other() {
    let client = client().await;
    client
        .script(json!([
            {"method": "POST", "path": "*/configmaps", "nth": 2, "times": 2, "fault":
                {"answer": {"code": 429, "retryAfter": 7}}},
            {"path": "*/configmaps/c", "times": 0, "fault": {"answer": {"code": 503, "body": "no"}}},
        ]))
        .await;
    let mut codes = Vec::new();
    for name in ["a", "b", "b", "b"] {
        codes.push(client.make(name, "").await.status().to_owned());
    }
    assert_eq!(codes, ["201", "429", "429", "201"]);
    client.make("c", "").await;
    assert_eq!(
        [client.status_of("c").await, client.status_of("c").await, client.status_of("a").await],
        ["503", "503", "200"]
    );
    let told = client.get("/sandbox/faults").await.body();
    assert_eq!(
        (&told[0]["seen"], &told[0]["struck"], &told[1]["seen"], &told[1]["struck"]),
        (&json!(5), &json!(2), &json!(2), &json!(2))
    );
    client.script(json!([{"path": "*", "fault": {"answer": {"code": 429, "retryAfter": 7}}}])).await;
    let refused = client.get(MAPS).await;
    assert!(refused.text.contains("retry-after: 7\r\n"), "{}", refused.text);
    assert_eq!(refused.body()["reason"], "TooManyRequests");
    client.script(json!([{"path": "*", "times": 0, "fault": {"answer": {"code": 500}}}])).await;
    assert_eq!(client.get(MAPS).await.body()["reason"], "InternalError");
    assert_eq!(client.ask("DELETE", "/sandbox/faults", &Value::Null).await.body(), json!([]));
    assert_eq!(client.get(MAPS).await.status(), "200");
    let bad = client.ask("PUT", "/sandbox/faults", &json!([{"path": "*", "fault": "explode"}])).await;
    assert_eq!(bad.status(), "400");
    client.stop().await;
}

#[tokio::test]
async fn connections_are_reset_before_in_the_middle_and_after() {
    let client = client().await;
    let reset = Err(io::ErrorKind::ConnectionReset);
    for (when, name, is_made, is_answered) in
        [("before", "a", "404", false), ("middle", "b", "200", true), ("after", "c", "200", false)]
    {
        client.script(json!([{"method": "POST", "path": MAPS, "fault": {"reset": when}}])).await;
        let got = client.make(name, "").await;
        assert_eq!((got.end, got.body()), (reset, Value::Null), "{when} {}", got.text);
        // What was sent before a reset may be lost with it.
        assert!(got.text.is_empty() || is_answered, "{when} {}", got.text);
        assert_eq!(client.status_of(name).await, is_made, "{when}");
    }
    client.stop().await;
}

#[tokio::test]
async fn an_answer_is_cut_off() {
    let client = client().await;
    client.script(json!([{"method": "POST", "path": MAPS, "fault": "truncate"}])).await;
    let got = client.make("a", "").await;
    assert_eq!((got.end, got.status(), got.body()), (Err(io::ErrorKind::UnexpectedEof), "201", Value::Null));
    assert!(got.text.contains("{\""), "{}", got.text);
    assert_eq!(client.status_of("a").await, "200");
    client.stop().await;
}

#[tokio::test]
async fn a_request_waits_or_gets_nothing() {
    let client = client().await;
    client
        .script(json!([
            {"path": MAPS, "fault": {"delay": 60}},
            {"path": MAPS, "fault": {"answer": {"code": 418}}},
            {"path": MAPS, "nth": 2, "fault": "hang"},
        ]))
        .await;
    let before = Instant::now();
    assert_eq!(client.get(MAPS).await.status(), "418");
    assert!(before.elapsed() >= Duration::from_millis(60));
    assert!(tokio::time::timeout(Duration::from_millis(80), client.get(MAPS)).await.is_err());
    assert_eq!(client.get(MAPS).await.status(), "200");
    client.stop().await;
}

#[tokio::test]
async fn a_dry_run_is_done_and_a_wrong_object_comes_back() {
    let client = client().await;
    client
        .script(json!([
            {"query": "*dryRun=All*", "path": "*", "times": 2, "fault": "ignoreDryRun"},
            {"method": "GET", "path": "*/configmaps/b", "fault": {"object": {"metadata": {"name": "x"}, "data": null}}},
        ]))
        .await;
    assert_eq!(client.make("a", "?dryRun=All&fieldManager=m").await.status(), "201");
    assert_eq!(client.status_of("a").await, "200");
    client
        .ask("DELETE", &format!("{MAPS}/a?dryRun=All"), &json!({"kind": "DeleteOptions", "apiVersion": "v1"}))
        .await;
    assert_eq!(client.status_of("a").await, "404");
    assert_eq!(client.make("c", "?dryRun=All").await.status(), "201");
    assert_eq!(client.status_of("c").await, "404");
    client.make("b", "").await;
    let got = client.get(&format!("{MAPS}/b")).await;
    assert_eq!((&got.body()["metadata"]["name"], &got.body()["data"]), (&json!("x"), &Value::Null));
    assert_eq!(client.get(&format!("{MAPS}/b")).await.body()["metadata"]["name"], "b");
    client.stop().await;
}

#[tokio::test]
async fn a_watch_has_a_gap_a_lie_or_an_end() {
    let client = client().await;
    for name in ["a", "b", "c", "d"] {
        client.make(name, "").await;
    }
    let watch = format!("{MAPS}?watch=1&timeoutSeconds=1");
    let names = async |fault: Value| {
        client.script(json!([{"path": MAPS, "query": "watch=*", "fault": fault}])).await;
        let got = client.get(&watch).await;
        let names: Vec<Value> =
            got.events().iter().map(|event| event["object"]["metadata"]["name"].clone()).collect();
        (names, got.end.is_ok())
    };
    let gap = names(json!({"gap": {"after": 1, "drop": 2}})).await;
    assert_eq!(gap, (vec![json!("a"), json!("d")], true));
    assert_eq!(names(json!({"object": {"metadata": {"name": "x"}}})).await, (vec![json!("x"); 4], true));
    assert_eq!(names(json!("truncate")).await, (vec![json!("a")], false));
    client.stop().await;
}

/// A definition that was stored is served, whether or not its client waited for that.
#[tokio::test]
async fn a_client_that_goes_away_stops_nothing() {
    let client = client().await;
    let mut stored = 0;
    for number in 0..12 {
        let group = format!("g{number}.example.com");
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("things.{group}")},
            "spec": {
                "group": group, "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                              "schema": {"openAPIV3Schema": {"type": "object"}}}],
            },
        });
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let patience = Duration::from_millis(2 * number);
        drop(tokio::time::timeout(patience, client.ask("POST", path, &definition)).await);
        if client.get(&format!("{path}/things.{group}")).await.status() != "200" {
            continue;
        }
        stored += 1;
        let things = format!("/apis/{group}/v1/things");
        let begun = Instant::now();
        while client.get(&things).await.status() != "200" {
            assert!(begun.elapsed() < Duration::from_secs(20), "{things} are never served");
        }
    }
    assert!(stored > 0, "some requests arrived");
    client.stop().await;
}

//! Five thousand objects in the sandbox and in a kube-apiserver, one after the other, in one run: memory, and how fast they
//! are applied and listed. Only with `ARRPLAN_SOAK=1`: it takes minutes. `ARRPLAN_SCALE_PROGRAM=target/release/arrplan` measures
//! the sandbox of that program instead of this build's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use support::{ControlPlane, User};

use crate::crash::Sandbox;

const OBJECTS: usize = 5_000;
/// Requests at the same time.
const PARALLEL: usize = 32;
const LISTS: u32 = 20;

/// What was measured of one server.
#[derive(Debug)]
struct Measured {
    /// Bytes, of all its processes, before and with the objects.
    empty: u64,
    full: u64,
    /// Objects made by apply per second.
    made: f64,
    /// Objects per second whose apply changes nothing.
    unchanged: f64,
    /// Objects changed per second.
    changed: f64,
    /// One list of all objects.
    list: Duration,
    /// The same, in pages of 500.
    pages: Duration,
}

#[test]
fn five_thousand_objects() {
    if !support::soak() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let program = std::env::var_os("ARRPLAN_SCALE_PROGRAM");
    let start = |kubeconfig: &str| match &program {
        Some(program) => Sandbox::of_program(Path::new(program), scratch.path()),
        None => Sandbox::start(&scratch.path().join("sandbox"), &scratch.path().join(kubeconfig)),
    };
    let mut child = start("kubeconfig");
    let client = runtime.block_on(child.client());
    let pids = [("sandbox".to_owned(), child.id())].into();
    let sandbox = runtime.block_on(measure(&client, &pids));
    child.kill();
    let restarted = Instant::now();
    let mut again = start("again");
    let client = runtime.block_on(again.client());
    let restarted = restarted.elapsed();
    let reopened = memory(&[("sandbox".to_owned(), again.id())].into());
    drop((client, again));
    let built = program.as_ref().map_or_else(|| "this build".into(), |program| program.to_string_lossy());
    println!("5,000 ConfigMaps of 8 keys, {PARALLEL} requests at a time, the sandbox of {built}");
    print("sandbox (with its disk)", &sandbox);
    println!("sandbox opened again: {} ms to the first answer, {} MB", restarted.as_millis(), reopened >> 20);
    let Some(plane) = ControlPlane::own(&[]) else { return };
    let kubeconfig = plane.kubeconfig_content(User::Admin);
    let client = runtime.block_on(client_of(kubeconfig));
    let real = runtime.block_on(measure(&client, &plane.processes()));
    print("kube-apiserver + etcd (etcd without fsync)", &real);
    assert!(sandbox.full < real.full, "the sandbox is the smaller one");
}

fn print(name: &str, measured: &Measured) {
    let Measured { empty, full, made, unchanged, changed, list, pages } = measured;
    println!(
        "{name}: {} MB empty, {} MB with the objects; applied {made:.0}/s new, {unchanged:.0}/s unchanged, {changed:.0}/s \
         changed; list {} ms ({:.0} objects/s), in pages of 500 {} ms",
        empty >> 20,
        full >> 20,
        list.as_millis(),
        objects() / list.as_secs_f64(),
        pages.as_millis(),
    );
}

fn objects() -> f64 {
    f64::from(u32::try_from(OBJECTS).unwrap())
}

async fn client_of(kubeconfig: Value) -> kube::Client {
    let file: Kubeconfig = serde_json::from_value(kubeconfig).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    kube::Client::try_from(config).unwrap()
}

async fn measure(client: &kube::Client, processes: &BTreeMap<String, u32>) -> Measured {
    let empty = memory(processes);
    let made = apply(client, 0).await;
    let unchanged = apply(client, 0).await;
    let changed = apply(client, 1).await;
    let begun = Instant::now();
    for _ in 0..LISTS {
        assert_eq!(listed(client, "labelSelector=scale").await.0, OBJECTS);
    }
    let list = begun.elapsed() / LISTS;
    let begun = Instant::now();
    let (mut count, mut token) = (0, String::new());
    loop {
        let (found, next) = listed(client, &format!("labelSelector=scale&limit=500&continue={token}")).await;
        count += found;
        token = next;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(count, OBJECTS);
    let pages = begun.elapsed();
    Measured { empty, full: memory(processes), made, unchanged, changed, list, pages }
}

/// Applies every object; how many per second.
async fn apply(client: &kube::Client, round: usize) -> f64 {
    let begun = Instant::now();
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let workers: Vec<_> = (0..PARALLEL)
        .map(|_| {
            let (client, next) = (client.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= OBJECTS {
                        return;
                    }
                    let name = format!("m{number:05}");
                    let data: BTreeMap<String, String> = (0..8)
                        .map(|key| (format!("key-{key}"), format!("value {round} of {key} of {name}")))
                        .collect();
                    let object = json!({
                        "apiVersion": "v1", "kind": "ConfigMap",
                        "metadata": {"name": name, "labels": {"scale": ""}}, "data": data,
                    });
                    let path =
                        format!("/api/v1/namespaces/default/configmaps/{name}?fieldManager=scale&force=true");
                    let request = http::Request::patch(path)
                        .header("Content-Type", "application/apply-patch+yaml")
                        .body(object.to_string().into_bytes())
                        .unwrap();
                    client.request_text(request).await.unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    objects() / begun.elapsed().as_secs_f64()
}

/// How many objects a list has, and its token. Only what is needed is read of it, so that the server is measured.
async fn listed(client: &kube::Client, query: &str) -> (usize, String) {
    let path = format!("/api/v1/namespaces/default/configmaps?{query}");
    let text = client.request_text(http::Request::get(path).body(Vec::new()).unwrap()).await.unwrap();
    let token = text.split_once("\"continue\":\"").and_then(|(_, rest)| rest.split_once('"'));
    (
        text.matches("\"resourceVersion\":").count() - 1,
        token.map_or_else(String::new, |(token, _)| token.to_owned()),
    )
}

/// Resident memory of the processes, in bytes.
fn memory(processes: &BTreeMap<String, u32>) -> u64 {
    let of = |pid: &u32| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    };
    processes.values().map(of).sum()
}

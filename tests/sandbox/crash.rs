//! Crash of the sandbox at any moment: every write that was answered is there afterwards, and nothing that was not asked for.
//!
//! A child process serves a folder while writers write; it is killed, or crashes by script in the middle of a request; the
//! next child opens the folder, and what it holds is compared with what was answered. Ten rounds; 200 with `ARRPLAN_SOAK=1`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use arrplan::sandbox::{self, Options};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

/// The test below.
const CHILD: &str = "serves_a_folder";
/// Names the folder, and the file that its kubeconfig is to be written to, to the child.
const FOLDER: &str = "ARRPLAN_TESTS_CRASH_FOLDER";
const KUBECONFIG: &str = "ARRPLAN_TESTS_CRASH_KUBECONFIG";

const WRITERS: usize = 4;
/// Objects of each writer.
const NAMES: u64 = 6;

/// Not a test of its own: it serves until it is killed.
#[test]
#[ignore = "the process that the other test kills"]
fn serves_a_folder() {
    let (Some(folder), Some(kubeconfig)) = (std::env::var_os(FOLDER), std::env::var_os(KUBECONFIG)) else {
        return;
    };
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    let options = Options { folder: Some(folder.into()), ..Options::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let running = sandbox::start(options).await.unwrap();
        let kubeconfig = PathBuf::from(kubeconfig);
        let mut draft = tempfile::NamedTempFile::new_in(kubeconfig.parent().unwrap()).unwrap();
        draft.write_all(running.kubeconfig().as_bytes()).unwrap();
        draft.persist(&kubeconfig).unwrap();
        std::future::pending::<()>().await;
    });
}

/// What an object says and its version; `None`: it is not there.
type State = Option<(String, String)>;

/// What is known of one writer's objects.
#[derive(Debug, Clone, Default)]
struct Known {
    /// As answered.
    answered: BTreeMap<String, State>,
    /// The last request, if it was not answered: whose, and what it writes.
    in_doubt: Option<(String, Option<String>)>,
    /// Answered writes.
    writes: u64,
}

/// Xorshift: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn no_answered_write_is_lost_by_a_crash() {
    let rounds = if support::soak() { 200 } else { 10 };
    let seed = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()).unwrap() | 1;
    println!("crash loop: {rounds} rounds, seed {seed}");
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("sandbox");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut random = Random(seed);
    let mut known = vec![Known::default(); WRITERS];
    let (mut in_doubt, mut kept) = (0, 0);
    for round in 0..=rounds {
        let mut child = Sandbox::start(&folder, &scratch.path().join(format!("{round}.kubeconfig")));
        let client = runtime.block_on(child.client());
        let (doubts, made) = runtime.block_on(check(&client, &mut known, round));
        (in_doubt, kept) = (in_doubt + doubts, kept + made);
        if round == rounds {
            child.kill();
            break;
        }
        let by_script = random.below(2) == 0;
        if by_script {
            let moment = ["before", "middle", "after"][usize::try_from(random.below(3)).unwrap()];
            let fault =
                json!([{"path": "*/configmaps*", "nth": 1 + random.below(60), "fault": {"crash": moment}}]);
            runtime.block_on(script(&client, &fault));
        }
        let seeds: Vec<u64> = (0..WRITERS).map(|_| random.below(u64::MAX) | 1).collect();
        let lasts = Duration::from_millis(20 + random.below(180));
        known = runtime.block_on(async {
            let writers: Vec<_> = known
                .drain(..)
                .zip(seeds)
                .enumerate()
                .map(|(number, (known, seed))| {
                    tokio::spawn(write(client.clone(), number, known, Random(seed)))
                })
                .collect();
            if by_script {
                child.wait().await;
            } else {
                tokio::time::sleep(lasts).await;
                child.kill();
            }
            let mut known = Vec::new();
            for writer in writers {
                known.push(writer.await.unwrap());
            }
            known
        });
    }
    let writes: u64 = known.iter().map(|known| known.writes).sum();
    println!(
        "crash loop: {rounds} crashes, {writes} answered writes, all there; {in_doubt} requests without an answer, of \
         which {kept} had been done"
    );
    assert!(writes > rounds * 5, "{writes} writes are too few to say anything");
}

/// Compares what is there with what was answered. Of a request without an answer either may be; how many of those there were,
/// and how many had been done.
async fn check(client: &kube::Client, known: &mut [Known], round: u64) -> (u64, u64) {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let list = api.list(&ListParams::default().labels("crash")).await.unwrap();
    let version = list.metadata.resource_version.clone().unwrap().parse::<u64>().unwrap();
    let mut there: BTreeMap<String, State> = list
        .items
        .into_iter()
        .map(|map| {
            let text = map.data.unwrap_or_default().remove("k").unwrap_or_default();
            (map.metadata.name.unwrap(), Some((text, map.metadata.resource_version.unwrap())))
        })
        .collect();
    let (mut in_doubt, mut made) = (0, 0);
    for known in known {
        if let Some((name, written)) = known.in_doubt.take() {
            in_doubt += 1;
            let before = known.answered.get(&name).cloned().flatten();
            let now = there.get(&name).cloned().flatten();
            if now != before {
                made += 1;
                assert_eq!(now.as_ref().map(|(text, _)| text), written.as_ref(), "round {round}: {name}");
            }
            known.answered.insert(name, now);
        }
        for (name, state) in &known.answered {
            assert_eq!(&there.remove(name).flatten(), state, "round {round}: {name}");
            let newest = state.as_ref().map_or(0, |(_, version)| version.parse::<u64>().unwrap());
            assert!(newest <= version, "round {round}: the list is at {version}, {name} at {newest}");
        }
    }
    assert_eq!(there, BTreeMap::new(), "round {round}: nobody asked for these");
    (in_doubt, made)
}

/// Writes until there is no answer.
async fn write(client: kube::Client, number: usize, mut known: Known, mut random: Random) -> Known {
    let api: Api<ConfigMap> = Api::namespaced(client, "default");
    loop {
        let name = format!("w{number}-{}", random.below(NAMES));
        let text = format!("{:x}", random.below(u64::MAX));
        let is_there = known.answered.get(&name).is_some_and(Option::is_some);
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {"crash": ""}},
            "data": {"k": text, "long": "x".repeat(usize::try_from(random.below(3000)).unwrap())},
        });
        let what = random.below(4);
        let (written, done) = match (what, is_there) {
            (0, true) => (None, api.delete(&name, &DeleteParams::default()).await.map(|_| None)),
            (1, false) => {
                let object = serde_json::from_value(object).unwrap();
                (Some(text), api.create(&PostParams::default(), &object).await.map(Some))
            }
            (1, true) => {
                let change = Patch::Merge(json!({"data": {"k": text}}));
                (Some(text), api.patch(&name, &PatchParams::default(), &change).await.map(Some))
            }
            _ => {
                let parameters = PatchParams::apply("crash").force();
                (Some(text), api.patch(&name, &parameters, &Patch::Apply(&object)).await.map(Some))
            }
        };
        match done {
            Ok(map) => {
                let version = map.and_then(|map| map.metadata.resource_version);
                known.answered.insert(name, written.zip(version));
                known.writes += 1;
            }
            Err(kube::Error::Api(status)) => panic!("{name}: {status:?}"),
            Err(_) => {
                known.in_doubt = Some((name, written));
                return known;
            }
        }
    }
}

async fn script(client: &kube::Client, rules: &serde_json::Value) {
    let request = http::Request::put("/sandbox/faults").body(rules.to_string().into_bytes()).unwrap();
    client.request_text(request).await.unwrap();
}

/// The child.
pub(crate) struct Sandbox {
    child: Child,
    kubeconfig: PathBuf,
}

impl Sandbox {
    /// Starts one that serves a folder and writes its kubeconfig to a file.
    pub(crate) fn start(folder: &Path, kubeconfig: &Path) -> Self {
        let module = module_path!().split_once("::").map(|(_, module)| module);
        let path = module.map_or_else(|| CHILD.to_owned(), |module| format!("{module}::{CHILD}"));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &path, "--ignored", "--nocapture", "--test-threads=1"])
            .env(FOLDER, OsString::from(folder))
            .env(KUBECONFIG, OsString::from(kubeconfig))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, kubeconfig: kubeconfig.to_owned() }
    }

    /// Starts `arrplan sandbox serve` of a program in a folder.
    pub(crate) fn of_program(program: &Path, folder: &Path) -> Self {
        let kubeconfig = folder.join("state/sandbox/kubeconfig");
        // That of an earlier start would be taken for this one's.
        drop(std::fs::remove_file(&kubeconfig));
        std::fs::create_dir_all(folder).unwrap();
        let child = Command::new(program)
            .args(["sandbox", "serve", "--port", "0"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, kubeconfig }
    }

    /// A client of it, once it serves.
    pub(crate) async fn client(&mut self) -> kube::Client {
        let begun = Instant::now();
        let text = loop {
            if let Ok(text) = std::fs::read_to_string(&self.kubeconfig) {
                break text;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "the sandbox does not start again");
            assert!(begun.elapsed() < Duration::from_mins(1), "the sandbox does not start");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let file: Kubeconfig = serde_json::from_str(&text).unwrap();
        let mut config =
            kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
        config.default_retry = false;
        kube::Client::try_from(config).unwrap()
    }

    /// Waits for the crash.
    async fn wait(&mut self) {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_mins(1), "the script's crash does not come");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

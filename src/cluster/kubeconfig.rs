//! Which cluster: kubectl's rules for `--kubeconfig`, `$KUBECONFIG`, `~/.kube/config` and a pod's own account.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{Context, Kubeconfig, KubeconfigError, NamedCluster, NamedContext};

/// Where a pod finds its account.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// Name of the entries made for `--server` without a kubeconfig.
const MADE_UP: &str = "arrplan-server-flag";

/// What says which cluster is meant.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// The sandbox, by the content of its kubeconfig: no other place is looked at.
    pub sandbox: Option<String>,
    /// `--kubeconfig`: this file and no other.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`, or `[cluster] context`.
    pub context: Option<String>,
    /// `--server`: the URL, with the credentials of the context.
    pub server: Option<String>,
    /// The process's environment; also what credential plugins get.
    pub env: BTreeMap<String, String>,
    /// Whether a user is at the terminal (standard input is one, and this is no CI job).
    pub interactive: bool,
    /// Most requests under way at once; 0 means the default of 16.
    pub parallelism: usize,
    /// Longest wait for one answer; `None` means the default of 40 s.
    pub request_timeout: Option<Duration>,
}

/// A place that was looked at for a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// `--kubeconfig`, `$KUBECONFIG`, `~/.kube/config`, `in-cluster`.
    pub place: &'static str,
    /// What was found there.
    pub found: String,
}

/// Why there is no connection to speak of. Nothing was sent yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No place names a cluster.
    #[error("no cluster: {}", places(.0))]
    NoConfig(Vec<Looked>),
    /// A kubeconfig cannot be read or understood.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why; never a line of it, which may hold a token.
        why: String,
    },
    /// The kubeconfig has contexts but none is chosen.
    #[error("the kubeconfig has no current context{}", choices(contexts))]
    NoContext {
        /// Its contexts, sorted.
        contexts: Vec<String>,
    },
    /// There is no such context.
    #[error("the kubeconfig has no context `{name}`{}", choices(contexts))]
    UnknownContext {
        /// The one asked for.
        name: String,
        /// Its contexts, sorted.
        contexts: Vec<String>,
    },
    /// The context, its cluster or its user is not complete.
    #[error("the kubeconfig cannot be used: {0}")]
    Incomplete(String),
    /// The credential plugin failed.
    #[error("the credential plugin `{command}` failed: {why}{}", hint.as_ref().map(|h| format!("\n{h}")).unwrap_or_default())]
    Plugin {
        /// Its command.
        command: String,
        /// What happened.
        why: String,
        /// The kubeconfig's install hint.
        hint: Option<String>,
    },
}

fn places(looked: &[Looked]) -> String {
    let mut text = "looked at".to_owned();
    for (i, Looked { place, found }) in looked.iter().enumerate() {
        write!(text, "{} {place} ({found})", if i == 0 { "" } else { "," })
            .expect("writing to a String cannot fail");
    }
    text
}

fn choices(contexts: &[String]) -> String {
    if contexts.is_empty() {
        ", and no other".to_owned()
    } else {
        format!("; it has {}", contexts.join(", "))
    }
}

/// What was found.
pub(crate) enum Found {
    /// A kubeconfig, with the context to use.
    Kubeconfig { config: Box<Kubeconfig>, context: String },
    /// A pod's own account.
    Pod,
}

/// Finds the cluster.
///
/// # Errors
/// See [`ConnectError`].
pub(crate) fn find(options: &ConnectOptions) -> Result<Found, ConnectError> {
    find_with_token(options, Path::new(POD_TOKEN))
}

fn find_with_token(options: &ConnectOptions, token: &Path) -> Result<Found, ConnectError> {
    if let Some(text) = &options.sandbox {
        let config = Kubeconfig::from_yaml(text).map_err(|error| unreadable(Path::new("sandbox"), &error))?;
        let context = config.current_context.clone().unwrap_or_default();
        return Ok(Found::Kubeconfig { config: Box::new(config), context });
    }
    let (mut config, mut looked) = read(options)?;
    if let Some(server) = &options.server
        && config.contexts.is_empty()
        && options.context.is_none()
    {
        config = for_server(server);
    }
    let contexts = {
        let mut names: Vec<String> = config.contexts.iter().map(|c| c.name.clone()).collect();
        names.sort();
        names
    };
    let current = config.current_context.clone().filter(|name| !name.is_empty());
    if let Some(name) = options.context.clone().or(current) {
        // kubectl takes an unknown context from a file that is not there for "no file" as well.
        if contexts.contains(&name) {
            set_server(&mut config, &name, options.server.as_deref());
            return Ok(Found::Kubeconfig { config: Box::new(config), context: name });
        }
        if !contexts.is_empty() || looked.iter().any(|place| place.found == "empty") {
            return Err(ConnectError::UnknownContext { name, contexts });
        }
    } else if !contexts.is_empty() {
        return Err(ConnectError::NoContext { contexts });
    }
    let host = options.env.get("KUBERNETES_SERVICE_HOST").is_some_and(|host| !host.is_empty());
    let found = match (host, token.exists()) {
        (true, true) if options.kubeconfig.is_none() => return Ok(Found::Pod),
        (true, true) => "not used beside --kubeconfig",
        (true, false) => "inside a pod, but without a service account token",
        (false, _) => "not inside a pod",
    };
    looked.push(Looked { place: "in-cluster", found: found.to_owned() });
    Err(ConnectError::NoConfig(looked))
}

/// Reads the files kubectl would read, merged: the first to name something wins.
fn read(options: &ConnectOptions) -> Result<(Kubeconfig, Vec<Looked>), ConnectError> {
    let mut looked = Vec::new();
    let mut note = |place, found: String| looked.push(Looked { place, found });
    let mut merged = Kubeconfig::default();
    let mut files: Vec<PathBuf> = Vec::new();
    let exists = |path: &Path| match path.metadata() {
        Ok(meta) if meta.is_dir() => "a folder".to_owned(),
        Ok(_) => "empty".to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "no such file".to_owned(),
        Err(error) => error.to_string(),
    };
    let variable = options.env.get("KUBECONFIG").filter(|value| !value.is_empty());
    let default = options.env.get("HOME").map(|home| Path::new(home).join(".kube/config"));
    match &options.kubeconfig {
        Some(path) => {
            note("--kubeconfig", format!("{}: {}", path.display(), exists(path)));
            if exists(path) == "empty" {
                files.push(path.clone());
            }
        }
        None => note("--kubeconfig", "not given".to_owned()),
    }
    match (&options.kubeconfig, variable) {
        (None, Some(list)) => {
            // kubectl passes over the missing ones.
            let paths: Vec<PathBuf> =
                std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect();
            let told: Vec<String> = paths.iter().map(|p| format!("{}: {}", p.display(), exists(p))).collect();
            note("$KUBECONFIG", told.join(", "));
            files.extend(paths.into_iter().filter(|path| exists(path) != "no such file"));
        }
        (Some(_), Some(_)) => note("$KUBECONFIG", "not used beside --kubeconfig".to_owned()),
        (_, None) => note("$KUBECONFIG", "not set".to_owned()),
    }
    let nothing_said = options.kubeconfig.is_none() && variable.is_none();
    match default {
        Some(path) if nothing_said => {
            note("~/.kube/config", exists(&path));
            if exists(&path) != "no such file" {
                files.push(path);
            }
        }
        Some(_) => note("~/.kube/config", "not used beside the above".to_owned()),
        None => note("~/.kube/config", "$HOME is not set".to_owned()),
    }
    for path in files {
        let next = Kubeconfig::read_from(&path).map_err(|error| unreadable(&path, &error))?;
        merged = merged.merge(next).map_err(|error| unreadable(&path, &error))?;
    }
    Ok((merged, looked))
}

fn unreadable(path: &Path, error: &KubeconfigError) -> ConnectError {
    let why = match error {
        // Its text shows the lines around the mistake.
        KubeconfigError::Parse(error) => match error.without_snippet().location() {
            Some(at) => format!("not a kubeconfig: line {}, column {}", at.line(), at.column()),
            None => "not a kubeconfig".to_owned(),
        },
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        other => other.to_string(),
    };
    ConnectError::Unreadable { path: path.to_owned(), why }
}

fn for_server(server: &str) -> Kubeconfig {
    Kubeconfig {
        clusters: vec![NamedCluster {
            name: MADE_UP.to_owned(),
            cluster: Some(kube::config::Cluster { server: Some(server.to_owned()), ..Default::default() }),
            ..Default::default()
        }],
        contexts: vec![NamedContext {
            name: MADE_UP.to_owned(),
            context: Some(Context { cluster: MADE_UP.to_owned(), ..Default::default() }),
            ..Default::default()
        }],
        current_context: Some(MADE_UP.to_owned()),
        ..Default::default()
    }
}

/// Whether a context was made up for `--server`.
pub(crate) fn is_made_up(context: &str) -> bool {
    context == MADE_UP
}

fn set_server(config: &mut Kubeconfig, context: &str, server: Option<&str>) {
    let Some(server) = server else { return };
    let cluster = cluster_name(config, context);
    for named in &mut config.clusters {
        if Some(&named.name) == cluster.as_ref()
            && let Some(cluster) = &mut named.cluster
        {
            cluster.server = Some(server.to_owned());
        }
    }
}

fn cluster_name(config: &Kubeconfig, context: &str) -> Option<String> {
    let named = config.contexts.iter().find(|named| named.name == context)?;
    Some(named.context.as_ref()?.cluster.clone())
}

/// `proxy-url` of a context's cluster.
pub(crate) fn proxy(config: &Kubeconfig, context: &str) -> Option<String> {
    let name = cluster_name(config, context)?;
    let named = config.clusters.iter().find(|named| named.name == name)?;
    named.cluster.as_ref()?.proxy_url.clone().filter(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "apiVersion: v1\nkind: Config\ncurrent-context: one\nclusters:\n- {name: c1, cluster: {server: \"https://one:6443\"}}\n- {name: c2, cluster: {server: \"https://two:6443\", proxy-url: \"http://proxy:3128\"}}\ncontexts:\n- {name: one, context: {cluster: c1, user: u}}\n- {name: two, context: {cluster: c2, user: u}}\nusers:\n- {name: u, user: {token: canary, client-key: keys/k.pem}}\n";

    fn options(env: &[(&str, &str)]) -> ConnectOptions {
        ConnectOptions {
            env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..ConnectOptions::default()
        }
    }

    fn look(options: &ConnectOptions) -> Result<(Kubeconfig, String), ConnectError> {
        match find_with_token(options, Path::new("/nonexistent/token"))? {
            Found::Kubeconfig { config, context } => Ok((*config, context)),
            Found::Pod => panic!("no pod here"),
        }
    }

    #[test]
    fn nothing_anywhere_names_every_place() {
        let Err(ConnectError::NoConfig(looked)) = look(&options(&[("HOME", "/nonexistent")])) else {
            panic!("no cluster was expected");
        };
        let told: Vec<String> = looked.iter().map(|l| format!("{} {}", l.place, l.found)).collect();
        assert_eq!(
            told,
            [
                "--kubeconfig not given",
                "$KUBECONFIG not set",
                "~/.kube/config no such file",
                "in-cluster not inside a pod"
            ]
        );
        let mut with_flag = options(&[("KUBECONFIG", "/nonexistent/a:/nonexistent/b")]);
        let error = look(&with_flag).err().unwrap().to_string();
        assert!(error.contains("/nonexistent/a: no such file, /nonexistent/b: no such file"), "{error}");
        with_flag.kubeconfig = Some("/nonexistent/flag".into());
        let error = look(&with_flag).err().unwrap().to_string();
        assert!(error.contains("/nonexistent/flag: no such file"), "{error}");
        assert!(error.contains("$KUBECONFIG (not used"), "{error}");
    }

    #[test]
    fn files_merge_first_wins_and_paths_are_the_files_own() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("sub/b"));
        fs_err::create_dir(folder.path().join("sub")).unwrap();
        fs_err::write(&a, "current-context: two\ncontexts: null\n").unwrap();
        fs_err::write(&b, FILE).unwrap();
        let list = format!("{}:/nonexistent:{}", a.display(), b.display());
        let (config, context) = look(&options(&[("KUBECONFIG", &list), ("HOME", "/nonexistent")])).unwrap();
        assert_eq!(context, "two");
        let user = config.auth_infos[0].auth_info.as_ref().unwrap();
        assert_eq!(user.client_key.as_deref(), folder.path().join("sub/keys/k.pem").to_str());
        assert_eq!(proxy(&config, "two").as_deref(), Some("http://proxy:3128"));
        assert_eq!(proxy(&config, "one"), None);

        let mut flag = options(&[("KUBECONFIG", &list)]);
        flag.kubeconfig = Some(b);
        flag.server = Some("https://other".into());
        let (config, context) = look(&flag).unwrap();
        assert_eq!(context, "one");
        let server = config.clusters[0].cluster.as_ref().unwrap().server.as_deref();
        assert_eq!(server, Some("https://other"));
        flag.context = Some("nope".into());
        assert_eq!(
            look(&flag).err().unwrap().to_string(),
            "the kubeconfig has no context `nope`; it has one, two"
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_without_its_lines() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join(".kube");
        fs_err::create_dir(&home).unwrap();
        let file = home.join("config");
        let env = options(&[("HOME", folder.path().to_str().unwrap())]);
        fs_err::write(&file, "users:\n- name: u\n  user: {token: canary\ncontexts: [\n").unwrap();
        let text = look(&env).err().unwrap().to_string();
        assert!(text.contains("not a kubeconfig: line ") && !text.contains("canary"), "{text}");
        fs_err::write(&file, "users: canary\n").unwrap();
        let text = look(&env).err().unwrap().to_string();
        assert!(text.contains("not a kubeconfig") && !text.contains("canary"), "{text}");
        fs_err::write(&file, FILE.replace("current-context: one", "current-context: \"\"")).unwrap();
        assert_eq!(
            look(&env).err().unwrap().to_string(),
            "the kubeconfig has no current context; it has one, two"
        );
        fs_err::write(&file, "").unwrap();
        assert!(matches!(look(&env), Err(ConnectError::NoConfig(_))));
        let mut server = env;
        server.server = Some("https://x".into());
        assert!(is_made_up(&look(&server).unwrap().1));
    }
}

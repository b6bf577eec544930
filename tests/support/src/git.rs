//! A Git repository the test writes, served over smart HTTP on loopback, the only way Flux's source-controller reads one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::scratch::scratch_dir;

/// A bare repository with a branch `main`, and its address.
#[derive(Debug)]
pub struct GitRepo {
    folder: PathBuf,
    name: String,
}

impl GitRepo {
    /// A repository whose first commit has these files: path and content.
    pub fn new(files: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("repository-{}.git", NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = server().root.join(&name);
        let repo = Self { folder, name };
        repo.git(&["init", "--quiet", "--bare", "--initial-branch=main", "."], &[]);
        repo.commit(files);
        repo
    }

    /// A repository whose first commit is the content of a folder, hidden files excepted.
    pub fn from_folder(folder: &Path) -> Self {
        let repo = Self::new(&[]);
        repo.commit_folder(folder, "");
        repo
    }

    /// Where it is served.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{}", server().port, self.name)
    }

    /// Adds or replaces files and returns the new commit.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        let files: Vec<_> =
            files.iter().map(|&(path, content)| (path.to_owned(), content.as_bytes().to_vec())).collect();
        self.import(&files, &[])
    }

    /// Adds or replaces the files of a folder, below `prefix` in the repository, and returns the new commit.
    pub fn commit_folder(&self, folder: &Path, prefix: &str) -> String {
        let mut files = Vec::new();
        collect(folder, prefix, &mut files);
        self.import(&files, &[])
    }

    /// Removes files or folders and returns the new commit.
    pub fn remove(&self, paths: &[&str]) -> String {
        self.import(&[], paths)
    }

    /// The newest commit.
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "main"], &[]).trim().to_owned()
    }

    /// Writes one commit without a work tree.
    fn import(&self, files: &[(String, Vec<u8>)], removed: &[&str]) -> String {
        let has_parent = self.folder.join("refs/heads/main").exists();
        let mut stream = Vec::new();
        let message = "Test\n";
        stream.extend(b"commit refs/heads/main\ncommitter Tests <tests@example.org> now\n");
        stream.extend(format!("data {}\n{message}", message.len()).as_bytes());
        if has_parent {
            stream.extend(b"from refs/heads/main^0\n");
        }
        for path in removed {
            stream.extend(format!("D {path}\n").as_bytes());
        }
        for (path, content) in files {
            stream.extend(format!("M 100644 inline {path}\ndata {}\n", content.len()).as_bytes());
            stream.extend(content);
            stream.push(b'\n');
        }
        self.git(&["fast-import", "--quiet", "--date-format=now"], &stream);
        self.head()
    }

    fn git(&self, args: &[&str], stdin: &[u8]) -> String {
        std::fs::create_dir_all(&self.folder).expect("the repository's folder");
        let mut child =
            git(&self.folder).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git");
        child.stdin.take().expect("standard input is a pipe").write_all(stdin).expect("git reads its input");
        let output = child.wait_with_output().expect("git");
        assert!(output.status.success(), "git {args:?}: {}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.is_dir() {
            collect(&entry, &path, files);
        } else {
            files.push((path, std::fs::read(&entry).expect("a file of the folder")));
        }
    }
}

/// Git without a person's or the machine's settings.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", scratch_dir())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        // A repository made by root inside a container may look like somebody else's.
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*");
    command
}

struct Server {
    root: PathBuf,
    port: u16,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let root = scratch_dir().join("data/git");
        std::fs::create_dir_all(&root).expect("the scratch folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let port = listener.local_addr().expect("an address").port();
        let projects = root.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let projects = projects.clone();
                // A client that hangs up is the client's business.
                std::thread::spawn(move || drop(serve(&stream, &projects)));
            }
        });
        Server { root, port }
    })
}

struct Call {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    fn read(stream: &TcpStream) -> std::io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut call = Self { method, target, headers, body: Vec::new() };
        if call.header("expect").is_some() {
            (&*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        call.body = call.read_body(&mut reader)?;
        Ok(call)
    }

    fn read_body(&self, reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            loop {
                let mut size = String::new();
                reader.read_line(&mut size)?;
                let size = u64::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
                reader.by_ref().take(size).read_to_end(&mut body)?;
                let mut end = String::new();
                reader.read_line(&mut end)?;
                if size == 0 {
                    return Ok(body);
                }
            }
        }
        let length = self.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        reader.take(length).read_to_end(&mut body)?;
        Ok(body)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// Answers one request by Git's own CGI program and closes the connection.
fn serve(mut stream: &TcpStream, projects: &Path) -> std::io::Result<()> {
    let call = Call::read(stream)?;
    let (path, query) = call.target.split_once('?').unwrap_or((&call.target, ""));
    let mut backend = git(projects)
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", projects)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &call.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", call.header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", call.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", call.header("content-encoding").unwrap_or_default())
        .env("GIT_PROTOCOL", call.header("git-protocol").unwrap_or_default())
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdin = backend.stdin.take().expect("standard input is a pipe");
    let output = std::thread::scope(|scope| {
        // It may answer without reading, as for a path that is not there.
        let body = &call.body;
        scope.spawn(move || drop(stdin.write_all(body)));
        backend.wait_with_output()
    })?;
    let header_end = output.stdout.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_default();
    let headers = String::from_utf8_lossy(&output.stdout[..header_end]).into_owned();
    let body = output.stdout.get(header_end + 4..).unwrap_or_default();
    let status = headers.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len())?;
    for line in headers.lines().filter(|line| !line.starts_with("Status: ")) {
        write!(stream, "{line}\r\n")?;
    }
    stream.write_all(b"\r\n")?;
    stream.write_all(body)
}

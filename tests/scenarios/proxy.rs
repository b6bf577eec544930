//! Between the binary and the sandbox: a connection that can go away and come back, and one into the void.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::{ControlPlane, User};

/// Passes bytes between a port and the API server, until it is told to be gone.
pub(crate) struct Proxy {
    address: SocketAddr,
    server: String,
    up: Option<Up>,
}

struct Up {
    open: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Proxy {
    pub(crate) fn start(plane: &ControlPlane) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = plane.server().trim_start_matches("https://").to_owned();
        let up = Some(Up::serve(listener, server.clone()));
        Self { address, server, up }
    }

    /// Ends every connection and refuses new ones.
    pub(crate) fn down(&mut self) {
        let up = self.up.take().unwrap();
        for stream in up.open.lock().unwrap().take().unwrap() {
            drop(stream.shutdown(Shutdown::Both));
        }
        // Wakes the listener, which sees that it is over and closes its port.
        drop(TcpStream::connect(self.address));
    }

    /// Serves again, at the same port.
    pub(crate) fn up(&mut self) {
        let listener = support::eventually("the port to be free", || TcpListener::bind(self.address).ok());
        self.up = Some(Up::serve(listener, self.server.clone()));
    }

    /// A kubeconfig that goes through it.
    pub(crate) fn kubeconfig(&self, plane: &ControlPlane) -> PathBuf {
        let at = |content: &mut Value| {
            content["clusters"][0]["cluster"]["server"] = json!(format!("https://{}", self.address));
        };
        kubeconfig(plane, "proxy", at)
    }
}

impl Up {
    fn serve(listener: TcpListener, server: String) -> Self {
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let all = open.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(&server) else { continue };
                {
                    let mut all = all.lock().unwrap();
                    let Some(all) = &mut *all else { return };
                    all.extend([client.try_clone().unwrap(), upstream.try_clone().unwrap()]);
                }
                let back = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
                for (from, to) in [(client, upstream), back] {
                    std::thread::spawn(move || pass(from, to));
                }
            }
        });
        Self { open }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}

/// The kubeconfig of arrplan's user with something changed, in a file of its own.
pub(crate) fn kubeconfig(plane: &ControlPlane, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut content = plane.kubeconfig_content(User::Arrplan);
    change(&mut content);
    let file = plane.folder().join(format!("{name}.kubeconfig"));
    std::fs::write(&file, content.to_string()).unwrap();
    file
}

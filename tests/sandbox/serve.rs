//! The process behind a plane: this test binary again, as a sandbox.

use std::io::Write as _;

use arrplan::sandbox::{self, Options};
use support::Order;

/// The path of the test below.
pub(crate) const NAME: &str = "serve::serve";

/// Not a test of its own: it serves until it is killed.
#[test]
#[ignore = "the process that the other tests start"]
fn serve() {
    let Some(order) = Order::received() else { return };
    let options =
        Options { controllers: true, audit: Some(order.audit), tokens: order.tokens, ..Options::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let running = sandbox::start(options).await.unwrap();
        let folder = order.kubeconfig.parent().unwrap();
        let mut draft = tempfile::NamedTempFile::new_in(folder).unwrap();
        draft.write_all(running.kubeconfig().as_bytes()).unwrap();
        draft.persist(&order.kubeconfig).unwrap();
        std::future::pending::<()>().await;
    });
}

//! The HTTP front: TLS on loopback, who asks, which verb that is, and the answer in the form asked for.

mod answer;
mod audit;
mod body;
mod dispatch;
mod identity;
mod info;
mod negotiate;
mod options;
mod present;
mod protobuf;
mod query;
mod resource;
mod route;
mod stream;
#[cfg(test)]
mod tests;

pub(super) use audit::{AuditLog, Entry};
pub(super) use body::Decoded;
pub(super) use identity::Identity;

use std::sync::Arc;

use hyper::body::{Body, Bytes};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "faults")]
use super::faults;
use super::server::Server;

/// Answers requests until `stop`.
pub(super) async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    identity: Identity,
    stop: CancellationToken,
) {
    let identity = Arc::new(identity);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // A connection that broke before it was accepted is the client's affair.
        let Ok((stream, _)) = accepted else { continue };
        let connection = connection(Arc::clone(&server), stream, Arc::clone(&identity));
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection => {}
            }
        });
    }
}

/// Answers a request to its end, also where the client goes away meanwhile: what was committed has consequences that
/// are to be seen to.
async fn handle<B>(
    server: Arc<Server>,
    identity: Arc<Identity>,
    request: Request<B>,
) -> Response<answer::Body>
where
    B: Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let answered = tokio::spawn(async move { dispatch::handle(server, &identity, request).await });
    answered.await.unwrap_or_else(|_| {
        // As the API server says it; what happened was printed by the panic itself.
        let message = "This request caused apiserver to panic. Look in the logs for details.";
        answer::text(500, message)
    })
}

async fn connection(server: Arc<Server>, stream: TcpStream, identity: Arc<Identity>) {
    // Nagle's algorithm would hold small answers back.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let acceptor = TlsAcceptor::from(identity.tls());
    // No handshake, no request: nothing to answer.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    #[cfg(feature = "faults")]
    let (ending, service_ending) = {
        let ending = faults::Ending::default();
        (ending.clone(), ending)
    };
    let service = service_fn(move |request| {
        let (server, identity) = (Arc::clone(&server), Arc::clone(&identity));
        #[cfg(feature = "faults")]
        let ending = service_ending.clone();
        async move {
            #[cfg(feature = "faults")]
            return {
                let handle = |request| handle(Arc::clone(&server), identity, request);
                faults::around(&server.faults, &ending, request, handle).await
            };
            #[cfg(not(feature = "faults"))]
            Ok::<_, std::convert::Infallible>(handle(server, identity, request).await)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    #[cfg(feature = "faults")]
    {
        let mut connection = connection;
        let ended = (&mut connection).await;
        let stream = connection.into_parts().io.into_inner();
        if ended.is_err() && ending.is_reset() {
            // Without it the connection just ends.
            stream.get_ref().0.set_zero_linger().ok();
        }
    }
    // A broken connection has nobody to be told.
    #[cfg(not(feature = "faults"))]
    drop(connection.await);
}

//! From an origin to a stream: name, TCP, TLS, each timed.
//!
//! Sets no time limit itself: dropping the future cancels, and the timeline keeps what was spent.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::Error;
use super::io::Stream;
use super::resolve::{Addresses, Resolver};
use super::timeline::{Phase, Timeline};
use super::url::Origin;
use crate::clock::now;

/// Connects to `origin`; with `tls`, shakes hands. Leaves the timeline in the send phase.
pub(super) async fn connect(
    resolver: &Resolver,
    origin: &Origin,
    tls: Option<Arc<ClientConfig>>,
    timeline: &mut Timeline,
) -> Result<Stream, Error> {
    timeline.enter(Phase::Dns, now());
    let addresses = resolver
        .resolve(origin.host(), origin.port())
        .await
        .ok_or_else(|| Error::Resolve(origin.host().into()))?;
    timeline.enter(Phase::Connect, now());
    let tcp = connect_any(&addresses).await?;
    // Without it a request in two writes waits 40 ms for an acknowledgement.
    tcp.set_nodelay(true)
        .map_err(|error| Error::from_io(&error))?;
    let stream = match tls {
        None => Stream::Tcp(tcp),
        Some(config) => {
            timeline.enter(Phase::Tls, now());
            let shaken = TlsConnector::from(config)
                .connect(origin.server_name().clone(), tcp)
                .await;
            match shaken {
                Ok(stream) => Stream::Tls(Box::new(stream)),
                Err(error) => {
                    return Err(match Error::from_io(&error) {
                        Error::ClosedEarly => Error::Tls("server closed the connection".into()),
                        other => other,
                    });
                }
            }
        }
    };
    timeline.enter(Phase::Send, now());
    Ok(stream)
}

async fn connect_any(addresses: &Addresses) -> Result<TcpStream, Error> {
    let mut failure = Error::Unreachable;
    for (at, address) in addresses.in_order() {
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                addresses.prefer(at);
                return Ok(tcp);
            }
            Err(error) => {
                failure = Error::from_io(&error);
                if failure == Error::NoFileDescriptor {
                    break;
                }
            }
        }
    }
    Err(failure)
}

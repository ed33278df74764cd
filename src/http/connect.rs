//! From an origin to a stream: name, TCP or a Unix socket, a proxy's tunnel, TLS, each timed.
//!
//! Sets no time limit itself: dropping the future cancels, and the timeline keeps what was spent.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::client::{Client, Protocol};
use super::failure::Error;
use super::origin::Origin;
use super::resolve::Addresses;
use super::stream::Stream;
use super::timeline::{Phase, Timeline};
use crate::clock::now;

/// The version of HTTP that client and server agreed on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NegotiatedProtocol {
    Http1,
    Http2,
}

/// Connects to `origin`; with `tls`, shakes hands. Leaves the timeline in the send phase.
///
/// A proxy's tunnel counts as connecting.
pub(super) async fn connect(
    client: &Client,
    origin: &Origin,
    tls: Option<Arc<ClientConfig>>,
    timeline: &mut Timeline,
) -> Result<(Stream, NegotiatedProtocol), Error> {
    let protocol = client.options().protocol;
    let connected = if let Some(path) = origin.socket() {
        timeline.enter(Phase::Connect, now());
        let unix = UnixStream::connect(path).await;
        Stream::Unix(unix.map_err(|error| Error::from_io(&error))?)
    } else {
        let tcp = match client.options().proxy_for(origin) {
            None => connect_tcp(client, origin, timeline).await?,
            Some(proxy) => {
                let mut tcp = connect_tcp(client, proxy.origin(), timeline)
                    .await
                    .map_err(|error| match error {
                        ours @ (Error::NoFileDescriptor | Error::NoPort) => ours,
                        error => Error::Proxy(Box::new(error)),
                    })?;
                if is_tunnelled(protocol, origin) {
                    proxy.tunnel(&mut tcp, origin).await?;
                }
                tcp
            }
        };
        match tls {
            None => Stream::Tcp(tcp),
            Some(config) => return shake_hands(protocol, origin, tcp, config, timeline).await,
        }
    };
    timeline.enter(Phase::Send, now());
    let negotiated = match protocol {
        Protocol::Http2 => NegotiatedProtocol::Http2,
        Protocol::Auto | Protocol::Http1 => NegotiatedProtocol::Http1,
    };
    Ok((connected, negotiated))
}

/// Whether a proxy opens a tunnel to `origin`; otherwise it forwards requests.
pub(super) fn is_tunnelled(protocol: Protocol, origin: &Origin) -> bool {
    origin.is_tls() || protocol == Protocol::Http2
}

async fn connect_tcp(
    client: &Client,
    origin: &Origin,
    timeline: &mut Timeline,
) -> Result<TcpStream, Error> {
    timeline.enter(Phase::Dns, now());
    let resolver = client.resolver();
    let addresses = resolver
        .resolve(origin.host(), origin.port())
        .await
        .ok_or_else(|| Error::Resolve(origin.host().into()))?;
    timeline.enter(Phase::Connect, now());
    let tcp = connect_any(&addresses).await?;
    // Without it a request in two writes waits 40 ms for an acknowledgement.
    tcp.set_nodelay(true)
        .map_err(|error| Error::from_io(&error))?;
    Ok(tcp)
}

async fn shake_hands(
    protocol: Protocol,
    origin: &Origin,
    tcp: TcpStream,
    config: Arc<ClientConfig>,
    timeline: &mut Timeline,
) -> Result<(Stream, NegotiatedProtocol), Error> {
    timeline.enter(Phase::Tls, now());
    let shaken = TlsConnector::from(config)
        .connect(origin.server_name().clone(), tcp)
        .await;
    let stream = shaken.map_err(|error| match Error::from_io(&error) {
        Error::ClosedEarly => Error::Tls("server closed the connection".into()),
        other => other,
    })?;
    timeline.enter(Phase::Send, now());
    let negotiated = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => NegotiatedProtocol::Http2,
        _ if protocol == Protocol::Http2 => return Err(Error::NoHttp2),
        _ => NegotiatedProtocol::Http1,
    };
    Ok((Stream::Tls(Box::new(stream)), negotiated))
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_name_of_both_kinds_is_reached_by_the_one_that_answers() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            for listening in ["[::1]:0", "127.0.0.1:0"] {
                let listener = TcpListener::bind(listening).await.unwrap();
                let port = listener.local_addr().unwrap().port();
                // What `AAAA` and `A` records of one name give.
                let both = [("::1", port), ("127.0.0.1", port)];
                let both = both.map(|(ip, port)| SocketAddr::new(ip.parse().unwrap(), port));
                let addresses = Addresses::new(both.into());
                for _ in 0..2 {
                    let tcp = connect_any(&addresses).await.unwrap();
                    assert_eq!(tcp.peer_addr().unwrap(), listener.local_addr().unwrap());
                    // It comes first from now on.
                    let (_, first) = addresses.in_order().next().unwrap();
                    assert_eq!(first, listener.local_addr().unwrap());
                }
            }
        });
    }
}

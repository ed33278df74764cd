//! Getting a connection for a request that finds none idle: shared with others, or new.
//!
//! Owns the choice of HTTP version and the time limit for connecting; the steps are in `connect`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use rustls::ClientConfig;

use super::client::Protocol;
use super::connect::{NegotiatedProtocol, connect, is_tunnelled};
use super::connection::{Bounds, Connection};
use super::failure::{Error, Limit};
use super::multiplex::Http2Connection;
use super::origin::Origin;
use super::progress::Progress;
use super::request::Request;
use super::session::Session;
use super::slot::ConnectionSlot;
use super::timeline::Phase;
use crate::clock::now;

/// Bodies up to this many bytes are copied rather than gathered, see [`Connection::open`].
const COPIED_BODY: usize = 16 * 1024;

/// A connection of whichever version for a request.
pub(super) enum AnyConnection {
    Single(Box<Connection>),
    Shared(Rc<Http2Connection>),
}

impl Session {
    /// A connection when none is idle: shared with other requests, or new.
    pub(super) async fn acquire(
        &self,
        request: &Request,
        bounds: &Bounds<'_>,
        progress: &mut Progress,
    ) -> Result<AnyConnection, Error> {
        let Some(shared) = self.shared(request.url.origin()) else {
            return self.open(request, bounds, progress).await;
        };
        if let Some(connection) = shared.usable() {
            progress.timeline.rename(Phase::Send);
            return Ok(AnyConnection::Shared(connection));
        }
        // Several at once would each open a connection where one is enough.
        let begun = now();
        let length = self.client().options().connection_timeout;
        let mut gate = pin!(shared.gate());
        let gate = poll_fn(|cx| match gate.as_mut().poll(cx) {
            Poll::Ready(gate) => Poll::Ready(Ok(gate)),
            Poll::Pending => bounds
                .poll_expired(cx, begun, length, Limit::Connection)
                .map(Err),
        })
        .await?;
        if let Some(connection) = shared.usable() {
            progress.timeline.enter(Phase::Send, now());
            return Ok(AnyConnection::Shared(connection));
        }
        let opened = self.open(request, bounds, progress).await?;
        match &opened {
            AnyConnection::Single(_) => shared.speaks_http1(),
            AnyConnection::Shared(connection) => shared.keep(connection),
        }
        drop(gate);
        Ok(opened)
    }

    async fn open(
        &self,
        request: &Request,
        bounds: &Bounds<'_>,
        progress: &mut Progress,
    ) -> Result<AnyConnection, Error> {
        let origin = request.url.origin();
        let options = self.client().options();
        let begun = now();
        let tls = origin.is_tls().then(|| self.tls_config());
        let (stream, negotiated) = {
            let mut connecting = pin!(connect(self.client(), origin, tls, &mut progress.timeline));
            let length = options.connection_timeout;
            poll_fn(|cx| match connecting.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => bounds
                    .poll_expired(cx, begun, length, Limit::Connection)
                    .map(Err),
            })
            .await?
        };
        if negotiated == NegotiatedProtocol::Http2 {
            let connection = Http2Connection::open(stream).await?;
            return Ok(AnyConnection::Shared(Rc::new(connection)));
        }
        let gathers = request.body.len() > COPIED_BODY;
        let mut connection = Connection::open(origin.clone(), stream, gathers).await?;
        connection.is_proxied =
            options.proxy_for(origin).is_some() && !is_tunnelled(options.protocol, origin);
        Ok(AnyConnection::Single(Box::new(connection)))
    }

    /// The slot for a shared connection to `origin`; `None` if it can't be shared.
    fn shared(&self, origin: &Origin) -> Option<Rc<ConnectionSlot>> {
        match self.client().options().protocol {
            Protocol::Http1 => return None,
            Protocol::Auto if !origin.is_tls() => return None,
            Protocol::Auto | Protocol::Http2 => {}
        }
        let mut state = self.state.borrow_mut();
        let all = &mut state.get_or_insert_default().shared;
        if let Some(last) = all.last()
            && last.origin() == origin
        {
            return Some(Rc::clone(last));
        }
        let known = all.iter().position(|shared| shared.origin() == origin);
        let shared = match known {
            Some(at) => all.remove(at),
            None => ConnectionSlot::new(origin.clone()),
        };
        // As many as for HTTP/1.1; the least recently used goes first, since a server's redirects
        // may name any number of origins. Requests under way keep their connection open until they
        // end.
        let most = self.client().options().concurrency.max(1) as usize;
        if all.len() >= most {
            all.remove(0);
        }
        all.push(Rc::clone(&shared));
        Some(shared)
    }

    fn tls_config(&self) -> Arc<ClientConfig> {
        let mut state = self.state.borrow_mut();
        let config = &mut state.get_or_insert_default().tls;
        Arc::clone(config.get_or_insert_with(|| self.client().trust().config()))
    }
}

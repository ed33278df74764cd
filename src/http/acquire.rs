//! A connection for a request that finds none idle: shared with others, or opened.
//!
//! Owns the choice between the versions of HTTP and the limit of connecting; the steps of it are
//! `connect`'s.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use rustls::ClientConfig;

use super::client::Protocol;
use super::connect::{Agreed, connect, is_tunnelled};
use super::connection::{Bounds, Connection};
use super::failure::{Error, Limit};
use super::multiplex::Multiplexed;
use super::origin::Origin;
use super::request::Request;
use super::session::{Session, Trip};
use super::shared::Shared;
use super::timeline::Phase;
use crate::clock::now;

/// Bodies up to this many bytes are copied rather than gathered, see [`Connection::open`].
const COPIED_BODY: usize = 16 * 1024;

/// A connection for a request.
pub(super) enum Obtained {
    Single(Box<Connection>),
    Shared(Rc<Multiplexed>),
}

impl Session {
    /// A connection when none is idle: shared with other requests, or new.
    pub(super) async fn obtain(
        &self,
        request: &Request,
        bounds: &Bounds<'_>,
        trip: &mut Trip,
    ) -> Result<Obtained, Error> {
        let Some(shared) = self.shared(request.url.origin()) else {
            return self.open(request, bounds, trip).await;
        };
        if let Some(connection) = shared.usable() {
            trip.timeline.rename(Phase::Send);
            return Ok(Obtained::Shared(connection));
        }
        // Several at once would each open a connection, when one will do for all.
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
            trip.timeline.enter(Phase::Send, now());
            return Ok(Obtained::Shared(connection));
        }
        let opened = self.open(request, bounds, trip).await?;
        match &opened {
            Obtained::Single(_) => shared.speaks_http1(),
            Obtained::Shared(connection) => shared.keep(connection),
        }
        drop(gate);
        Ok(opened)
    }

    async fn open(
        &self,
        request: &Request,
        bounds: &Bounds<'_>,
        trip: &mut Trip,
    ) -> Result<Obtained, Error> {
        let origin = request.url.origin();
        let options = self.client().options();
        let begun = now();
        let tls = origin.is_tls().then(|| self.tls_config());
        let (stream, agreed) = {
            let mut connecting = pin!(connect(self.client(), origin, tls, &mut trip.timeline));
            let length = options.connection_timeout;
            poll_fn(|cx| match connecting.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => bounds
                    .poll_expired(cx, begun, length, Limit::Connection)
                    .map(Err),
            })
            .await?
        };
        if agreed == Agreed::Http2 {
            let connection = Multiplexed::open(stream).await?;
            return Ok(Obtained::Shared(Rc::new(connection)));
        }
        let gathers = request.body.len() > COPIED_BODY;
        let mut connection = Connection::open(origin.clone(), stream, gathers).await?;
        connection.is_proxied =
            options.proxy_for(origin).is_some() && !is_tunnelled(options.protocol, origin);
        Ok(Obtained::Single(Box::new(connection)))
    }

    /// Where connections to `origin` are shared; `None` if they can't be.
    fn shared(&self, origin: &Origin) -> Option<Rc<Shared>> {
        match self.client().options().protocol {
            Protocol::Http1 => return None,
            Protocol::Auto if !origin.is_tls() => return None,
            Protocol::Auto | Protocol::Http2 => {}
        }
        let mut kept = self.kept.borrow_mut();
        let all = &mut kept.get_or_insert_default().shared;
        if let Some(last) = all.last()
            && last.origin() == origin
        {
            return Some(Rc::clone(last));
        }
        let known = all.iter().position(|shared| shared.origin() == origin);
        let shared = match known {
            Some(at) => all.remove(at),
            None => Shared::new(origin.clone()),
        };
        // As many as of HTTP/1.1, the one unused for longest first: a server's redirects may name
        // any number of origins. What is under way on a connection keeps it to its own end.
        let most = self.client().options().concurrency.max(1) as usize;
        if all.len() >= most {
            all.remove(0);
        }
        all.push(Rc::clone(&shared));
        Some(shared)
    }

    fn tls_config(&self) -> Arc<ClientConfig> {
        let mut kept = self.kept.borrow_mut();
        let config = &mut kept.get_or_insert_default().tls;
        Arc::clone(config.get_or_insert_with(|| self.client().trust().config()))
    }
}

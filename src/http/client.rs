//! What all users of one class on one thread share: options, trust, names, timers, spare maps.
//!
//! Owns no connection and no cookie: those belong to a user's session.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use hyper::HeaderMap;

use super::origin::Origin;
use super::proxy::Proxy;
use super::refused::{Reason, RefusedCookie};
use super::resolve::Resolver;
use super::tap::Tap;
use super::tls::Trust;
use super::url::Url;
use crate::certificates::TlsError;
use crate::clock::Timers;
use crate::files::Files;

/// Header maps kept for the next requests. Keeping as many as a busy thread uses at once would only
/// be cold memory.
const SPARE_MAPS: usize = 16;
/// A map that has grown beyond this is dropped.
const SPARE_CAPACITY: usize = 128;

/// Which version of HTTP to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/2 where a server takes it in the TLS handshake (ALPN), else HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 only: by prior knowledge without TLS, else by ALPN.
    Http2,
}

/// How requests are made, for all users of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The limit for DNS, TCP and TLS together; 60 s.
    pub connection_timeout: Duration,
    /// The limit for each wait for the server's next byte; 60 s.
    pub network_timeout: Duration,
    /// How many redirects are followed; 30. With 0 the first one is an error.
    pub max_redirects: u32,
    /// How often a request is repeated after a connection error or a timeout, whatever its
    /// method; 0.
    pub max_retries: u32,
    /// Whether any certificate for any host is accepted; `false`.
    pub insecure: bool,
    /// A file with certificates in PEM to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// A file with the client's certificate and its chain in PEM.
    pub client_cert: Option<PathBuf>,
    /// A file with the certificate's key in PEM, if it is not in the same.
    pub client_key: Option<PathBuf>,
    /// What all requests go through. The environment's proxies are not used, as in Locust.
    pub proxy: Option<Proxy>,
    /// The version of HTTP.
    pub protocol: Protocol,
    /// How many requests of one user are meant to be under way at once, and how many idle
    /// connections it keeps; 10, as in Locust.
    pub concurrency: u32,
    /// The largest body in bytes, both as received and decoded; 100 MB.
    pub body_limit: u64,
    /// Where the files of certificates and keys are read.
    pub files: Files,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            connection_timeout: Duration::from_secs(60),
            network_timeout: Duration::from_secs(60),
            max_redirects: 30,
            max_retries: 0,
            insecure: false,
            ca: None,
            client_cert: None,
            client_key: None,
            proxy: None,
            protocol: Protocol::default(),
            concurrency: 10,
            body_limit: 100_000_000,
            files: Files::default(),
        }
    }
}

impl Options {
    /// Reads the certificate and key files, to report what is wrong with them.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn check(&self) -> Result<(), TlsError> {
        Trust::new(self).map(drop)
    }

    /// Whether both make connections in the same way.
    pub(super) fn connects_as(&self, other: &Options) -> bool {
        self.insecure == other.insecure
            && self.ca == other.ca
            && self.client_cert == other.client_cert
            && self.client_key == other.client_key
            && self.protocol == other.protocol
            && self.proxy == other.proxy
    }

    /// The proxy on the way to `origin`; a socket on this machine needs none.
    pub(super) fn proxy_for(&self, origin: &Origin) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| origin.socket().is_none())
    }
}

/// What the users of one class on one thread share. Clones share it too.
#[derive(Clone)]
pub struct Client {
    shared: Rc<ClientParts>,
}

struct ClientParts {
    options: Options,
    timers: Timers,
    trust: Trust,
    resolver: Resolver,
    spare: RefCell<Vec<HeaderMap>>,
    wake_flag: Arc<WakeFlag>,
    quiet: Waker,
    tap: OnceCell<Rc<dyn Tap>>,
    /// The reasons for which cookies have been refused so far: each is reported once.
    refused: Cell<u8>,
    refusal: Cell<Option<Box<RefusedCookie>>>,
}

impl Client {
    /// Makes a client for the users of this thread. The files of certificates are read here, the
    /// system's certificates at the first TLS handshake.
    ///
    /// # Errors
    /// As [`Options::check`].
    pub fn new(options: Options, timers: Timers) -> Result<Client, TlsError> {
        let trust = Trust::new(&options)?;
        let wake_flag = Arc::new(WakeFlag::default());
        Ok(Client {
            shared: Rc::new(ClientParts {
                options,
                timers,
                trust,
                resolver: Resolver::default(),
                spare: RefCell::default(),
                quiet: Waker::from(Arc::clone(&wake_flag)),
                wake_flag,
                tap: OnceCell::new(),
                refused: Cell::default(),
                refusal: Cell::default(),
            }),
        })
    }

    /// Attaches an observer to all requests from now on; a second one is ignored.
    pub fn tap(&self, tap: Rc<dyn Tap>) {
        let _ = self.shared.tap.set(tap);
    }

    pub(super) fn tapped(&self) -> Option<&dyn Tap> {
        self.shared.tap.get().map(Rc::as_ref)
    }

    /// A cookie refused since the last call; each reason is reported once.
    #[must_use]
    pub fn take_refused_cookie(&self) -> Option<Box<RefusedCookie>> {
        self.shared.refusal.take()
    }

    /// Of several at once only the first is kept; the others are reported when they come again.
    pub(super) fn cookie_refused(&self, header: &[u8], url: &Url, reason: Reason) {
        let (before, slot) = (self.shared.refused.get(), &self.shared.refusal);
        let first = slot.take();
        if first.is_some() || before & reason.bit() != 0 {
            slot.set(first);
            return;
        }
        self.shared.refused.set(before | reason.bit());
        let refused = RefusedCookie::new(header, url.origin().host(), reason);
        slot.set(Some(Box::new(refused)));
    }

    /// The options it was made with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Whether this is the very same client, not merely one like it.
    #[must_use]
    pub fn is(&self, other: &Client) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }

    pub(super) fn timers(&self) -> &Timers {
        &self.shared.timers
    }

    pub(super) fn trust(&self) -> &Trust {
        &self.shared.trust
    }

    pub(super) fn resolver(&self) -> &Resolver {
        &self.shared.resolver
    }

    pub(super) fn wake_flag(&self) -> &WakeFlag {
        &self.shared.wake_flag
    }

    /// The waker that hyper is polled with: it sets the flag and wakes no task.
    pub(super) fn quiet_waker(&self) -> &Waker {
        &self.shared.quiet
    }

    /// An empty header map, reusing the memory of an earlier response if there is one.
    pub(super) fn take_map(&self) -> HeaderMap {
        self.shared.spare.borrow_mut().pop().unwrap_or_default()
    }

    pub(super) fn give_map(&self, mut map: HeaderMap) {
        let mut spare = self.shared.spare.borrow_mut();
        if map.capacity() > 0 && map.capacity() <= SPARE_CAPACITY && spare.len() < SPARE_MAPS {
            map.clear();
            spare.push(map);
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

/// Set when hyper asks to be polled again.
///
/// hyper's halves wake each other through the task at every request. They are polled together, so
/// they need not, and each wake-up would poll the whole user once more. So hyper gets a waker that
/// only sets this flag, and the socket wakes the task (see `io`). The one wake-up that matters,
/// hyper yielding in the middle of its work, is passed on to the task.
#[derive(Default)]
pub(super) struct WakeFlag(AtomicBool);

impl WakeFlag {
    pub(super) fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for WakeFlag {
    fn wake(self: Arc<WakeFlag>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<WakeFlag>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

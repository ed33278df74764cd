//! The embedded demo server: what `katydid target` serves and what the tests send requests to.
//!
//! Owns its threads, the routes and what they answer, and the count of requests received. It knows
//! nothing of load or scripts, and is a peer for tests and demos, not a web server: no TLS, no
//! files, nothing kept when it stops. HTTP/2 is served to clients that speak it from the start.

mod body;
mod count;
mod echo;
mod form;
mod path;
mod reply;
mod route;
mod serve;
mod shop;
#[cfg(test)]
mod tests;
mod text;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

pub use count::Counts;

use count::Counter;
use serve::Threads;
use shop::Shop;

/// What to serve, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Threads that serve; 0 counts as 1. Connections are dealt to them in turn.
    pub threads: usize,
    /// Coupons of each of the three kinds at start and after `POST /reset`.
    pub stock: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            threads: 1,
            // The 20 s demo must sell out before it ends.
            stock: 300,
        }
    }
}

/// A running server. Dropping it stops it too, without waiting for its threads.
pub struct Target {
    address: SocketAddr,
    shared: Arc<ServerState>,
    threads: Threads,
}

/// What the threads share.
struct ServerState {
    shop: Mutex<Shop>,
    /// One per thread, so that counting never moves a cache line between cores.
    counters: Vec<Counter>,
}

impl Target {
    /// Binds and serves: connections are accepted from the moment it returns.
    ///
    /// # Errors
    /// When the address cannot be bound, or threads or file descriptors have run out.
    pub fn start(options: Options) -> io::Result<Target> {
        let threads = options.threads.max(1);
        let shared = Arc::new(ServerState {
            shop: Mutex::new(Shop::new(options.stock)),
            counters: (0..threads).map(|_| Counter::default()).collect(),
        });
        let listener = serve::listen(options.address)?;
        let address = listener.local_addr()?;
        let threads = Threads::start(listener, &shared)?;
        Ok(Target {
            address,
            shared,
            threads,
        })
    }

    /// Where it listens, with the actual port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has been received since the start or the last reset, as in `GET /requests`.
    ///
    /// A request counts when its head has been read, whether or not its answer could still be
    /// written. `/requests` and `/reset` themselves never count.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::sum(&self.shared.counters)
    }

    /// Stops listening, closes every connection at once and waits for the threads.
    pub fn stop(self) {
        self.threads.stop();
    }
}

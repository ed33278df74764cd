//! A user's channel to one host: a session, an address, and its requests' initial headers.
//!
//! Owns what a client consists of; `client` is what a script can do with one. It lies here, and by
//! this name, because Rhai looks up the type of `this.client` at each call, in order among the
//! paths of all types: this one comes first, the last would cost 100 instructions more.

use std::rc::Rc;

use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use rhai::EvalAltResult;

use crate::http::{self, Session, Url};
use crate::script::api::fields::header;
use crate::script::api::sent::Sent;
use crate::script::run::routes::Destination;
use crate::script::run::said_once::Once;
use crate::script::run::user::User;

/// A client of a user, as its script holds it.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) user: Rc<User>,
    pub(crate) channel: Rc<Channel>,
}

/// A channel to one host: connections, cookies, headers, and what is known of its paths.
pub(crate) struct Channel {
    pub(crate) session: Session,
    pub(crate) destination: Rc<Destination>,
}

impl Client {
    /// What is about to be sent, if the script reads it.
    pub(crate) fn sent_if_asked(&self, request: &http::Request) -> Option<Box<Sent>> {
        let keeps = self.user.class.keeps_requests;
        keeps.then(|| Sent::of(&self.channel.session, request))
    }

    /// Warns of a cookie that this user cannot use. Costs one check if there is none.
    pub(crate) fn tell_refused_cookie(&self) {
        if let Some(refused) = self.channel.session.client().take_refused_cookie() {
            self.warn_of(&refused);
        }
    }

    #[cold]
    fn warn_of(&self, refused: &http::RefusedCookie) {
        let once = Once::RefusedCookie(refused.reason.bit());
        let (who, text) = (self.user.described(), refused.to_string());
        self.user.thread.warn_once(once, who, String::new(), text);
    }

    /// The client that a user has from the start.
    pub(crate) fn of(user: &Rc<User>) -> Client {
        Client {
            user: user.clone(),
            channel: user.channel.clone(),
        }
    }
}

impl Channel {
    /// A channel with these headers and credentials from the start.
    pub(crate) fn new(
        session: Session,
        destination: Rc<Destination>,
        headers: &[(String, String)],
        auth: Option<&(String, String)>,
    ) -> Rc<Channel> {
        for (name, value) in headers_of(headers, auth, destination.base().as_ref()) {
            session.set_header(name, value);
        }
        Channel::of(session, destination)
    }

    /// A channel for a session that already has its headers.
    pub(crate) fn of(session: Session, destination: Rc<Destination>) -> Rc<Channel> {
        Rc::new(Channel {
            session,
            destination,
        })
    }

    /// The URL of a request: absolute, or relative to the host.
    pub(crate) fn url(
        &self,
        user: &User,
        path: &str,
        params: &[(String, String)],
    ) -> Result<Url, Box<EvalAltResult>> {
        match self.destination.url(path, params) {
            Some(url) => url.map_err(|wrong| wrong.to_string().into()),
            None => Err(format!(
                "`{path}` needs a host: give one with `-H http://…` or set `host` in the class `{}`",
                user.class.name
            )
            .into()),
        }
    }
}

/// What a session has from the start: these headers, and the credentials, if only of the host.
pub(crate) fn headers_of(
    headers: &[(String, String)],
    auth: Option<&(String, String)>,
    base: Option<&http::Base>,
) -> Vec<(HeaderName, HeaderValue)> {
    // Invalid headers were refused when the options were read.
    let headers = headers.iter();
    let headers = headers.filter_map(|(name, value)| header(name, value).ok());
    let given = auth.map(|(name, password)| (name.as_str(), password.as_str()));
    let credentials = given.or_else(|| base?.credentials());
    let credentials =
        credentials.map(|(name, password)| (AUTHORIZATION, http::basic_auth(name, password)));
    headers.chain(credentials).collect()
}

//! Where the relative requests of a class go, and what is known of its paths.
//!
//! Most scripts request the same few paths: checking, encoding and looking them up only once saves
//! some 500 instructions a request. A pure cache.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use hyper::Method;
use rustc_hash::FxBuildHasher;

use crate::http::{self, Request, Url, UrlError};
use crate::stats::SeriesId;

/// How many paths are cached; a script that puts ids into them would fill the memory.
const KEPT: usize = 1_024;

/// Where relative requests go, for one user class on one thread or one kind of additional client.
/// May change while users run.
#[derive(Default)]
pub(crate) struct Destination {
    base: RefCell<Option<http::Base>>,
    /// By their paths as written.
    routes: RefCell<HashMap<Box<str>, Vec<Route>, FxBuildHasher>>,
}

/// A request of some method and path without options, and the series that it counts in under its
/// own name.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) request: Rc<Request>,
    pub(crate) series: SeriesId,
}

impl Destination {
    pub(crate) fn new(base: Option<http::Base>) -> Destination {
        Destination {
            base: RefCell::new(base),
            routes: RefCell::default(),
        }
    }

    /// The host, if there is one.
    pub(crate) fn base(&self) -> Option<http::Base> {
        self.base.borrow().clone()
    }

    /// Switches to another host.
    pub(crate) fn turn_to(&self, base: Option<&http::Base>) {
        if self.base.borrow().as_ref() != base {
            *self.base.borrow_mut() = base.cloned();
            self.routes.borrow_mut().clear();
        }
    }

    /// The URL of a path; `None` if it is relative and there is no host.
    pub(crate) fn url(
        &self,
        path: &str,
        params: &[(String, String)],
    ) -> Option<Result<Url, UrlError>> {
        match &*self.base.borrow() {
            Some(base) => Some(base.url(path, params)),
            None if http::is_absolute(path) => Some(Url::absolute(path, params)),
            None => None,
        }
    }

    /// The request of that method and path.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<Route> {
        let routes = self.routes.borrow();
        let mut methods = routes.get(path)?.iter();
        methods
            .find(|route| route.request.method == *method)
            .cloned()
    }

    /// Caches a route, while there is room.
    pub(crate) fn remember(&self, path: &str, route: &Route) {
        let mut routes = self.routes.borrow_mut();
        if let Some(methods) = routes.get_mut(path) {
            methods.push(route.clone());
        } else if routes.len() < KEPT {
            routes.insert(path.into(), vec![route.clone()]);
        }
    }
}

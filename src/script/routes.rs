//! The URLs and series of requests that are made again and again.
//!
//! A script mostly asks for the same few paths: checking, encoding and looking them up once saves
//! some 500 instructions a request. Holds nothing that could not be worked out anew.

use std::cell::RefCell;
use std::collections::HashMap;

use hyper::Method;
use rustc_hash::FxBuildHasher;

use crate::http::Url;
use crate::stats::SeriesId;

/// Paths that are kept; a script that puts ids into them would fill the memory.
const KEPT: usize = 1_024;

/// What is known of one path.
struct Route {
    url: Url,
    series: Vec<(Method, SeriesId)>,
}

/// The requests of one user class on one thread, by their path as written.
#[derive(Default)]
pub(super) struct Routes(RefCell<HashMap<Box<str>, Route, FxBuildHasher>>);

impl Routes {
    /// The URL of `path` and the series of such a request under its own name.
    pub(super) fn find(&self, method: &Method, path: &str) -> Option<(Url, SeriesId)> {
        let routes = self.0.borrow();
        let route = routes.get(path)?;
        let (_, series) = route.series.iter().find(|(known, _)| known == method)?;
        Some((route.url.clone(), *series))
    }

    /// Keeps what was worked out, while there is room.
    pub(super) fn learn(&self, method: &Method, path: &str, url: &Url, series: SeriesId) {
        let mut routes = self.0.borrow_mut();
        if let Some(route) = routes.get_mut(path) {
            route.series.push((method.clone(), series));
        } else if routes.len() < KEPT {
            let series = vec![(method.clone(), series)];
            routes.insert(
                path.into(),
                Route {
                    url: url.clone(),
                    series,
                },
            );
        }
    }
}

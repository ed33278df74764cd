//! What there is: every method of every path, and who answers it.
//!
//! docs/openapi.json describes the same, but for the page's own files; a test holds one against the
//! other.

use std::sync::Arc;

use axum::routing::{self, MethodRouter};

use super::{Shared, api, assets, compare, downloads, locust, pausing, report, script};

/// A method of a path below the base path.
type Route = (&'static str, &'static str, MethodRouter<Arc<Shared>>);

macro_rules! table {
    ($($method:ident $path:literal => $handler:expr;)*) => {
        vec![$((stringify!($method), $path, routing::$method($handler))),*]
    };
}

/// All of them.
pub(super) fn all() -> Vec<Route> {
    table! {
        get "/" => assets::page;
        get "/login" => assets::page;
        get "/assets/{*path}" => assets::asset;
        get "/healthz" => async || "ok";

        get "/api/v1/info" => api::info;
        get "/api/v1/openapi.json" => api::openapi;
        get "/api/v1/state" => api::state;
        get "/api/v1/form" => api::form;
        post "/api/v1/check" => api::check;
        get "/api/v1/runs" => api::runs;
        post "/api/v1/runs" => api::start;
        get "/api/v1/runs/{number}" => api::run;
        patch "/api/v1/run" => api::change;
        post "/api/v1/run/stop" => api::stop;
        post "/api/v1/run/pause" => pausing::pause;
        post "/api/v1/run/resume" => pausing::resume;
        post "/api/v1/run/reset" => api::reset;
        post "/api/v1/run/note" => api::note;
        post "/api/v1/run/reload" => api::reload;
        get "/api/v1/snapshot" => api::snapshot;
        get "/api/v1/live" => api::live;
        get "/api/v1/timeline" => api::timeline;
        get "/api/v1/window" => compare::window;
        get "/api/v1/compare" => compare::compare;
        get "/api/v1/errors" => api::errors;
        get "/api/v1/exceptions" => api::exceptions;
        get "/api/v1/checks" => api::checks;
        get "/api/v1/logs" => api::logs;
        get "/api/v1/ratio" => api::ratio;
        get "/api/v1/script" => script::script;
        get "/api/v1/report" => report::report;
        post "/api/v1/login" => api::login;
        post "/api/v1/logout" => api::logout;

        post "/swarm" => locust::swarm;
        get "/stop" => locust::stop;
        post "/stop" => locust::stop;
        get "/stats/reset" => locust::reset;
        post "/stats/reset" => locust::reset;
        get "/stats/requests" => locust::requests;
        get "/stats/report" => report::report;
        get "/stats/requests/csv" => downloads::requests;
        get "/stats/failures/csv" => downloads::failures;
        get "/stats/requests_full_history/csv" => downloads::history;
        get "/exceptions" => locust::exceptions;
        get "/exceptions/csv" => downloads::exceptions;
        get "/tasks" => locust::tasks;
        get "/logs" => locust::logs;
        get "/worker-count" => locust::worker_count;
        post "/user" => locust::user;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_describes_every_route_and_no_other() {
        let document: Value = serde_json::from_str(api::OPENAPI).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        let described: BTreeSet<(String, String)> = paths
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().expect("methods").keys();
                methods.map(|method| (method.clone(), path.clone()))
            })
            .collect();
        let is_of_the_page =
            |path: &str| matches!(path, "/" | "/login") || path.starts_with("/assets");
        let routes = all().into_iter().map(|(method, path, _)| (method, path));
        let routes: BTreeSet<(String, String)> = routes
            .filter(|(_, path)| !is_of_the_page(path))
            .map(|(method, path)| (method.to_owned(), path.to_owned()))
            .collect();
        assert_eq!(described, routes);
    }
}

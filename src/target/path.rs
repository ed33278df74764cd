//! Which route a path means, and which methods the route takes.
//!
//! Owns the list of routes. `route` answers, and checks the argument.

/// A route of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Hello,
    Login,
    Logout,
    Coupons,
    Issue,
    Delay,
    Status,
    Bytes,
    Cut,
    Redirect,
    Cookies,
    SetCookies,
    Stall,
    Headers,
    Echo,
    Anything,
    Stream,
    Text,
    Form,
    Requests,
    Reset,
    Other,
}

impl Route {
    /// In the order of their numbers.
    pub(super) const ALL: [Route; 22] = [
        Route::Hello,
        Route::Login,
        Route::Logout,
        Route::Coupons,
        Route::Issue,
        Route::Delay,
        Route::Status,
        Route::Bytes,
        Route::Cut,
        Route::Redirect,
        Route::Cookies,
        Route::SetCookies,
        Route::Stall,
        Route::Headers,
        Route::Echo,
        Route::Anything,
        Route::Stream,
        Route::Text,
        Route::Form,
        Route::Requests,
        Route::Reset,
        Route::Other,
    ];

    /// The route of a path, and the path's argument (empty where the route has none).
    pub(super) fn of(path: &str) -> (Route, &str) {
        if path == "/hello" {
            return (Route::Hello, "");
        }
        let mut segments = path.split('/').skip(1);
        let segments = [(); 4].map(|()| segments.next());
        match segments {
            [Some("login"), None, ..] => (Route::Login, ""),
            [Some("logout"), None, ..] => (Route::Logout, ""),
            [Some("coupons"), None, ..] => (Route::Coupons, ""),
            [Some("coupons"), Some(id), Some("issue"), None] => (Route::Issue, id),
            [Some("delay"), Some(ms), None, _] => (Route::Delay, ms),
            [Some("status"), Some(status), None, _] => (Route::Status, status),
            [Some("bytes"), Some(length), None, _] => (Route::Bytes, length),
            [Some("cut"), Some(length), None, _] => (Route::Cut, length),
            [Some("redirect"), Some(hops), None, _] => (Route::Redirect, hops),
            [Some("cookies"), None, ..] => (Route::Cookies, ""),
            [Some("cookies"), Some("set"), None, _] => (Route::SetCookies, ""),
            [Some("stall"), None, ..] => (Route::Stall, ""),
            [Some("headers"), None, ..] => (Route::Headers, ""),
            [Some("echo"), None, ..] => (Route::Echo, ""),
            [Some("anything"), ..] => (Route::Anything, ""),
            [Some("stream"), Some(lines), None, _] => (Route::Stream, lines),
            [Some("text"), None, ..] => (Route::Text, ""),
            [Some("form"), None, ..] => (Route::Form, ""),
            [Some("requests"), None, ..] => (Route::Requests, ""),
            [Some("reset"), None, ..] => (Route::Reset, ""),
            _ => (Route::Other, ""),
        }
    }

    /// How the route appears in the counts.
    pub(super) fn pattern(self) -> &'static str {
        match self {
            Route::Hello => "/hello",
            Route::Login => "/login",
            Route::Logout => "/logout",
            Route::Coupons => "/coupons",
            Route::Issue => "/coupons/:id/issue",
            Route::Delay => "/delay/:ms",
            Route::Status => "/status/:n",
            Route::Bytes => "/bytes/:n",
            Route::Cut => "/cut/:n",
            Route::Redirect => "/redirect/:n",
            Route::Cookies => "/cookies",
            Route::SetCookies => "/cookies/set",
            Route::Stall => "/stall",
            Route::Headers => "/headers",
            Route::Echo => "/echo",
            Route::Anything => "/anything",
            Route::Stream => "/stream/:n",
            Route::Text => "/text",
            Route::Form => "/form",
            Route::Requests => "/requests",
            Route::Reset => "/reset",
            Route::Other => "other",
        }
    }

    /// The methods it accepts, as the `Allow` header lists them; `None` for any.
    pub(super) fn allow(self) -> Option<&'static str> {
        match self {
            Route::Hello
            | Route::Coupons
            | Route::Bytes
            | Route::Cut
            | Route::Stream
            | Route::Cookies
            | Route::SetCookies
            | Route::Text
            | Route::Requests => Some("GET, HEAD"),
            Route::Form => Some("GET, HEAD, POST"),
            Route::Login | Route::Logout | Route::Issue | Route::Reset => Some("POST"),
            Route::Delay
            | Route::Status
            | Route::Redirect
            | Route::Stall
            | Route::Headers
            | Route::Echo
            | Route::Anything
            | Route::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_listed_at_its_number_and_found_by_its_pattern() {
        for (number, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(route as usize, number);
            let (found, argument) = Route::of(route.pattern());
            assert_eq!(found, route);
            let expected = route
                .pattern()
                .split('/')
                .find(|part| part.starts_with(':'));
            assert_eq!(argument, expected.unwrap_or(""));
        }
    }

    #[test]
    fn a_path_with_more_or_less_than_its_route_is_another() {
        for path in [
            "",
            "/",
            "*",
            "/hello/",
            "/hello/x",
            "/delay",
            "/delay/1/2",
            "/coupons/1",
            "/coupons/1/issue/2",
            "/cookies/get",
            "/Hello",
        ] {
            assert_eq!(Route::of(path), (Route::Other, ""), "{path}");
        }
    }
}

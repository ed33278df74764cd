//! Cookies: stored, sent where they belong, each user its own. One session against a peer that
//! records what it was sent; `cookie_store` is the jar itself.

use super::*;

/// `/set?…` sets what its query says, everything else echoes.
async fn setting() -> Peer {
    Peer::answering(|request| {
        let path = request.split(' ').nth(1).unwrap();
        match path.split_once("?") {
            Some((_, cookie)) => {
                let cookie = cookie.replace('+', " ");
                respond(
                    "302 Found",
                    &format!("set-cookie: {cookie}\r\nlocation: /echo\r\n"),
                    "",
                )
            }
            None => ok(request),
        }
    })
    .await
}

fn cookie_line(echo: &str) -> Option<String> {
    echo.lines()
        .find_map(|line| line.strip_prefix("cookie: "))
        .map(str::to_owned)
}

#[test]
fn cookies_come_back_where_they_belong() {
    on_thread(async {
        let peer = setting().await;
        let session = session();
        // Selected again at each hop: the redirect's target already gets the cookie.
        let echo = body(&session.send(peer.get("/set?a=1;+Path=/")).await);
        assert_eq!(cookie_line(&echo).as_deref(), Some("a=1"));
        session
            .send(peer.get("/set?deep=2;+Path=/deep"))
            .await
            .result
            .unwrap();
        session
            .send(peer.get("/set?old=4;+Path=/;+Max-Age=0"))
            .await
            .result
            .unwrap();
        let at = async |path: &str| cookie_line(&body(&session.send(peer.get(path)).await));
        assert_eq!(at("/").await.as_deref(), Some("a=1"));
        let deep = at("/deep/x").await.unwrap();
        assert!(deep == "a=1; deep=2" || deep == "deep=2; a=1", "{deep}");
        session
            .send(peer.get("/set?a=;+Path=/;+Max-Age=0"))
            .await
            .result
            .unwrap();
        assert_eq!(at("/").await, None);
    });
}

#[test]
fn each_session_has_its_own_and_the_script_may_change_them() {
    on_thread(async {
        let peer = setting().await;
        let client = client(Options::default());
        let (one, other) = (Session::new(&client), Session::new(&client));
        one.send(peer.get("/set?a=1;+Path=/")).await.result.unwrap();
        assert_eq!(cookie_line(&body(&other.send(peer.get("/")).await)), None);
        assert_eq!(one.cookie("a").as_deref(), Some("1"));
        one.set_cookie("b", "2", &peer.base().url("/any/where", &[]).unwrap());
        let mut all = one.cookies();
        all.sort();
        assert_eq!(all, [("a".into(), "1".into()), ("b".into(), "2".into())]);
        one.remove_cookie("a");
        let echo = body(&one.send(peer.get("/")).await);
        assert_eq!(cookie_line(&echo).as_deref(), Some("b=2"));
        one.clear_cookies();
        assert_eq!(cookie_line(&body(&one.send(peer.get("/")).await)), None);
    });
}

#[test]
fn a_request_may_go_without_or_bring_its_own() {
    on_thread(async {
        let peer = setting().await;
        let session = session();
        session
            .send(peer.get("/set?a=1;+Path=/"))
            .await
            .result
            .unwrap();
        let mut without = peer.get("/");
        without.cookies = false;
        assert_eq!(cookie_line(&body(&session.send(without).await)), None);
        let mut own = peer.get("/");
        own.headers.insert("cookie", "mine=1".parse().unwrap());
        let echo = body(&session.send(own).await);
        assert_eq!(cookie_line(&echo).as_deref(), Some("mine=1"));
    });
}

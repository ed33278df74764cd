//! Further clients of a user, uploads, and what a script finds in responses.
//!
//! Against the embedded target, which shows what it received.

use crate::peer::{Peer, Shop};
use crate::tool::{Finished, Tool};

fn once(body: &str, peer: &impl Peer) -> Finished {
    Tool::task(body).args("-i 1").on(peer).run()
}

#[test]
fn a_further_client_has_a_host_headers_and_cookies_of_its_own() {
    let (shop, other) = (Shop::open(), Shop::open());
    let script = format!(
        r#"user("U", #{{
            state: #{{ api: () }},
            on_start: || {{
                this.api = http_client(#{{ host: "{}", headers: #{{ "X-Api": "1" }}, auth: ["a", "b"] }});
                this.api.cookies["c"] = "d";
            }},
            t: task(|| {{
                let theirs = this.api.get("/headers").json("/headers");
                print(theirs["x-api"], theirs.cookie, theirs.authorization);
                let ours = this.client.get("/headers").json("/headers");
                print(ours.keys().contains("x-api"), ours.keys().contains("cookie"));
            }}),
        }});"#,
        other.url()
    );
    let run = Tool::running(&script).args("-i 2").on(&shop).run().code(0);
    assert_eq!(run.printed()[..2], ["1 c=d Basic YTpi", "false false"]);
    assert_eq!(run.document().row("/headers"), (4, 0));
    assert_eq!((shop.count("/headers"), other.count("/headers")), (2, 2));
}

#[test]
fn without_a_host_a_further_client_goes_to_the_user_s() {
    let shop = Shop::open();
    let body = r#"print(http_client(#{}).get("/hello").status);"#;
    assert_eq!(once(body, &shop).code(0).printed(), ["200"]);
}

#[test]
fn wrong_options_of_a_further_client_are_named() {
    let shop = Shop::open();
    for (options, said) in [
        (
            r#"let o = #{ hots: "x" };"#,
            "`http_client` has no option `hots`",
        ),
        (
            r#"let o = #{ host: 7 };"#,
            "`host` of `http_client` is text",
        ),
        (r#"let o = #{ host: "ftp://x" };"#, "`host`: "),
        (r#"let o = #{ ca: "none.pem" };"#, "none.pem"),
        (
            r#"let o = #{ headers: #{ "a b": "c" } };"#,
            "`a b` is no name",
        ),
    ] {
        let run = once(&format!("{options} http_client(o);"), &shop).code(1);
        let exceptions = run.document().exceptions();
        assert!(exceptions[0].0.contains(said), "{options}: {exceptions:?}");
    }
    let run = Tool::task(r#"http_client(#{ hots: "x" });"#)
        .on(&shop)
        .run();
    run.says(&[
        "unknown option `hots` of `http_client`",
        "did you mean `host`?",
    ]);
}

#[test]
fn parts_are_uploaded_with_files_beside_the_script() {
    let shop = Shop::open();
    let body = r#"
        let r = this.client.post("/anything", #{ multipart: #{
            title: "A",
            photo: #{ file: "a.png" },
        } });
        print(r.text.contains("filename=\\\"a.png\\\""), r.text.contains("PIXELS"));
        print(r.text.contains("multipart/form-data; boundary=katydid-"));"#;
    let run = Tool::task(body)
        .file("a.png", "PIXELS")
        .args("-i 1")
        .on(&shop)
        .run()
        .code(0);
    assert_eq!(run.printed(), ["true true", "true"], "{}", run.stderr);
}

#[test]
fn what_is_wrong_with_an_upload_is_named() {
    let shop = Shop::open();
    for (options, said) in [
        (
            r#"multipart: #{ f: #{ file: "none.txt" } }"#,
            "`multipart`: the file `none.txt`: No such file",
        ),
        (
            r#"multipart: #{ a: 1 }, body: "x""#,
            "a request has one body",
        ),
        (
            r#"multipart: #{ a: 1 }, headers: #{ "Content-Type": "multipart/form-data" }"#,
            "leave it out",
        ),
    ] {
        let body = format!("this.client.post(\"/anything\", #{{ {options} }});");
        let run = once(&body, &shop).code(1);
        let exceptions = run.document().exceptions();
        assert!(exceptions[0].0.contains(said), "{options}: {exceptions:?}");
        assert_eq!(shop.counts().total, 0);
    }
}

#[test]
fn a_response_has_what_was_sent() {
    let shop = Shop::open();
    let body = r#"
        this.client.headers["X-Session"] = "s";
        let sent = this.client.post("/echo?a=b", #{ json: #{ n: 1 } }).request;
        print(sent.method, sent.url.contains("/echo?a=b"), sent.body);
        print(sent.headers["x-session"], sent.headers["content-type"]);
        let all = this.client.batch(["/hello", ["PUT", "/echo", #{ body: "x" }]]);
        print(all[0].request.method, all[1].request.body);"#;
    let run = once(body, &shop);
    assert_eq!(
        run.printed(),
        ["POST true {\"n\":1}", "s application/json", "GET x"],
        "{}",
        run.stderr
    );
}

#[test]
fn expressions_find_their_first_group_or_all() {
    let shop = Shop::open();
    let body = r#"
        let r = this.client.get("/hello");
        print(r.find("Hello, (\\w+)"), r.find("w.r"), r.find("x") == ());
        print(r.find_all("[aeiou]"), r.find_all("(l)l"), r.find_all("x"));"#;
    let run = once(body, &shop).code(0);
    assert_eq!(
        run.printed(),
        ["world wor true", r#"["e", "o", "o"] ["l"] []"#],
        "{}",
        run.stderr
    );
}

#[test]
fn a_log_in_sends_back_the_token_of_its_form() {
    let shop = Shop::open();
    let body = r#"
        let page = this.client.get("/form");
        let token = page.form_value("csrf");
        print(page.css("h1"), page.css("form", "action"), page.css("h2"), page.css("h1", "id"));
        print(token == page.find(`value="(\w+)"`), page.form_value("none") == ());
        let form = #{ csrf: token, user: "ann", password: "secret" };
        print(this.client.post("/form", #{ form: form }).css("title"));
        form.csrf = "forged";
        print(this.client.post("/form", #{ form: form, expect: 403 }).css("title"));"#;
    let run = once(body, &shop).code(0);
    assert_eq!(
        run.printed(),
        ["Log in /form  ", "true true", "Welcome", "wrong token"],
        "{}",
        run.stderr
    );
    assert_eq!(shop.count("/form"), 3);
}

#[test]
fn a_bad_selector_is_an_error_at_load_if_it_is_a_literal() {
    let shop = Shop::open();
    let run = once(r#"let r = this.client.get("/form"); r.css("a[");"#, &shop).code(2);
    run.says(&["`a[` is not a CSS selector: ", "script.rhai:2:"]);
    let body = r#"let s = "a["; this.client.get("/form").css(s);"#;
    let exceptions = once(body, &shop).code(1).document().exceptions();
    assert!(
        exceptions[0].0.starts_with("`a[` is not a CSS selector: "),
        "{exceptions:?}"
    );
}

#[test]
fn a_bad_expression_is_an_error_at_load_if_it_is_a_literal() {
    let shop = Shop::open();
    let run = once(
        r#"let r = this.client.get("/hello"); r.find("a(b");"#,
        &shop,
    )
    .code(2);
    run.says(&["`a(b` is not a regular expression: unclosed group"]);
    let body = r#"let p = "a(b"; this.client.get("/hello").find(p);"#;
    let exceptions = once(body, &shop).code(1).document().exceptions();
    assert_eq!(
        exceptions[0].0,
        "`a(b` is not a regular expression: unclosed group"
    );
}

//! Scripts that are right: not one of them may have a finding.
//!
//! A false alarm is worse than a miss: doubtful cases belong here.

use super::{lines, lines_of};

const HELLO: &str = r#"
// Locust's locustfile-hello.py, in Rhai
user("HelloWorld", #{
    connection_timeout: 10.0,
    network_timeout: 10.0,

    hello: task(|| {
        this.client.get("/hello");
    }),
});
"#;

const SHOPPER: &str = r#"
const LANGUAGE = param("language", "ko", #{ help: "Accept-Language to send" });
let products = [#{ id: 1 }, #{ id: 2 }];

user("Shopper", #{
    host: "http://localhost:8080",                   // -H / --host overrides it
    weight: 3,                                       // or fixed_count: 2
    wait_time: between(1, 5),
    headers: #{ "Accept-Language": LANGUAGE },
    state: #{ token: (), cart: [] },                 // the user's own data: this.token, this.cart

    on_start: || {
        let r = this.client.post("/login", #{ json: #{ user: "ann", password: env("PASSWORD", "x") } });
        this.token = r.json("/token");
        this.client.headers["Authorization"] = `Bearer ${this.token}`;     // from now on
    },

    price_of: |id| this.client.get(`/products/${id}`, #{ name: "/products/[id]" }).json("/price"),

    browse: task(3, || {                             // @task(3)
        this.price_of(choice(products).id);
        this.cart.push(1);
        this.visits = vu_iteration();
    }),

    issue_coupon: task(#{ weight: 2, name: "coupon" }, || {
        let r = this.client.post("/coupons/1/issue", #{ expect: [200, 409] });      // sold out is a correct answer
        if r.status == 200 && r.json("/serial") == () { r.failure("no serial"); }
        if this.visits > 3 { stop_user(); }
    }),

    on_stop: || { this.client.post("/logout"); },
});

options(#{ users: 100, spawn_rate: 10, run_time: "1m30s", seed: 7 });
"#;

const VARIED: &str = r#"
import "helpers/lib" as lib;
let words = ["a", "b"].map(|word| word.to_upper());
let total = 0;
for word in words { total += word.len(); }

fn greet(name) { `hello ${name}` }
fn remember(key, value) { this.last = value; print(this.last); }
fn shared_task() { this.client.get("/shared"); sleep(0.1); }

let make = |path| task(|| { this.client.get(path); });

let Base = #{
    state: #{ count: 0 },
    wait_time: || random() * 2.0,
    add: |n| { this.count += n; this.count },
};

for name in ["One", "Two"] {
    user(name, extend(Base, #{
        a: task(|| {
            for i in 0..3 {
                let r = this.client.request("PUT", "/x", #{ body: to_json(#{ i: i }), timeout: "250ms" });
                if !r.ok { log_warn("bad", r.status, r.error); break; }
            }
            let seen = [];
            words.for_each(|word| seen.push(word));
            let copy = words;
            copy.push("c");
            switch random(1, 3) { 1 => this.add(1), 2 => lib::pause(2), _ => { } }
            try { throw "x"; } catch (error) { print(error); }
            this.remember("k", total + lib::LIMIT);
            print(greet(vu_class()), get(#{ a: 1 }, "a", 0), uuid().len(), now_iso());
            let by_code = #{ handler: |r| r.status };
            by_code.handler(this.client.get("/")).to_string();
            this.last = "é".sub_string(0, 1);
        }),
        b: task(2, Fn("shared_task")),
        c: task(shared_task),
        d: make.call("/d"),
        e: lib::browse,
    }));
}
"#;

const LIB: &str = r#"
export const LIMIT = 3;
export let browse = task(|| { this.client.get("/"); this.count; });
fn pause(seconds) { sleep(seconds); }
"#;

#[test]
fn right_scripts_have_no_findings() {
    assert_eq!(lines(HELLO), "");
    assert_eq!(lines(SHOPPER), "");
    assert_eq!(
        lines_of(&[("main.rhai", VARIED), ("helpers/lib.rhai", LIB)]),
        ""
    );
}

/// The page's own example.
const OF_THE_PAGE: &str = r#"
let products = csv("products.csv");
let accounts = csv("accounts.csv", #{ mode: "unique" });
user("Shopper", #{
    state: #{ token: () },
    on_start: || {
        let account = accounts.next();
        let r = this.client.post("/login", #{ json: #{ user: account.name } });
        this.token = r.json("/token");
    },
    price_of: |id| this.client.get(`/products/${id}`).json("/price"),
    browse: task(3, || { this.price_of(products.random().id); }),
    issue_coupon: task(#{ tags: ["coupon"] }, || { }),
    support: task_set(#{
        weight: 1,
        wait_time: constant(0.5),
        on_start: || { this.client.get("/support"); },
        read: task(5, || this.client.get("/faq")),
        leave: task(|| interrupt()),
    }),
});
"#;

#[test]
fn the_example_of_the_page_is_right() {
    assert_eq!(lines(OF_THE_PAGE), "");
}

#[test]
fn waits_of_every_kind_are_right() {
    for wait in [
        "constant(1)",
        "between(1, 5)",
        "constant_pacing(2)",
        "constant_throughput(0.5)",
        "poisson(3)",
        "2",
        "\"250ms\"",
        "|| 1 + 1",
    ] {
        let script = format!("user(\"A\", #{{ wait_time: {wait}, run: task(|| {{}}) }});");
        assert_eq!(lines(&script), "", "{wait}");
    }
}

#[test]
fn what_cannot_be_seen_is_not_judged() {
    for script in [
        "fn make() { #{} } user(\"A\", make());",
        "fn make() { #{} } user(\"A\", extend(make(), #{ x: task(|| this.unknown) }));",
        "fn t() { task(|| {}) } user(\"A\", #{ odd_name: t() });",
        "fn total() { this.price * this.count() } user(\"A\", #{ run: task(|| #{ price: 1, count: || 2 }.total()) });",
        "let item = #{ of: || this.unknown }; user(\"A\", #{ run: task(|| item.of()) });",
        "let words = [\"b\"]; user(\"A\", #{ run: task(|| words.map(|w| w + 1).sort()) });",
        "user(\"A\", #{ run: task(|| [1].map(|x| this.unknown + x)) });",
        "user(\"A\", #{ run: if 1 > 2 { task(|| 1) } else { task(|| 2) } });",
        "user(\"A\", #{ run: task(|| { for key in this.keys() { print(this[key]); } if \"x\" in this { } }) });",
        "user(\"A\", #{ run: task(|| { this.client.headers = #{}; this.client.cookies[\"a\"] = (); }) });",
        "user(\"A\", #{ run: task(|| { let r = this.client.get(\"/\"); print(r.timings.wait, r.headers[\"a\"], r.json().find(|x| x > 1)); }) });",
        "let f = || 1; user(\"A\", #{ run: task(f), other: f, third: || this.other() });",
        "fn s() { #{} } user(\"A\", #{ state: s(), run: task(|| this.unknown) });",
        "if true { user(\"A\", #{ run: task(|| {}) }); } else { user(\"A\", #{ run: task(|| {}) }); }",
        "user(\"A\", #{ run: task(|| { let c = this.client; c.get(\"/\").json().x.len(); }) });",
    ] {
        let found = lines(script);
        assert_eq!(found, "", "{script}");
    }
}

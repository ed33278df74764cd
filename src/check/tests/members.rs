//! Calls, and what is read and assigned on users, clients and responses.
//!
//! What is declared is in `classes`.

use insta::assert_snapshot;

use super::{in_task, lines};

fn all(cases: &[&str]) -> String {
    let findings: Vec<_> = cases.iter().map(|case| in_task(case)).collect();
    findings.join("\n")
}

#[test]
fn unknown_functions_and_arities() {
    assert_snapshot!(all(&[
        "foo(1);",
        "chioce([1]);",
        "let x = str(1);",
        "for i in range(10) { }",
        "random(1);",
        "next();",
        "sleep();",
        "get(\"/hello\");",
        "price_of(1);",
        "uuid4();",
        "env();",
    ]), @r"
        1:36: unknown function `foo`; hint: define it: `fn foo(…) { … }`
        1:36: unknown function `chioce`; hint: did you mean `choice`?
        1:44: unknown function `str`; hint: write `x.to_string()`, or `` `${x}` `` inside a text
        1:45: `range` takes 2 or 3 arguments, not 1; hint: write `0..n`: `for i in 0..10 { … }`
        1:36: `random` takes 0 or 2 arguments, not 1; hint: `random`: from 0 to below 1; or between two finite numbers, the smaller first: a whole one from two whole ones, both included
        1:36: unknown function `next`; hint: it is a method: `data.next(…)`
        1:36: `sleep` takes 1 argument, not 0; hint: `sleep`: suspends this user, and no other
        1:36: `get` takes 2 or 3 arguments, not 1; hint: `get`: a map's value, or another if it has none
        1:36: unknown function `price_of`; hint: methods and tasks are called on the user: `this.price_of(…)`
        1:36: unknown function `uuid4`; hint: write `uuid()`
        1:36: `env` takes 1 or 2 arguments, not 0; hint: `env`: an environment variable; unset, it is an error or the given value
        ");
    assert_snapshot!(lines("fn f(a, b) { a + b } let x = f(1);"), @r"1:30: `f` takes 2 arguments, not 1");
}

#[test]
fn what_nothing_sets_is_not_read() {
    assert_snapshot!(all(&[
        "let url = \"/\" + this.tokn;",
        "this.cout += 1;",
        "this.stats.n = 1;",
        "print(this.id);",
        "let x = this.get;",
        "this.zebra.push(1);",
        "this.clent.get(\"/\"); this.clent.headers[\"A\"] = \"b\";",
    ]), @r#"
        1:57: nothing sets `this.tokn`; hint: did you mean `this.token`?
        1:41: nothing sets `this.cout`; hint: set it at first: `state: #{ cout: … }`, or in `on_start`
        1:41: nothing sets `this.stats`; hint: set it at first: `state: #{ stats: … }`, or in `on_start`
        1:47: nothing sets `this.id`; hint: did you mean `vu_id()`?
        1:49: nothing sets `this.get`; hint: did you mean `this.client.get`?
        1:41: nothing sets `this.zebra`; hint: set it at first: `state: #{ zebra: … }`, or in `on_start`
        1:41: nothing sets `this.clent`; hint: did you mean `this.client`?
        1:62: nothing sets `this.clent`; hint: did you mean `this.client`?
        "#);
    assert_snapshot!(all(&[
        "this.token = 1; print(this.token); this.cart.push(2);",
        "this.later = 1; let x = this.later;",
        "this[\"a\" + 1] = 1; let x = this.anything;",
        "this.mixin(#{ b: 1 }); let x = this.b;",
    ]), @"");
}

#[test]
fn methods_of_the_user() {
    assert_snapshot!(all(&[
        "this.price_of(1); this.browse(); this.keys();",
        "this.price_of();",
        "this.browse(1);",
        "this.prce_of(1);",
        "this.get(\"/hello\");",
        "this.post(\"/hello\");",
        "this.sleep(1);",
        "this.zebra();",
        "this.interrupt();",
        "this.clear();",
        "this.remove(\"client\");",
        "this.remove(\"token\");",
        "this.client = 1;",
        "this[\"client\"] = 1;",
        "this = #{};",
    ]), @r#"
        1:41: `price_of` takes 1 argument, not 0
        1:41: `browse` takes no argument, not 1
        1:41: a user has no method `prce_of`; hint: did you mean `price_of`?
        1:41: a user has no method `get`; hint: write `this.client.get(…)`
        1:41: a user has no method `post`; hint: write `this.client.post(…)`
        1:41: a user has no method `sleep`; hint: it is a function: write `sleep(…)`
        1:41: a user has no method `zebra`; hint: write it into the class: `zebra: |…| { … }`
        1:41: a user has no method `interrupt`; hint: it is a function: write `interrupt(…)`
        1:41: `this.clear()` would throw the user's client away; hint: remove single members: `this.name = ()`
        1:41: `this.remove("client")` would throw the user's client away; hint: a user keeps its client; `this.client.cookies.clear()` makes it forget

        1:41: `this.client` cannot be replaced; hint: headers and cookies are set on it: `this.client.headers["Name"] = "value"`
        1:41: `this.client` cannot be replaced; hint: headers and cookies are set on it: `this.client.headers["Name"] = "value"`
        1:36: `this` cannot be replaced: it holds the user's client; hint: assign its members: `this.name = …`
        "#);
    let with_fn = "\
fn log_in(name) { this.token = name; }
user(\"A\", #{ run: task(|| { this.log_in(\"a\"); this.log_in(); print(this.token); }) });";
    assert_snapshot!(lines(with_fn), @r"2:52: `log_in` takes 1 argument, not 0");
}

#[test]
fn requests_and_their_options() {
    assert_snapshot!(all(&[
        "this.client.get();",
        "this.client.fetch(\"/\");",
        "this.client.gte(\"/\");",
        "this.client.header[\"A\"] = \"b\";",
        "this.client.headers[\"A\"] = \"b\"; this.client.cookies.clear();",
        "this.client.base_url;",
        "this.client.post(\"/\", #{ data: 1, nmae: \"x\", username: \"a\", zebra: 1 });",
        "this.client.request(\"GET\", \"/\", #{ headres: #{} });",
        "let c = this.client; c.post(\"/\", #{ jsn: 1 });",
        "this.client.post(\"/\", #{ json: #{ username: 1 }, expect: [200, 409] });",
    ]), @r#"
        1:48: `get` takes 1 or 2 arguments, not 0; hint: `.get(path: string, options?: map) -> response`: a GET request
        1:48: a client has no `fetch`; hint: a client has `get`, `post`, `put`, `patch`, `delete`, `head`, `options`, `request`, `rest`, `batch`, `headers` and `cookies`
        1:48: a client has no `gte`; hint: did you mean `get`?
        1:48: a client has no `header`; hint: did you mean `headers`?

        1:48: a client has no `base_url`; hint: the host is the class's attribute `host`, or `-H`
        1:61: unknown request option `data`; hint: did you mean `form: #{…}`, or `body` for raw text?
        1:70: unknown request option `nmae`; hint: did you mean `name`?
        1:81: unknown request option `username`; hint: did you mean `form: #{…}` (or `json`) around it, or `auth: ["user", "password"]`?
        1:96: unknown request option `zebra`; hint: did you mean `form: #{ zebra: … }`, `json: #{ zebra: … }` or `params: #{ zebra: … }`?
        1:71: unknown request option `headres`; hint: did you mean `headers`?
        1:72: unknown request option `jsn`; hint: did you mean `json`?
        "#);
}

#[test]
fn responses_and_their_members() {
    assert_snapshot!(all(&[
        "let r = this.client.get(\"/\"); r.stauts;",
        "let r = this.client.get(\"/\"); r.json;",
        "let r = this.client.get(\"/\"); r.json(1, 2);",
        "let r = this.client.get(\"/\"); r.raise_for_status();",
        "let r = this.client.get(\"/\"); r.token;",
        "let r = this.client.get(\"/\").jsn(\"/a\");",
        "let r = this.client.get(\"/\"); r = #{ own: 1 }; r.own;",
        "let r = this.client.get(\"/\"); if r.status != 200 || r.text().len() < 3 { r.failure(\"x\"); }",
        "let r = this.client.get(\"/\"); r.check(\"x\", r.ok); r.expect(r.json(\"/a/b\") == 1, \"why\");",
        "let r = this.client.get(\"/\"); for c in r.json().items { c.name.to_upper(); }",
    ]), @r#"
        1:68: a response has no `stauts`; hint: did you mean `status`?
        1:68: a response has no `json`; hint: call it: `.json(…)`
        1:68: `json` takes 0 or 1 arguments, not 2; hint: `.json() -> any`, `.json(pointer: string) -> any`: the body's value (parsed once; an error if it is not JSON), or what a JSON pointer finds in it, `()` if nothing
        1:68: unknown method `raise_for_status`; hint: leave it out: a status of 400 or more is a failure by itself
        1:68: a response has no `token`; hint: a field of a JSON body is `.json("/field")`
        1:65: unknown method `jsn`; hint: did you mean `json`?
        "#);
}

#[test]
fn methods_of_unknown_values() {
    assert_snapshot!(all(&[
        "let s = \" a \"; s.strip();",
        "let s = [1]; s.psh(1);",
        "let s = [1]; s.push();",
        "let s = #{ f: |x| x }; s.f(1);",
        "let s = [1, 2].filter(|x| x > 1).map(|x| `${x}`).join(\", \");",
        "let s = #{}; s.get(\"a\", 1);",
        "this.cart.append(1); this.cart.append([1]);",
        "let c = this.client; c.get(`/a/${1}`, #{ nmae: 1 }); #{}.get(\"/\");",
    ]), @r"
        1:53: unknown method `strip`; hint: write `text.trim()`, which changes the text
        1:51: unknown method `psh`; hint: did you mean `push`?
        1:51: `push` takes 1 argument, not 0



        warning: 1:46: `append` joins two arrays; hint: write `push(…)` to add one element
        1:77: unknown request option `nmae`; hint: did you mean `name`?
        ");
}

#[test]
fn what_is_set_and_never_read_is_perhaps_mistyped() {
    assert_snapshot!(all(&[
        "this.toke = 1;",
        "this.toke = 1; print(this.toke);",
        "this.toke = 1; print(this[\"toke\"]);",
        "this.toke += 1;",
        "this.something_else = 1;",
        "this.token = 1;",
    ]), @r#"
    warning: 1:41: `this.toke` is set and never read; hint: did you mean `this.token`?


    1:41: nothing sets `this.toke`; hint: did you mean `this.token`?
    "#);
}

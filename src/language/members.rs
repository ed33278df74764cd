//! Keys and members: attributes of classes, options of calls, members of clients and responses.
//!
//! Only the table; what is called by its name alone is in `functions`.

use super::{Kind, Word};

const fn attribute(name: &'static str, doc: &'static str) -> Word {
    Word::new(Kind::Attribute, name, doc)
}

const fn option(kind: Kind, name: &'static str, doc: &'static str) -> Word {
    Word::new(kind, name, doc)
}

const fn request(name: &'static str, doc: &'static str) -> Word {
    Word::new(Kind::RequestOption, name, doc)
}

const fn record(name: &'static str, doc: &'static str) -> Word {
    Word::new(Kind::RecordOption, name, doc)
}

const fn property(name: &'static str, doc: &'static str) -> Word {
    Word::new(Kind::ResponseProperty, name, doc).in_task()
}

const fn on_client(name: &'static str, signs: &'static [&'static str], doc: &'static str) -> Word {
    Word::new(Kind::ClientMethod, name, doc)
        .signs(signs)
        .in_task()
}

const fn on_response(
    name: &'static str,
    signs: &'static [&'static str],
    doc: &'static str,
) -> Word {
    Word::new(Kind::ResponseMethod, name, doc)
        .signs(signs)
        .in_task()
}

pub(super) const MEMBERS: &[Word] = &[
    attribute("host", "the address that paths are relative to, or a socket `http+unix://%2Fpath/base`; `-H` overrides it").signs(&["string"]).example("host: \"http://localhost:8080\","),
    attribute("weight", "its share of the users, relative to the other classes").signs(&["number"]).default("1"),
    attribute("fixed_count", "exactly so many users, whatever the weights").signs(&["int"]),
    attribute("wait_time", "how long a user waits between two tasks; a closure returns seconds").signs(&["wait | seconds | closure"]).default("constant(0)").example("wait_time: between(1, 5),"),
    attribute("connection_timeout", "what DNS, TCP and TLS together may take").signs(&["seconds"]).default("60.0"),
    attribute("network_timeout", "how long the server's next byte may take").signs(&["seconds"]).default("60.0"),
    attribute("max_redirects", "how many redirects are followed; they lead to `http` and `https` only").signs(&["int"]).default("30"),
    attribute("max_retries", "how often a failed connection is tried again").signs(&["int"]).default("0"),
    attribute("insecure", "true: certificates are not verified").signs(&["bool"]).default("false"),
    attribute("headers", "headers of every request, until the user changes `this.client.headers`; at most 1,000, and 1 MiB in all").signs(&["map | pairs"]).example("headers: #{ \"Accept-Language\": \"en\" },"),
    attribute("auth", "user name and password of every request").signs(&["array"]).example("auth: [\"user\", \"password\"],"),
    attribute("proxy", "what all requests go through; TLS and HTTP/2 by a tunnel").signs(&["string"]).example("proxy: \"http://user:password@localhost:3128\","),
    attribute("concurrency", "how many requests of a batch run at once, and how many idle connections a user keeps").signs(&["int"]).default("10"),
    attribute("http", "the version of HTTP: \"1.1\", \"2\", or \"auto\" for what a TLS server chooses").signs(&["string"]).default("\"auto\""),
    attribute("ca", "a PEM file of authorities to trust, beside those of the system").signs(&["string"]),
    attribute("client_cert", "a PEM file with the client's certificate, beside the script").signs(&["string"]),
    attribute("client_key", "a PEM file with the client's key, if it is not in the same").signs(&["string"]),
    attribute("state", "the user's own data: `this.name`").signs(&["map"]).default("#{}").example("state: #{ token: (), cart: [] },"),
    attribute("on_start", "runs when a user starts, before its first task").signs(&["closure"]).example("on_start: || { this.client.post(\"/login\"); },"),
    attribute("on_stop", "runs when a user stops").signs(&["closure"]),
    attribute("on_reload", "runs when a user goes on with an edited script; `on_start` does not run again").signs(&["closure"]).example("on_reload: || { this.cart = []; },"),
    option(Kind::TaskOption, "weight", "how often it is picked, relative to the others").signs(&["int"]).default("1"),
    option(Kind::TaskOption, "name", "its name in the reports, in place of its key").signs(&["string"]),
    option(
        Kind::TaskOption,
        "tags",
        "for `--tags` and `--exclude-tags`",
    )
    .signs(&["array | string"]),
    option(Kind::SetAttribute, "weight", "how often it is picked, relative to the tasks beside it").signs(&["int"]).default("1"),
    option(Kind::SetAttribute, "name", "its name in the reports, in place of its key").signs(&["string"]),
    option(Kind::SetAttribute, "tags", "tags of all its tasks").signs(&["array | string"]),
    option(Kind::SetAttribute, "wait_time", "how long a user waits between its tasks, in place of the class's").signs(&["wait | seconds | closure"]),
    option(Kind::SetAttribute, "on_start", "runs each time a user enters it").signs(&["closure"]),
    option(Kind::SetAttribute, "on_stop", "runs each time a user leaves it").signs(&["closure"]),
    option(Kind::MarkovOption, "states", "its states: each a map with `run` and `next`").signs(&["map"]),
    option(Kind::MarkovOption, "first", "the state that an entry begins with").signs(&["string"]),
    option(Kind::MarkovOption, "weight", "how often it is picked, relative to the tasks beside it").signs(&["int"]).default("1"),
    option(Kind::MarkovOption, "name", "its name in the reports, in place of its key").signs(&["string"]),
    option(Kind::MarkovOption, "wait_time", "how long a user waits between its states, in place of the class's").signs(&["wait | seconds | closure"]),
    option(Kind::MarkovOption, "on_start", "runs each time a user enters it").signs(&["closure"]),
    option(Kind::MarkovOption, "on_stop", "runs each time a user leaves it").signs(&["closure"]),
    option(Kind::StateOption, "run", "what it runs: a closure, a function's name or a set").signs(&["closure | string | task"]),
    option(Kind::StateOption, "next", "the states that may follow: weights by name, an array of names, or one name").signs(&["map | array | string"]),
    request("name", "its row in the reports, in place of its path").signs(&["string"]).example("this.client.get(`/items/${id}`, #{ name: \"/items/[id]\" });"),
    request("headers", "further headers, at most 1,000, and 1 MiB in all").signs(&["map | pairs"]),
    request("params", "the query of the URL; an array sends its name once for each element").signs(&["map | pairs"]).example("params: #{ page: 2 }"),
    request("json", "a body, sent as JSON; an error for what JSON has no word for, such as `NaN`").signs(&["any"]).example("json: #{ name: \"Ann\" }"),
    request("form", "a body, sent as a form; an array sends its name once for each element").signs(&["map | pairs"]),
    request("body", "a body, sent as it is").signs(&["string | bytes"]),
    request("multipart", "a body of several parts: text, numbers, bytes, or `#{ file, name, type, body }`, files beside the script").signs(&["map | pairs"]).example("multipart: #{ title: \"A\", photo: #{ file: \"a.png\" } }"),
    request("auth", "user name and password: `[\"user\", \"password\"]`").signs(&["array"]),
    request("timeout", "what the whole request may take").signs(&["seconds"]),
    request("allow_redirects", "whether redirects are followed; `head` follows none by itself").signs(&["bool"]).default("true"),
    request("cookies", "cookies in place of the user's; `false` sends none").signs(&["map | bool"]).default("true"),
    request("expect", "the status, or an array of them, that is a success; without it all below 400 are").signs(&["int | array"]).example("expect: [200, 404]"),
    request("tags", "labels of the sample").not_yet(),
    request("stream", "true: the response is there with its head, and its body is read as it comes, by `lines()`; `text` and `json()` wait for all of it").signs(&["bool"]).default("false"),
    request("record", "false: sent, but in no statistics; cut in mid-request it still counts as in flight").signs(&["bool"]).default("true"),
    request("type", "the protocol it counts as, in place of its method").signs(&["string"]).example("type: \"xmlrpc\""),
    option(Kind::ScenarioOption, "users", "as `--users`").signs(&["int"]).default("1"),
    option(Kind::ScenarioOption, "spawn_rate", "as `--spawn-rate`").signs(&["number"]).default("1"),
    option(Kind::ScenarioOption, "run_time", "as `--run-time`").signs(&["seconds"]),
    option(Kind::ScenarioOption, "iterations", "as `--iterations`").signs(&["int"]),
    option(Kind::ScenarioOption, "host", "as `--host`").signs(&["string"]),
    option(Kind::ScenarioOption, "stop_timeout", "as `--stop-timeout`").signs(&["seconds"]).default("0"),
    option(Kind::ScenarioOption, "on_stop_timeout", "as `--on-stop-timeout`").signs(&["seconds"]).default("5"),
    option(Kind::ScenarioOption, "seed", "as `--seed`").signs(&["int"]),
    option(
        Kind::ScenarioOption,
        "thresholds",
        "what must hold for exit code 0",
    )
    .not_yet(),
    option(Kind::ScenarioOption, "tags", "as `--tags`").signs(&["array | string"]),
    option(Kind::ScenarioOption, "exclude_tags", "as `--exclude-tags`").signs(&["array | string"]),
    option(Kind::ParamOption, "help", "what it is for, in one line").signs(&["string"]),
    option(Kind::ParamOption, "choices", "the values it may have").signs(&["array"]),
    option(Kind::ParamOption, "secret", "true: `***` in its place in logs, names and reports").signs(&["bool"]).default("false"),
    option(Kind::ParamOption, "required", "true: must be given").signs(&["bool"]).default("false"),
    option(Kind::ParamOption, "ui", "false: not in the form").signs(&["bool"]).default("true"),
    on_client("get", &["(path: string, options?: map) -> response"], "a GET request").example("let r = this.client.get(\"/items\", #{ params: #{ page: 2 } });"),
    on_client("post", &["(path: string, options?: map) -> response"], "a POST request").example("this.client.post(\"/items\", #{ json: #{ name: \"pen\" } });"),
    on_client("put", &["(path: string, options?: map) -> response"], "a PUT request"),
    on_client("patch", &["(path: string, options?: map) -> response"], "a PATCH request"),
    on_client("delete", &["(path: string, options?: map) -> response"], "a DELETE request"),
    on_client("head", &["(path: string, options?: map) -> response"], "a HEAD request; it follows no redirects by itself"),
    on_client("options", &["(path: string, options?: map) -> response"], "an OPTIONS request"),
    on_client("request", &["(method: string, path: string, options?: map) -> response"], "a request of any method").example("this.client.request(\"PURGE\", \"/cache\");"),
    on_client("batch", &["(requests: array) -> array"], "several requests at once; their responses in the list's order, all verdicts open").example("this.client.batch([[\"GET\", \"/a\"], [\"POST\", \"/b\", #{ json: 1 }]]);"),
    on_client("rest", &["(method: string, path: string, options?: map) -> response"], "a request with JSON in and out: a body that is not JSON is a failure, and `json()` gives `()` for it and for none").example("let id = this.client.rest(\"POST\", \"/items\", #{ json: #{ name: \"pen\" } }).json(\"/id\");"),
    Word::new(
        Kind::ClientProperty,
        "headers",
        "headers of every further request; `()` removes one",
    )
    .signs(&["headers"])
    .example("this.client.headers[\"Authorization\"] = `Bearer ${this.token}`;")
    .in_task(),
    Word::new(
        Kind::ClientProperty,
        "cookies",
        "the cookies of this user; `()` removes one, `clear()` all",
    )
    .signs(&["cookies"])
    .example("this.client.cookies[\"consent\"] = \"yes\";")
    .in_task(),
    property("status", "the status code; 0 without a response").signs(&["int"]),
    property("status_code", "`status` in Locust's spelling").signs(&["int"]),
    property("ok", "true if there was a response and its status is below 400").signs(&["bool"]),
    property("reason", "the text beside the status code").signs(&["string"]),
    property("text", "the body as text, in the charset that `Content-Type` names; a byte order mark outdoes it, and what is unknown is read as UTF-8").signs(&["string"]),
    property("bytes", "the body as bytes").signs(&["bytes"]),
    property("headers", "the headers, their names in small letters").signs(&["map"]),
    property("cookies", "the cookies that the response set").signs(&["map"]),
    property("url", "the last URL, after redirects").signs(&["string"]),
    property("request", "what was sent, before any redirect: `method`, `url`, `headers`, `body`").signs(&["map"]),
    property("elapsed", "seconds until the whole response was there").signs(&["float"]),
    property("timings", "the phases in seconds: `blocked`, `dns`, `connect`, `tls`, `send`, `wait`, `receive`").signs(&["map"]).example("r.timings.wait"),
    property("error", "why there was no response; `()` if there was one").signs(&["string | ()"]),
    property("length", "the length of the body in bytes").signs(&["int"]),
    on_response("text", &["() -> string"], "`text` in Locust's spelling"),
    on_response("json", &["() -> any", "(pointer: string) -> any"], "the body's value (parsed once; an error if it is not JSON), or what a JSON pointer finds in it, `()` if nothing").example("let id = r.json(\"/items/0/id\");"),
    on_response("header", &["(name: string) -> string | ()"], "one header; `()` if there is none"),
    on_response("lines", &["() -> lines"], "the body line by line, for `for line in r.lines() { … }`; with `stream: true` each step waits for the next line"),
    on_response("find", &["(pattern: string) -> string | ()"], "what a regular expression finds first in the body: its first group, or all if it has none").example("let token = r.find(`name=\"csrf\" value=\"([^\"]+)\"`);"),
    on_response("find_all", &["(pattern: string) -> array"], "the same of all places"),
    on_response("form_value", &["(name: string) -> string | ()"], "what a browser would send for a form's field of that name in an HTML page; `()` if there is none; an error if the page is nested thousands deep").example("let token = r.form_value(\"csrf\");"),
    on_response("css", &["(selector: string) -> string | ()", "(selector: string, attribute: string) -> string | ()"], "of the first element of an HTML page that a CSS selector finds: its text, trimmed, or an attribute; `()` if there is none; an error if the page is nested thousands deep").example("let next = r.css(\"a.next\", \"href\");"),
    on_response("failure", &["(why: any)"], "this sample is a failure, for that reason").example("if r.text != \"ok\" { r.failure(`wrong text: ${r.text}`); }"),
    on_response("success", &["()"], "this sample is a success, whatever its status"),
    on_response("check", &["(name: string, holds: bool) -> bool"], "fails the sample if the condition is false, and goes on").example("r.check(\"has a title\", r.text.contains(\"<title>\"));"),
    on_response("expect", &["(holds: bool, why: string)"], "fails the sample if the condition is false, and ends the task").example("r.expect(r.status == 200, \"not logged in\");"),
    Word::new(
        Kind::UserMethod,
        "group",
        "calls a closure and times it, waits included; it fails if a request in it fails or it throws",
    )
    .signs(&["(name: string, body: closure) -> any"])
    .example("this.group(\"checkout\", || { this.client.get(\"/cart\"); this.client.post(\"/pay\"); });")
    .in_task(),
    record("type", "the protocol").signs(&["string"]).example("type: \"grpc\""),
    record("name", "the row in the reports").signs(&["string"]),
    record("response_time", "how long it took; it ended now").signs(&["seconds"]),
    record("length", "bytes received").signs(&["int"]).default("0"),
    record("error", "why it failed; `()` if it did not").signs(&["string | ()"]),
    option(Kind::ClientOption, "host", "what its paths are relative to; without it the user's host").signs(&["string"]),
    option(Kind::ClientOption, "headers", "headers of every request").signs(&["map | pairs"]),
    option(Kind::ClientOption, "auth", "user name and password of every request").signs(&["array"]),
    option(Kind::ClientOption, "connection_timeout", "what DNS, TCP and TLS together may take").signs(&["seconds"]),
    option(Kind::ClientOption, "network_timeout", "how long the server's next byte may take").signs(&["seconds"]),
    option(Kind::ClientOption, "max_redirects", "how many redirects are followed; they lead to `http` and `https` only").signs(&["int"]),
    option(Kind::ClientOption, "max_retries", "how often a failed connection is tried again").signs(&["int"]),
    option(Kind::ClientOption, "insecure", "true: certificates are not verified").signs(&["bool"]),
    option(Kind::ClientOption, "proxy", "what all requests go through").signs(&["string"]),
    option(Kind::ClientOption, "concurrency", "how many requests of a batch are under way at once").signs(&["int"]),
    option(Kind::ClientOption, "http", "the version of HTTP").signs(&["string"]),
    option(Kind::ClientOption, "ca", "a PEM file of authorities to trust").signs(&["string"]),
    option(Kind::ClientOption, "client_cert", "a PEM file with the client's certificate").signs(&["string"]),
    option(Kind::ClientOption, "client_key", "a PEM file with the client's key").signs(&["string"]),
];

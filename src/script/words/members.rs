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

const fn client(name: &'static str, arities: &'static [usize], doc: &'static str) -> Word {
    Word::new(Kind::ClientMethod, name, doc)
        .args(arities)
        .in_task()
}

const fn property(name: &'static str, doc: &'static str) -> Word {
    Word::new(Kind::ResponseProperty, name, doc).in_task()
}

const fn method(name: &'static str, arities: &'static [usize], doc: &'static str) -> Word {
    Word::new(Kind::ResponseMethod, name, doc)
        .args(arities)
        .in_task()
}

pub(super) const MEMBERS: &[Word] = &[
    attribute(
        "host",
        "the address that paths are relative to; `-H` overrides it",
    ),
    attribute(
        "weight",
        "its share of the users, relative to the other classes",
    ),
    attribute("fixed_count", "exactly so many users"),
    attribute("wait_time", "how long a user waits between two tasks"),
    attribute(
        "connection_timeout",
        "what DNS, TCP and TLS together may take",
    ),
    attribute(
        "network_timeout",
        "how long the server's next byte may take",
    ),
    attribute("max_redirects", "how many redirects are followed"),
    attribute(
        "max_retries",
        "how often a failed connection is tried again",
    ),
    attribute("insecure", "true: certificates are not verified"),
    attribute("headers", "headers of every request"),
    attribute("auth", "user name and password of every request"),
    attribute("proxy", "a proxy for all requests").not_yet(),
    attribute("concurrency", "how many requests of a batch run at once").not_yet(),
    attribute("http", "the version of HTTP: \"auto\" or \"1.1\""),
    attribute("ca", "a PEM file of authorities to trust"),
    attribute("client_cert", "a PEM file with the client's certificate").not_yet(),
    attribute("client_key", "a PEM file with the client's key").not_yet(),
    attribute("state", "the user's own data: `this.name`"),
    attribute("on_start", "runs when a user starts"),
    attribute("on_stop", "runs when a user stops"),
    attribute("on_reload", "runs when the script was changed").not_yet(),
    option(
        Kind::TaskOption,
        "weight",
        "how often it is picked, relative to the others",
    ),
    option(Kind::TaskOption, "name", "its name in the reports"),
    option(
        Kind::TaskOption,
        "tags",
        "for `--tags` and `--exclude-tags`",
    )
    .not_yet(),
    request("name", "its row in the reports"),
    request("headers", "further headers"),
    request("params", "the query of the URL"),
    request("json", "a body, sent as JSON"),
    request("form", "a body, sent as a form"),
    request("body", "a body, sent as it is"),
    request("multipart", "a body of several parts").not_yet(),
    request("auth", "user name and password: [\"u\", \"p\"]"),
    request("timeout", "what the whole request may take"),
    request("allow_redirects", "false: redirects are not followed"),
    request("cookies", "further cookies"),
    request(
        "expect",
        "the status, or an array of them, that is a success",
    ),
    request("tags", "labels of the sample").not_yet(),
    request("stream", "the body is read as it comes").not_yet(),
    request("record", "false: not in the statistics").not_yet(),
    request("type", "another kind in the reports").not_yet(),
    option(Kind::ScenarioOption, "users", "as `--users`"),
    option(Kind::ScenarioOption, "spawn_rate", "as `--spawn-rate`"),
    option(Kind::ScenarioOption, "run_time", "as `--run-time`"),
    option(Kind::ScenarioOption, "iterations", "as `--iterations`"),
    option(Kind::ScenarioOption, "host", "as `--host`"),
    option(Kind::ScenarioOption, "stop_timeout", "as `--stop-timeout`"),
    option(
        Kind::ScenarioOption,
        "on_stop_timeout",
        "as `--on-stop-timeout`",
    ),
    option(Kind::ScenarioOption, "seed", "as `--seed`"),
    option(
        Kind::ScenarioOption,
        "thresholds",
        "what must hold for exit code 0",
    )
    .not_yet(),
    option(Kind::ScenarioOption, "tags", "as `--tags`").not_yet(),
    option(Kind::ParamOption, "help", "what it is for"),
    option(Kind::ParamOption, "choices", "the values it may have"),
    option(Kind::ParamOption, "secret", "true: never shown"),
    option(Kind::ParamOption, "required", "true: must be given"),
    option(Kind::ParamOption, "ui", "false: not in the form"),
    client("get", &[1, 2], "a GET request: path, options"),
    client("post", &[1, 2], "a POST request: path, options"),
    client("put", &[1, 2], "a PUT request: path, options"),
    client("patch", &[1, 2], "a PATCH request: path, options"),
    client("delete", &[1, 2], "a DELETE request: path, options"),
    client("head", &[1, 2], "a HEAD request: path, options"),
    client("options", &[1, 2], "an OPTIONS request: path, options"),
    client("request", &[2, 3], "a request: method, path, options"),
    client("batch", &[1], "several requests at once").not_yet(),
    client("rest", &[2, 3], "a request with JSON in and out").not_yet(),
    Word::new(
        Kind::ClientProperty,
        "headers",
        "headers of every further request",
    )
    .in_task(),
    Word::new(Kind::ClientProperty, "cookies", "the cookies of this user").in_task(),
    property("status", "the status code; 0 without a response"),
    property("status_code", "the same in Locust's spelling"),
    property(
        "ok",
        "true if there was a response and its status is below 400",
    ),
    property("reason", "the text beside the status code"),
    property("text", "the body as text"),
    property("bytes", "the body as bytes"),
    property("headers", "the headers as a map"),
    property("cookies", "the cookies that the response set"),
    property("url", "the last URL, after redirects"),
    property("request", "what was sent").not_yet(),
    property("elapsed", "seconds until the whole response was there"),
    property("timings", "the phases in seconds"),
    property("error", "why there was no response"),
    property("length", "the length of the body in bytes"),
    method("text", &[0], "the same in Locust's spelling"),
    method(
        "json",
        &[0, 1],
        "the body's value, or what a JSON pointer finds in it",
    ),
    method("header", &[1], "one header"),
    method("lines", &[0], "the body line by line").not_yet(),
    method("find", &[1], "what a regular expression finds in the body").not_yet(),
    method("find_all", &[1], "all that it finds").not_yet(),
    method("form_value", &[1], "the value of a form's field").not_yet(),
    method("css", &[1, 2], "what a CSS selector finds").not_yet(),
    method("failure", &[1], "this sample is a failure, for that reason"),
    method("success", &[0], "this sample is a success"),
    method(
        "check",
        &[2],
        "fails the sample if the condition is false, and goes on",
    ),
    method(
        "expect",
        &[2],
        "fails the sample if the condition is false, and ends the task",
    ),
    Word::new(
        Kind::UserMethod,
        "group",
        "a timed transaction: name, closure",
    )
    .args(&[2])
    .in_task()
    .not_yet(),
];

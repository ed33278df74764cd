//! Words for what runs once and what is shared: `setup`, `on`, `queue`, `once`, `counter` …
//!
//! Only the table; the rest of the language is in `functions`, `members` and `shapes`.

use super::{Kind, Word};

const fn word(name: &'static str, signs: &'static [&'static str], doc: &'static str) -> Word {
    Word::new(Kind::Function, name, doc).signs(signs)
}

const fn of(
    kind: Kind,
    name: &'static str,
    signs: &'static [&'static str],
    doc: &'static str,
) -> Word {
    Word::new(kind, name, doc).signs(signs).in_task()
}

pub(super) const SHARING: &[Word] = &[
    // Once a test, and events.
    word(
        "setup",
        &["(run: closure) -> setup result"],
        "runs once per test, before the first user; gives a handle to what it returns, for tasks: \
         `d.key`, `d[\"key\"]`",
    )
    .top_level()
    .example("let d = setup(|http| #{ token: http.post(\"/login\").json(\"/token\") });"),
    word(
        "teardown",
        &["(run: closure)"],
        "runs once per test, after the last user, given a client and what `setup` returned",
    )
    .top_level()
    .example("teardown(|http, d| http.delete(`/runs/${d.id}`));"),
    word(
        "on",
        &["(event: string, listener: closure)"],
        "a listener, called when that happens",
    )
    .top_level()
    .example("on(\"request\", |r| if r.response_time > 1 { counter(\"slow\").add(1); });"),
    // Shared by all users.
    word(
        "queue",
        &["(name: string) -> queue"],
        "the queue of that name, one for all users: values that some put and others take",
    )
    .example("let orders = queue(\"orders\");"),
    word(
        "once",
        &["(name: string, make: closure) -> any"],
        "a value made once for all users: by the closure of the first that comes (given its \
         client, if it takes an argument), while others wait; if that fails the next one tries",
    )
    .in_task()
    .example("let token = once(\"token\", |http| http.post(\"/login\").json(\"/token\"));"),
    word(
        "wait_for",
        &["(event: string)"],
        "suspends this user until `spawning_complete`: all users have been started",
    )
    .in_task()
    .example("wait_for(\"spawning_complete\");"),
    word(
        "counter",
        &["(name: string) -> counter"],
        "a counter of one's own: its sum and rate over all users are reported",
    )
    .in_task()
    .example("counter(\"orders\").add(1);"),
    word(
        "metric",
        &["(name: string) -> metric"],
        "a metric of one's own: mean and percentiles over all users are reported",
    )
    .in_task()
    .example("metric(\"basket\").add(19.99);"),
    of(
        Kind::UserMethod,
        "once",
        &["(name: string, make: closure) -> any"],
        "as the function `once`, with `this` in the closure",
    )
    .example("this.once(\"items\", || this.client.get(\"/items\").json());"),
    of(
        Kind::QueueMethod,
        "put",
        &["(value: any)"],
        "appends a value; waits while 100,000 are there, or 256 MiB of them",
    ),
    of(
        Kind::QueueMethod,
        "take",
        &["() -> any"],
        "takes the first value; waits for one",
    ),
    of(
        Kind::QueueMethod,
        "try_take",
        &["() -> any"],
        "takes the first value, or gives `()`",
    ),
    of(
        Kind::QueueMethod,
        "len",
        &["() -> int"],
        "how many values there are",
    ),
    of(
        Kind::CounterMethod,
        "add",
        &["(count: int)"],
        "adds a whole number from 0",
    ),
    of(
        Kind::MetricMethod,
        "add",
        &["(value: number)"],
        "adds one more value",
    ),
    of(
        Kind::SetupMethod,
        "value",
        &["() -> any"],
        "all that `setup` returned, as a copy",
    ),
];

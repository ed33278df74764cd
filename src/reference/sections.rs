//! The sections of the reference, in the order in which a person learns.
//!
//! Owns which word goes where. A word that no section names goes into the last one, so that none is
//! ever left out.

use super::entry;
use super::kinds;
use crate::language::{self, Kind, Word, shapes};

/// A heading with the words under it.
struct Section {
    title: &'static str,
    intro: &'static str,
    groups: &'static [Group],
    /// What follows the words.
    more: fn() -> String,
}

/// Words of one kind: those named, or all that no other group names.
struct Group {
    kind: Kind,
    names: &'static [&'static str],
}

const fn functions(names: &'static [&'static str]) -> Group {
    Group {
        kind: Kind::Function,
        names,
    }
}

const fn all_of(kind: Kind) -> Group {
    Group { kind, names: &[] }
}

const SECTIONS: &[Section] = &[
    Section {
        title: "Declaring",
        intro: "",
        groups: &[
            functions(&["user", "extend", "options", "param"]),
            all_of(Kind::ScenarioOption),
            all_of(Kind::ParamOption),
        ],
        more: String::new,
    },
    Section {
        title: "Attributes of a user class",
        intro: "Every other key of a class is a task or a closure, which is a method; anything \
                else is an error. All may be left out.",
        groups: &[all_of(Kind::Attribute)],
        more: String::new,
    },
    Section {
        title: "Tasks and sets",
        intro: "A user that picks a set enters it, runs its tasks until one calls `interrupt()`, \
                and is then where it was. Sets stand in classes and in one another, to any depth; \
                `task(2, Forum)` gives one that was declared before another weight. Their other \
                keys are tasks and closures: both are methods of the user, and `this` is the \
                user's everywhere. A set without `wait_time` waits as the class does, whatever \
                set it stands in. When a user stops inside sets, the innermost `on_stop` runs \
                first and the class's last.",
        groups: &[
            functions(&["task", "task_set", "sequence", "markov"]),
            all_of(Kind::TaskOption),
            all_of(Kind::SetAttribute),
            all_of(Kind::MarkovOption),
            all_of(Kind::StateOption),
        ],
        more: String::new,
    },
    Section {
        title: "Waits",
        intro: "For `wait_time`, of a class or a set. A number is `constant`; a closure gives \
                seconds each time it is asked.",
        groups: &[functions(&[
            "constant",
            "between",
            "constant_pacing",
            "constant_throughput",
            "poisson",
        ])],
        more: String::new,
    },
    Section {
        title: "Load over time",
        intro: "",
        groups: &[
            functions(&["shape"]),
            all_of(Kind::ShapeOption),
            all_of(Kind::StageOption),
        ],
        more: ready_shapes,
    },
    Section {
        title: "Data",
        intro: "Read once per process and shared by all threads. Paths are relative to the script \
                that names them. A row of a CSV file is a map, a copy; a row of JSON is its value, \
                a line is text. A column of a CSV file is numbers if each of its values is one as \
                JSON writes it, without an exponent: `007`, `+49301234` and `1e5` make it text. An \
                empty value is `()` among numbers, else `\"\"`. Files are UTF-8; what is wrong \
                with one is an error at the call that names it.",
        groups: &[
            functions(&["csv", "json_file", "lines", "rows"]),
            all_of(Kind::CsvOption),
            all_of(Kind::DataOption),
            all_of(Kind::DataMethod),
            all_of(Kind::DataProperty),
        ],
        more: String::new,
    },
    Section {
        title: "Requests",
        intro: "Of `this.client`. Each gives a response, also where there was none: then its \
                `status` is 0 and `error` says why.",
        groups: &[
            all_of(Kind::ClientMethod),
            all_of(Kind::RequestOption),
            all_of(Kind::ClientProperty),
            functions(&["http_client"]),
            all_of(Kind::ClientOption),
        ],
        more: String::new,
    },
    Section {
        title: "Responses",
        intro: "",
        groups: &[all_of(Kind::ResponseProperty), all_of(Kind::ResponseMethod)],
        more: String::new,
    },
    Section {
        title: "Verdicts",
        intro: "Methods of a response, until the user's next request, sleep or wait.",
        groups: &[Group {
            kind: Kind::ResponseMethod,
            names: &["failure", "success", "check", "expect"],
        }],
        more: String::new,
    },
    Section {
        title: "Groups and other protocols",
        intro: "",
        groups: &[
            all_of(Kind::UserMethod),
            functions(&["record"]),
            all_of(Kind::RecordOption),
        ],
        more: String::new,
    },
    Section {
        title: "Steering",
        intro: "",
        groups: &[functions(&[
            "interrupt",
            "reschedule",
            "stop_user",
            "stop_test",
            "exit_code",
        ])],
        more: String::new,
    },
    Section {
        title: "What runs once and what users share",
        intro: "What is shared is one for all users and threads. A call to it may wait, so it \
                closes the verdict as `sleep` does; only data is shared, each time as a copy.\n\n\
                `setup`, `teardown` and listeners of the run run on the control thread. The \
                client they are given sends relative paths to the first host that a class has; \
                its requests are not recorded. If `setup` fails no user starts (exit code 3); \
                `teardown` has `--on-stop-timeout`, and if it fails that is an exception.\n\n\
                Events of the run: `test_start`, `spawning_complete`, `test_stopping`, \
                `test_stop`, `quitting` (the listener declared last is called first); `reload` \
                once an edited script is in service; on a master `worker_connect` when a worker \
                joins the run (for those that it begins with: after `setup`), and `worker_lost` \
                when the users of one that is gone move to the others. A listener is given a map \
                with `event` and `user_count`, if it takes one; of a worker also `worker` (its \
                number, from 0), `name` (its host's), `threads` and `users` (those it had). Events of users: `request` (a \
                map with `type`, `method`, `name`, `response_time` and `start` in seconds, \
                `response_length`, `status`, `error`, `url`; also of what `record` is given, \
                with a status of 0, unless a listener records it) and `user_error` (`message`, \
                `location`, `class`, `stack`). Their listeners cannot wait, and what they \
                capture is a copy: they add things up with `counter` and `metric`.",
        groups: &[
            functions(&["setup"]),
            all_of(Kind::SetupMethod),
            functions(&["teardown", "on", "once", "wait_for", "queue"]),
            all_of(Kind::QueueMethod),
            functions(&["counter"]),
            all_of(Kind::CounterMethod),
            functions(&["metric"]),
            all_of(Kind::MetricMethod),
        ],
        more: String::new,
    },
    Section {
        title: "Time",
        intro: "",
        groups: &[functions(&[
            "sleep",
            "now",
            "now_iso",
            "timestamp_ms",
            "run_time",
            "format_time",
        ])],
        more: String::new,
    },
    Section {
        title: "Chance",
        intro: "Each user has a stream of its own; `--seed` repeats all of them.",
        groups: &[functions(&[
            "random",
            "choice",
            "sample",
            "random_string",
            "exponential",
            "uuid",
        ])],
        more: String::new,
    },
    Section {
        title: "The user and the run",
        intro: "",
        groups: &[functions(&[
            "vu_id",
            "vu_class",
            "vu_iteration",
            "user_count",
            "worker_index",
            "worker_count",
            "stats",
        ])],
        more: String::new,
    },
    Section {
        title: "Helpers",
        intro: "",
        groups: &[functions(&[
            "env",
            "get",
            "join",
            "find",
            "parse_json",
            "to_json",
            "base64_encode",
            "base64_decode",
            "url_encode",
            "sha256",
            "hmac_sha256",
            "md5",
            "append",
        ])],
        more: String::new,
    },
    Section {
        title: "The log",
        intro: "To stderr, 100 lines a second and thread at most; what is over is counted. What \
                `param` marks as secret is masked.",
        groups: &[functions(&[
            "print",
            "debug",
            "log_info",
            "log_warn",
            "log_error",
        ])],
        more: String::new,
    },
];

/// All sections in Markdown, and what the names of types mean.
pub(super) fn all() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        text.push_str(&format!("### {}\n\n", section.title));
        if !section.intro.is_empty() {
            text.push_str(&format!("{}\n\n", section.intro));
        }
        for group in section.groups {
            let words = words_of(group);
            text.push_str(&listed(group.kind, &words));
        }
        text.push_str(&(section.more)());
    }
    let left = left_over();
    if !left.is_empty() {
        text.push_str("### Further words\n\n");
        let mut kinds: Vec<Kind> = Vec::new();
        for word in &left {
            if !kinds.contains(&word.kind) {
                kinds.push(word.kind);
            }
        }
        for kind in kinds {
            let words: Vec<_> = left
                .iter()
                .copied()
                .filter(|word| word.kind == kind)
                .collect();
            text.push_str(&listed(kind, &words));
        }
    }
    text.push_str("### Types\n\n");
    text.push_str(&kinds::table());
    text
}

/// The words of a group; those of a group that names none in the order of the table.
fn words_of(group: &Group) -> Vec<&'static Word> {
    if group.names.is_empty() {
        return language::of_kind(group.kind)
            .filter(|word| !is_named(word))
            .collect();
    }
    let names = group.names.iter();
    names
        .filter_map(|name| language::find(group.kind, name))
        .collect()
}

/// True if a group names the word.
fn is_named(word: &Word) -> bool {
    let mut groups = SECTIONS.iter().flat_map(|section| section.groups);
    groups.any(|group| group.kind == word.kind && group.names.contains(&word.name))
}

fn left_over() -> Vec<&'static Word> {
    let has_group = |word: &Word| {
        let mut groups = SECTIONS.iter().flat_map(|section| section.groups);
        groups.any(|group| group.kind == word.kind && group.names.is_empty())
    };
    language::all()
        .filter(|word| !is_named(word) && !has_group(word))
        .collect()
}

/// The ready-made shapes and their keys.
fn ready_shapes() -> String {
    let mut text = "Ready-made shapes, `shape(name, #{…})`; keys with `?` may be left out:\n\n\
                    | name | | keys |\n|---|---|---|\n"
        .to_owned();
    for shape in shapes::READY {
        let keys = shape.keys.iter().map(|key| {
            let optional = if key.required { "" } else { "?" };
            format!("`{}{optional}`: {}", key.name, key.doc)
        });
        let keys: Vec<_> = keys.collect();
        let doc = entry::sentence(shape.doc);
        let row = format!("| `{}` | {doc} | {} |\n", shape.name, keys.join("<br>"));
        text.push_str(&row);
    }
    text.push('\n');
    text
}

/// Words of one kind: what is called as a list, the rest as a table.
fn listed(kind: Kind, words: &[&'static Word]) -> String {
    let (there, planned): (Vec<&Word>, Vec<&Word>) = words.iter().partition(|word| word.available);
    let mut text = String::new();
    let are_called = there.iter().any(|word| word.signatures().next().is_some());
    if are_called {
        for word in &there {
            text.push_str(&entry::item(word));
        }
        text.push('\n');
    } else if !there.is_empty() {
        text.push_str(&format!("{}\n\n{}", what_it_is(kind), entry::HEAD));
        for word in &there {
            text.push_str(&entry::row(word));
        }
        text.push('\n');
    }
    if !planned.is_empty() {
        let names: Vec<_> = planned
            .iter()
            .map(|word| format!("`{}`", word.name))
            .collect();
        text.push_str(&format!(
            "Not in this version yet: {}.\n\n",
            names.join(", ")
        ));
    }
    text
}

/// What the words of a kind are, as a heading.
pub(super) fn what_it_is(kind: Kind) -> &'static str {
    match kind {
        Kind::Function => "A function:",
        Kind::Attribute => "Attributes of a class:",
        Kind::TaskOption => "Options of `task(#{…}, …)`:",
        Kind::SetAttribute => "Attributes of `task_set` and `sequence`:",
        Kind::MarkovOption => "Keys of `markov(#{…})`:",
        Kind::StateOption => "Keys of a state of a `markov`:",
        Kind::RequestOption => "Options of a request:",
        Kind::ClientOption => "Keys of `http_client(#{…})`:",
        Kind::RecordOption => "Keys of `record(#{…})`:",
        Kind::ScenarioOption => "Keys of `options(#{…})`:",
        Kind::ParamOption => "Options of `param`:",
        Kind::CsvOption => "Options of `csv`:",
        Kind::DataOption => "Options of `json_file`, `lines` and `rows`:",
        Kind::DataMethod => "A method of data:",
        Kind::DataProperty => "A property of data:",
        Kind::ClientMethod => "A method of `this.client`:",
        Kind::ClientProperty => "Properties of `this.client`:",
        Kind::ResponseProperty => "Properties of a response:",
        Kind::ResponseMethod => "A method of a response:",
        Kind::UserMethod => "A method of `this`:",
        Kind::QueueMethod => "A method of a queue:",
        Kind::CounterMethod => "A method of a counter:",
        Kind::MetricMethod => "A method of a metric:",
        Kind::SetupMethod => "A method of what `setup` gives:",
        Kind::ShapeOption => "Keys of `shape(#{…})`:",
        Kind::StageOption => "Keys of a stage:",
    }
}

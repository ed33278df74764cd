//! The functions of the language: what declares, and what tasks call.
//!
//! Only the table; members of users, clients and responses are in `members`.

use super::{Kind, Word};

const fn word(name: &'static str, signs: &'static [&'static str], doc: &'static str) -> Word {
    Word::new(Kind::Function, name, doc).signs(signs)
}

pub(super) const FUNCTIONS: &[Word] = &[
    // Declaring.
    word("user", &["(name: string, class: map)"], "declares a user class: its attributes, tasks and methods").top_level().example("user(\"Shopper\", #{ browse: task(|| { this.client.get(\"/\"); }) });"),
    word("extend", &["(base: map, more: map) -> map"], "a class like another with further or other keys; the `state` maps are merged").top_level().example("user(\"Vip\", extend(Base, #{ weight: 1 }));"),
    word("task", &["(run: closure | string | task) -> task", "(weight: int, run: closure | string | task) -> task", "(options: map, run: closure | string | task) -> task"], "a task: a closure, the name of a function or a set, with a weight or options before it").top_level().example("browse: task(3, || { this.client.get(\"/\"); }),"),
    word("task_set", &["(tasks: map | array) -> task"], "a set of tasks that a user enters, and leaves by `interrupt()`")
        .top_level()
        .example("forum: task_set(#{ read: task(3, || this.client.get(\"/forum\")), leave: task(|| interrupt()) }),"),
    word("sequence", &["(tasks: map | array) -> task"], "a set whose tasks run in the order written, each as often in a row as its weight says, and from the start again")
        .top_level()
        .example("order: sequence(#{ fill: task(2, || { }), pay: task(|| { }), leave: task(|| interrupt()) }),"),
    word("markov", &["(chain: map) -> task"], "a set in which each state says which may be next, and how likely")
        .top_level()
        .example("surf: markov(#{ first: \"home\", states: #{ home: #{ run: || { }, next: #{ home: 1, out: 3 } }, out: #{ run: || interrupt(), next: \"home\" } } }),"),
    word("shape", &["(shape: map)", "(asked_each_second: closure)", "(name: string, numbers: map)"], "how many users there are over time: as stages, as a closure `|run_time| [users, spawn_rate]` that gives `()` to stop (with a memory: `tick` and `state`), or as a ready-made curve: `constant`, `ramp`, `steps`, `spike`, `double_wave`").top_level().example("shape(#{ stages: [ #{ duration: \"60s\", users: 100, spawn_rate: 10 } ] });"),
    word("options", &["(options: map)"], "defaults for the options of the command line, which win").top_level().example("options(#{ users: 50, spawn_rate: 5, run_time: \"2m\" });"),
    word("param", &["(name: string, default_value: any, options?: map) -> any"], "a value that `-p name=value` or `KATYDID_PARAM_NAME` may change; it has the type of its default").top_level().example("const LANGUAGE = param(\"language\", \"en\", #{ choices: [\"en\", \"ko\"] });"),
    // Waits.
    word("constant", &["(length: seconds) -> wait"], "always the same time").top_level().example("wait_time: constant(2),"),
    word("between", &["(least: seconds, most: seconds) -> wait"], "evenly between two times").top_level().example("wait_time: between(1, 5),"),
    word("constant_pacing", &["(period: seconds) -> wait"], "tasks start so long after each other, however long they take").top_level().example("wait_time: constant_pacing(\"10s\"),"),
    word("constant_throughput", &["(rate: number) -> wait"], "each user starts so many tasks a second").top_level().example("wait_time: constant_throughput(0.5),"),
    word("poisson", &["(rate: number) -> wait"], "random waits, on average so many tasks a second and user").top_level().example("wait_time: poisson(2),"),
    // Data.
    word("csv", &["(path: string, options?: map) -> data"], "the rows of a CSV file, as maps by the names of its first line; columns of numbers become numbers, `007` stays text").top_level().example("let accounts = csv(\"accounts.csv\", #{ mode: \"unique\" });"),
    word("json_file", &["(path: string, options?: map) -> data"], "the elements of a JSON array, the lines of a `.jsonl` file, or one object as the only row").top_level().example("let products = json_file(\"products.json\");"),
    word("lines", &["(path: string, options?: map) -> data"], "the lines of a text file, without empty ones").top_level().example("let words = lines(\"words.txt\", #{ mode: \"random\" });"),
    word("rows", &["(values: array, options?: map) -> data"], "the elements of an array as rows").top_level().example("let sizes = rows([\"s\", \"m\", \"l\"], #{ mode: \"shuffle\" });"),
    word(
        "record",
        &["(sample: map)"],
        "a sample of another protocol, which ended now",
    )
    .example("record(#{ type: \"grpc\", name: \"Hello\", response_time: 0.012 });")
    .in_task(),
    word("http_client", &["(options: map) -> client"], "a second client of this user, with connections, cookies and headers of its own; keep it in `this`").in_task().example("this.api = http_client(#{ host: \"http://localhost:9000\" });"),
    // Steering.
    word("interrupt", &["(at_once?: bool)"], "leaves the innermost task set; `interrupt(false)` waits before the next task").in_task(),
    word("reschedule", &["(at_once?: bool)"], "ends the task; the next one follows at once, with `reschedule(false)` after the wait").in_task(),
    word("stop_user", &["()"], "ends this user, after its `on_stop`").in_task(),
    word("stop_test", &["(why?: string)"], "ends the run").in_task().example("stop_test(\"out of stock\");"),
    word("exit_code", &["(code: int)"], "sets the exit code of the run, from 0 to 255").in_task(),
    // Time.
    word("sleep", &["(length: seconds)"], "suspends this user, and no other").in_task().example("sleep(\"250ms\");"),
    word("now", &["() -> float"], "seconds since 1970"),
    word("now_iso", &["() -> string"], "the time as in `2026-01-31T12:00:00Z`"),
    word("format_time", &["(format: string) -> string"], "the time in UTC, in a format of strftime").example("format_time(\"%Y-%m-%d %H:%M:%S\")"),
    word("timestamp_ms", &["() -> int"], "milliseconds since 1970"),
    word("run_time", &["() -> float"], "seconds since the run began").in_task(),
    // Chance, seeded per user.
    word("random", &["() -> float", "(least: number, most: number) -> number"], "from 0 to below 1; or between two finite numbers, the smaller first: a whole one from two whole ones, both included").example("let id = random(1, 100);"),
    word("choice", &["(from: array | map) -> any"], "an element of an array, or a key of a map by its weight").example("let size = choice(#{ small: 3, large: 1 });"),
    word("sample", &["(from: array, count: int) -> array"], "so many different elements of an array, in random order"),
    word("random_string", &["(length: int) -> string"], "so many letters and digits"),
    word("exponential", &["(mean: number) -> float"], "an exponentially distributed number with that mean, a finite number from 0"),
    word("uuid", &["() -> string"], "a random UUID"),
    // The user and the run.
    word("vu_id", &["() -> int"], "the number of this user, from 1").in_task(),
    word("vu_class", &["() -> string"], "the name of this user's class").in_task(),
    word("vu_iteration", &["() -> int"], "how many tasks this user has run").in_task(),
    word("user_count", &["() -> int"], "how many users there are now; also in a shape's closure").in_task(),
    word("worker_index", &["() -> int"], "the number of this worker, from 0; no other has had it in the run").in_task(),
    word("worker_count", &["() -> int"], "how many workers the load comes from; 1 without a master").in_task(),
    word("stats", &["() -> map", "(name: string) -> map | ()"], "the figures of the run so far, at most a second old: `requests`, `failures`, `fail_ratio`, `rps`, `current_rps`, `average_ms`, `min_ms`, `max_ms`, `p50_ms`, `p90_ms`, `p95_ms`, `p99_ms`; or those of one row, by its name or `GET name`, `()` if there is none").in_task().example("if stats().fail_ratio > 0.1 { stop_test(\"too many failures\"); }"),
    // Helpers.
    word("env", &["(name: string) -> string", "(name: string, otherwise: any) -> any"], "an environment variable; unset, it is an error or the given value"),
    word("parse_json", &["(text: string) -> any"], "the value of a JSON text; an error says where it is none"),
    word("to_json", &["(value: any) -> string"], "a value as JSON text; an error for what JSON has no word for: `NaN`, infinity, closures, handles"),
    word("base64_encode", &["(value: string | bytes) -> string"], "text or bytes as Base64"),
    word("base64_decode", &["(text: string) -> string | bytes"], "what Base64 stands for: text, or bytes where it is no text"),
    word("url_encode", &["(text: string) -> string"], "text as part of a URL"),
    word("sha256", &["(value: string | bytes) -> string"], "the SHA-256 of text or bytes in hexadecimal"),
    word("hmac_sha256", &["(key: string | bytes, value: string | bytes) -> string"], "the HMAC-SHA-256 of text or bytes in hexadecimal").example("let signature = hmac_sha256(env(\"KEY\"), body);"),
    word("md5", &["(value: string | bytes) -> string"], "the MD5 of text or bytes in hexadecimal"),
    word("find", &["(text: string, pattern: string) -> string | ()"], "what a regular expression finds first: its first group if it has one, else the whole; `()` if nothing. Where text and expression are so large that it may take long, other users run meanwhile").example("let token = find(r.text, #\"token=(\\w+)\"#);"),
    word("join", &["(array: array, separator: string) -> string"], "an array's elements as one text"),
    word("get", &["(map: map, key: string, otherwise: any) -> any"], "a map's value, or another if it has none"),
    word("append", &["(file: string, line: any)"], "adds a line to a file, relative to the current directory; whole lines whichever user writes them; a map or an array is written as JSON").in_task().example("append(\"orders.txt\", r.json(\"/id\"));"),
    // Talking.
    word("print", &["(…values: any)"], "a line for the log, with user and position"),
    word("debug", &["(…values: any)"], "the same in Rhai's notation"),
    word("log_info", &["(…values: any)"], "the same as `print`"),
    word("log_warn", &["(…values: any)"], "a line for the log, as a warning"),
    word("log_error", &["(…values: any)"], "a line for the log, as an error"),
];

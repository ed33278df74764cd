//! The functions of the language: what declares, and what tasks call.
//!
//! Only the table; members of users, clients and responses are in `members`.

use super::{ANY, Kind, Word};

const fn function(name: &'static str, arities: &'static [usize], doc: &'static str) -> Word {
    Word::new(Kind::Function, name, doc).args(arities)
}

pub(super) const FUNCTIONS: &[Word] = &[
    // Declaring.
    function("user", &[2], "a user class: its name and a map").top_level(),
    function("extend", &[2], "a class like another, with further keys").top_level(),
    function(
        "task",
        &[1, 2],
        "a task, with a weight or options before it",
    )
    .top_level(),
    function("task_set", &[1], "a nested set of tasks")
        .top_level()
        .not_yet(),
    function("sequence", &[1], "a set whose tasks run in order")
        .top_level()
        .not_yet(),
    function("markov", &[1], "a set whose next task depends on the last")
        .top_level()
        .not_yet(),
    function("shape", &[1], "how many users over time")
        .top_level()
        .not_yet(),
    function("options", &[1], "defaults for the command line's options").top_level(),
    function("param", &[2, 3], "a value that `-p name=value` may change").top_level(),
    function("setup", &[1], "once per test, before the first user")
        .top_level()
        .not_yet(),
    function("teardown", &[1], "once per test, after the last user")
        .top_level()
        .not_yet(),
    function("on", &[2], "a listener for an event")
        .top_level()
        .not_yet(),
    // Waits.
    function("constant", &[1], "always so many seconds").top_level(),
    function("between", &[2], "evenly between two numbers of seconds").top_level(),
    function(
        "constant_pacing",
        &[1],
        "so many seconds from start to start",
    )
    .top_level(),
    function(
        "constant_throughput",
        &[1],
        "so many tasks a second and user",
    )
    .top_level(),
    function(
        "poisson",
        &[1],
        "random waits, so many tasks a second and user",
    )
    .top_level(),
    // Data.
    function("csv", &[1, 2], "the rows of a CSV file")
        .top_level()
        .not_yet(),
    function("json_file", &[1, 2], "the elements of a JSON file")
        .top_level()
        .not_yet(),
    function("lines", &[1, 2], "the lines of a text file")
        .top_level()
        .not_yet(),
    function("rows", &[1, 2], "an array as rows of data")
        .top_level()
        .not_yet(),
    function("queue", &[1], "values that users hand to others").not_yet(),
    function("once", &[2], "a value that the first user makes for all").not_yet(),
    function("wait_for", &[1], "waits for an event of the run")
        .in_task()
        .not_yet(),
    function("counter", &[1], "a counter of one's own")
        .in_task()
        .not_yet(),
    function("metric", &[1], "a figure of one's own")
        .in_task()
        .not_yet(),
    function("record", &[1], "a sample of another protocol")
        .in_task()
        .not_yet(),
    function("http_client", &[1], "a second client of this user")
        .in_task()
        .not_yet(),
    // Steering.
    function("interrupt", &[0, 1], "leaves the task set")
        .in_task()
        .not_yet(),
    function(
        "reschedule",
        &[0],
        "ends the task; the next one follows at once",
    )
    .in_task(),
    function("stop_user", &[0], "ends this user").in_task(),
    function("stop_test", &[0, 1], "ends the run").in_task(),
    function("exit_code", &[1], "sets the exit code of the run").in_task(),
    // Time.
    function("sleep", &[1], "suspends this user for so many seconds").in_task(),
    function("now", &[0], "seconds since 1970"),
    function("now_iso", &[0], "the time as in `2026-01-31T12:00:00Z`"),
    function("format_time", &[1], "the time in a format of one's own").not_yet(),
    function("timestamp_ms", &[0], "milliseconds since 1970"),
    function("run_time", &[0], "seconds since the run began").in_task(),
    // Chance, seeded per user.
    function(
        "random",
        &[0, 2],
        "from 0 to 1, or a whole number from a to b",
    ),
    function(
        "choice",
        &[1],
        "an element of an array, or a key by its weight",
    ),
    function("sample", &[2], "so many different elements of an array"),
    function("random_string", &[1], "so many letters and digits"),
    function(
        "exponential",
        &[1],
        "an exponentially distributed number with that mean",
    ),
    function("uuid", &[0], "a random UUID"),
    // The user and the run.
    function("vu_id", &[0], "the number of this user, from 1").in_task(),
    function("vu_class", &[0], "the name of this user's class").in_task(),
    function("vu_iteration", &[0], "how many tasks this user has run").in_task(),
    function("user_count", &[0], "how many users there are").in_task(),
    function("worker_index", &[0], "the number of this worker").not_yet(),
    function("worker_count", &[0], "how many workers there are").not_yet(),
    function("stats", &[0, 1], "the figures so far")
        .in_task()
        .not_yet(),
    // Helpers.
    function("env", &[1, 2], "an environment variable, or a default"),
    function("parse_json", &[1], "the value of a JSON text"),
    function("to_json", &[1], "a value as JSON text"),
    function("base64_encode", &[1], "text or bytes as Base64"),
    function("base64_decode", &[1], "the text that Base64 stands for"),
    function("url_encode", &[1], "text as part of a URL"),
    function("sha256", &[1], "a digest in hexadecimal").not_yet(),
    function("hmac_sha256", &[2], "a keyed digest in hexadecimal").not_yet(),
    function("md5", &[1], "a digest in hexadecimal").not_yet(),
    function("find", &[2], "what a regular expression finds in a text").not_yet(),
    function(
        "join",
        &[2],
        "an array's elements as text, with a separator",
    ),
    function("get", &[3], "a map's value, or a default"),
    function("append", &[2], "adds a line to a file").not_yet(),
    // Talking.
    function("print", ANY, "to the log"),
    function("debug", ANY, "to the log, in Rhai's notation"),
    function("log_info", ANY, "to the log"),
    function("log_warn", ANY, "to the log, as a warning"),
    function("log_error", ANY, "to the log, as an error"),
];

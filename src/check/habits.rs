//! What people coming from Python, Locust or JavaScript write, and what to write here.
//!
//! Only tables; the rules look things up in them.

/// Variables that are undefined here and known elsewhere, with the hint.
const VARIABLES: &[(&str, &str)] = &[
    ("self", "write `this`"),
    ("None", "write `()`"),
    ("null", "write `()`"),
    ("nil", "write `()`"),
    ("undefined", "write `()`"),
    ("True", "write `true`"),
    ("False", "write `false`"),
    ("not", "write `!`: `!x`, `!(a == b)`"),
    ("elif", "write `else if … { … }`"),
    ("except", "write `try { … } catch (error) { … }`"),
    (
        "def",
        "write `fn name(a, b) { … }`, or a closure `|a, b| { … }` in a class",
    ),
    (
        "function",
        "write `fn name(a, b) { … }`, or a closure `|a, b| …`",
    ),
    ("lambda", "write a closure: `|x| x + 1`"),
    ("class", "write `user(\"Name\", #{ … })`"),
    (
        "from",
        "write `import \"lib\" as lib;` for another script; nothing else needs an import",
    ),
    ("pass", "leave the block empty: `{ }`"),
    ("raise", "write `throw \"why\"`"),
    ("del", "write `map.remove(\"key\")`"),
    ("var", "write `let`"),
    ("new", "call the function without `new`"),
    ("await", "leave it out: calls wait by themselves"),
    ("async", "leave it out: calls wait by themselves"),
    ("match", "write `switch x { 1 => …, _ => … }`"),
    (
        "random",
        "write `choice([…])`, `random(a, b)` (whole numbers) or `random()` (from 0 to 1)",
    ),
    ("time", "write `sleep(1.5)` to wait, `now()` for the time"),
    ("datetime", "write `now_iso()`"),
    (
        "json",
        "write `parse_json(text)` and `to_json(value)`; of a response, `r.json(\"/pointer\")`",
    ),
    ("JSON", "write `parse_json(text)` and `to_json(value)`"),
    (
        "os",
        "write `env(\"NAME\")` or `env(\"NAME\", \"default\")`",
    ),
    ("sys", "write `print(…)` or `exit_code(n)`"),
    (
        "re",
        "write `r.find(pattern)` on a response, or `find(text, pattern)`",
    ),
    ("math", "numbers have methods: `x.floor()`, `x.sqrt()`"),
    ("Math", "numbers have methods: `x.floor()`, `x.sqrt()`"),
    (
        "logging",
        "write `log_info(…)`, `log_warn(…)` or `log_error(…)`",
    ),
    ("console", "write `print(…)` or `log_info(…)`"),
    (
        "environment",
        "parameters are `param(\"name\", default)`, variables `env(\"NAME\")`",
    ),
    ("client", "write `this.client`"),
    ("http", "write `this.client`"),
    (
        "global",
        "write `global::NAME` for a constant of the top level",
    ),
];

/// Functions that are unknown here and known elsewhere.
const FUNCTIONS: &[(&str, &str)] = &[
    (
        "str",
        "write `x.to_string()`, or `` `${x}` `` inside a text",
    ),
    (
        "int",
        "write `parse_int(text)`, or `x.to_int()` for a number",
    ),
    (
        "float",
        "write `parse_float(text)`, or `x.to_float()` for a number",
    ),
    ("range", "write `0..n`: `for i in 0..10 { … }`"),
    ("type", "write `type_of(x)`"),
    ("isinstance", "write `type_of(x) == \"i64\"`"),
    ("format", "write `` `text ${value}` ``"),
    ("list", "write `[]`"),
    ("dict", "write `#{}`"),
    ("enumerate", "write `for (item, index) in list { … }`"),
    ("sorted", "write `list.sort()`, which changes the list"),
    ("sum", "write `list.reduce(|sum, x| sum + x, 0)`"),
    ("any", "write `list.some(|x| …)`"),
    ("all", "write `list.all(|x| …)`"),
    ("dumps", "write `to_json(value)`"),
    ("loads", "write `parse_json(text)`"),
    ("randint", "write `random(a, b)`"),
    ("uniform", "write `a + random() * (b - a)`"),
    ("uuid4", "write `uuid()`"),
    ("getenv", "write `env(\"NAME\", \"default\")`"),
    ("setTimeout", "write `sleep(seconds)`"),
    ("fetch", "write `this.client.get(path)`"),
    (
        "wait",
        "write `sleep(seconds)`, or `wait_time` in the class",
    ),
    ("http_user", "write `user(\"Name\", #{ … })`"),
    ("lambda", "write a closure: `|x| x + 1`"),
    ("function", "write a closure: `|x| …`"),
];

/// Methods that are unknown here and known elsewhere.
const METHODS: &[(&str, &str)] = &[
    ("strip", "write `text.trim()`, which changes the text"),
    ("lower", "write `to_lower()`"),
    ("upper", "write `to_upper()`"),
    ("toLowerCase", "write `to_lower()`"),
    ("toUpperCase", "write `to_upper()`"),
    ("toString", "write `to_string()`"),
    ("startswith", "write `starts_with(…)`"),
    ("startsWith", "write `starts_with(…)`"),
    ("endswith", "write `ends_with(…)`"),
    ("endsWith", "write `ends_with(…)`"),
    ("format", "write `` `text ${value}` ``"),
    ("items", "write `for key in map.keys() { … map[key] … }`"),
    ("update", "write `map.mixin(#{ … })`"),
    ("has_key", "write `\"key\" in map`"),
    ("includes", "write `contains(…)`"),
    ("forEach", "write `for item in list { … }`"),
    ("indexOf", "write `index_of(…)`"),
    ("length", "write `len()`, or `len` for a response's body"),
    ("count", "write `len()`"),
    ("extend", "write `append(other_list)`"),
    (
        "raise_for_status",
        "leave it out: a status of 400 or more is a failure by itself",
    ),
    ("success_if", "write `r.check(\"name\", condition)`"),
    ("fail", "write `r.failure(\"why\")`"),
    ("interrupt", "it is a function: `interrupt()`"),
];

/// Keys of a class that mean an attribute by another name.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("wait", "did you mean `wait_time`?"),
    ("min_wait", "write `wait_time: between(1, 5)`, in seconds"),
    ("max_wait", "write `wait_time: between(1, 5)`, in seconds"),
    ("wait_function", "write `wait_time: || seconds`"),
    ("sleep", "did you mean `wait_time`?"),
    ("pause", "did you mean `wait_time`?"),
    ("base_url", "did you mean `host`?"),
    ("baseUrl", "did you mean `host`?"),
    ("url", "did you mean `host`?"),
    ("target", "did you mean `host`?"),
    (
        "timeout",
        "did you mean `network_timeout` (each wait for the server) or `connection_timeout`?",
    ),
    ("read_timeout", "did you mean `network_timeout`?"),
    ("connect_timeout", "did you mean `connection_timeout`?"),
    (
        "tasks",
        "write each task as a key: `browse: task(3, || { … })`",
    ),
    (
        "task",
        "write each task as a key of its own name: `browse: task(3, || { … })`",
    ),
    ("on_end", "did you mean `on_stop`?"),
    ("on_finish", "did you mean `on_stop`?"),
    ("teardown", "did you mean `on_stop`?"),
    ("tear_down", "did you mean `on_stop`?"),
    ("setup", "did you mean `on_start`?"),
    ("set_up", "did you mean `on_start`?"),
    ("on_begin", "did you mean `on_start`?"),
    ("init", "did you mean `on_start`?"),
    ("__init__", "did you mean `on_start`?"),
    ("count", "did you mean `fixed_count`?"),
    (
        "users",
        "did you mean `fixed_count`? How many there are in all: `options(#{ users: 10 })`",
    ),
    (
        "verify",
        "did you mean `insecure`? (`insecure: true` does not verify certificates)",
    ),
    ("default_headers", "did you mean `headers`?"),
    ("data", "the user's own data lives in `state: #{ … }`"),
    ("name", "the class is named by `user`'s first argument"),
    (
        "abstract",
        "write `let Base = #{ … };` and `user(\"Name\", extend(Base, #{ … }))`",
    ),
];

/// Options of a request by another name.
const REQUEST_OPTIONS: &[(&str, &str)] = &[
    ("data", "did you mean `form: #{…}`, or `body` for raw text?"),
    (
        "username",
        "did you mean `form: #{…}` (or `json`) around it, or `auth: [\"user\", \"password\"]`?",
    ),
    (
        "password",
        "did you mean `form: #{…}` (or `json`) around it, or `auth: [\"user\", \"password\"]`?",
    ),
    ("query", "did you mean `params: #{…}`?"),
    ("payload", "did you mean `json`, `form` or `body`?"),
    ("content", "did you mean `body`?"),
    ("files", "did you mean `multipart: #{…}`?"),
    (
        "catch_response",
        "leave it out: the verdict is open until the next request",
    ),
    ("follow_redirects", "did you mean `allow_redirects`?"),
    ("verify", "did you mean `insecure` in the class?"),
    ("tag", "did you mean `name`?"),
    ("label", "did you mean `name`?"),
    ("status", "did you mean `expect`?"),
    ("expected_status", "did you mean `expect`?"),
    (
        "method",
        "write `this.client.request(\"GET\", path, #{ … })`",
    ),
];

fn look_up(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    let row = table.iter().find(|(habit, _)| *habit == name);
    row.map(|(_, hint)| *hint)
}

pub(super) fn variable(name: &str) -> Option<&'static str> {
    look_up(VARIABLES, name)
}

pub(super) fn function(name: &str) -> Option<&'static str> {
    look_up(FUNCTIONS, name)
}

pub(super) fn method(name: &str) -> Option<&'static str> {
    look_up(METHODS, name)
}

pub(super) fn attribute(name: &str) -> Option<&'static str> {
    look_up(ATTRIBUTES, name)
}

pub(super) fn request_option(name: &str) -> Option<&'static str> {
    look_up(REQUEST_OPTIONS, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_habit_is_listed_twice() {
        for table in [VARIABLES, FUNCTIONS, METHODS, ATTRIBUTES, REQUEST_OPTIONS] {
            let mut names: Vec<_> = table.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        }
    }
}

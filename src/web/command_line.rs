//! A wish as a command line, to be copied into a pipeline.
//!
//! Owns quoting and what is left out: secrets, and whatever has no option.

use super::words::time_text;
use crate::control::{ScriptView, Wish};

/// What starts the same run without a browser. Secrets are left out.
pub(super) fn command_line(wish: &Wish, script: &ScriptView) -> String {
    let mut words = vec!["katydid".to_owned(), "-f".to_owned(), quoted(&script.path)];
    let mut add = |option: &str, value: String| {
        words.push(option.to_owned());
        words.push(quoted(&value));
    };
    words_of(wish, script, &mut add);
    let changes = &wish.selection.changes;
    for (option, tags) in [("-T", &changes.tags), ("-E", &changes.exclude_tags)] {
        if !tags.is_empty() {
            words.push(option.to_owned());
            words.extend(tags.iter().map(|tag| quoted(tag)));
        }
    }
    if changes.equal_weights {
        words.push("--equal-weights".to_owned());
    }
    words.push("--headless".to_owned());
    words.extend(wish.selection.classes.iter().map(|class| quoted(class)));
    words.join(" ")
}

fn words_of(wish: &Wish, script: &ScriptView, add: &mut impl FnMut(&str, String)) {
    if let Some(users) = wish.users {
        add("-u", users.to_string());
    }
    if let Some(rate) = wish.spawn_rate {
        add("-r", rate.per_sec().to_string());
    }
    if let Some(Some(run_time)) = wish.run_time {
        add("-t", time_text(run_time));
    }
    if let Some(Some(iterations)) = wish.iterations {
        add("-i", iterations.to_string());
    }
    if let Some(host) = &wish.host {
        add("-H", crate::screen::show::clean(host).into_owned());
    }
    if let Some(timeout) = wish.stop_timeout {
        add("-s", time_text(timeout));
    }
    if let Some(seed) = wish.seed {
        add("--seed", seed.to_string());
    }
    for (name, value) in &wish.params {
        let is_secret = script.param(name).is_none_or(|param| param.secret);
        let value = if is_secret { "…" } else { value };
        add("-p", format!("{name}={value}"));
    }
    for config in &wish.selection.changes.config_users {
        add("--config-users", config.clone());
    }
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_words_back_as_they_were() {
        assert_eq!(quoted("scripts/a.rhai"), "scripts/a.rhai");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("$(id)"), "'$(id)'");
    }

    #[test]
    fn secrets_are_left_out() {
        let script = ScriptView {
            path: "a.rhai".to_owned(),
            ..ScriptView::default()
        };
        let wish = Wish {
            users: Some(5),
            params: vec![("password".to_owned(), "hunter2".to_owned())],
            ..Wish::default()
        };
        let line = command_line(&wish, &script);
        assert_eq!(line, "katydid -f a.rhai -u 5 -p 'password=…' --headless");
    }
}

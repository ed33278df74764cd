//! Functions that look outside their arguments' types: digests, patterns, time, figures, files.
//!
//! What many users at once write is tested through the built binary.

use super::{checked, evaluated, failed, refusal, task};
use crate::script::Bundle;

#[test]
fn digests_take_text_and_bytes() {
    let values = evaluated(
        "let b = \"abc\".to_blob(); [sha256(\"abc\") == sha256(b), md5(b), \
         hmac_sha256(b, b) == hmac_sha256(\"abc\", \"abc\"), \
         hmac_sha256(\"abc\", b) == hmac_sha256(b, \"abc\")]",
    );
    assert_eq!(
        values,
        "[true, \"900150983cd24fb0d6963f7d28e17f72\", true, true]"
    );
}

#[test]
fn find_gives_the_group_the_match_or_nothing() {
    let values = evaluated(
        "let r = \"a=1&token=x9\"; [find(r, \"token=(\\\\w+)\"), find(r, #\"\\d\"#), find(r, \"z\")]",
    );
    assert_eq!(values, "[\"x9\", \"1\", ()]");
    let failure = failed("let p = \"a(\"; find(\"x\", p)");
    assert_eq!(
        failure.message,
        "`a(` is not a regular expression: unclosed group"
    );
    assert!(failure.position.is_some());
}

#[test]
fn a_pattern_that_is_written_out_is_checked_at_load() {
    let found = checked(&Bundle::from_text(
        "s.rhai",
        &task("find(\"x\", \"[a\"); \"x\".find(\"*\");"),
    ));
    let messages: Vec<_> = found.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "`[a` is not a regular expression: unclosed character class",
            "`*` is not a regular expression: repetition operator missing expression",
        ]
    );
    let append = checked(&Bundle::from_text(
        "s.rhai",
        &task("let s = \"a\"; s.append(\"b\");"),
    ));
    assert!(append.has_errors(), "it would write to a file `a`");
}

#[test]
fn format_time_is_in_utc_and_the_same_in_every_evaluation() {
    let value = evaluated("format_time(\"%Y-%m-%dT%H:%M:%S %z\")");
    assert!(
        value.starts_with("1970-01-01T00:00:0") && value.ends_with(" +0000"),
        "{value}"
    );
    let failure = failed("format_time(\"%!\")");
    assert!(
        failure.message.starts_with("`%!` is no format of a time: "),
        "{}",
        failure.message
    );
}

#[test]
fn figures_need_a_run_and_a_user() {
    assert_eq!(
        evaluated("[stats(), stats(\"/x\"), worker_index(), worker_count()]"),
        "[#{}, (), 0, 1]"
    );
    let wrong = refusal(&format!("stats(); {}", task("1")));
    assert!(
        wrong.contains("`stats` works only inside a task"),
        "{wrong}"
    );
    let failure = failed("append(\"\", \"x\")");
    assert!(
        failure.message.starts_with("cannot append to ``: "),
        "{}",
        failure.message
    );
}

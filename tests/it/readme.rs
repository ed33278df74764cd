//! The README tells the truth: its script is the one that `katydid new` writes, its output the
//! one that the tool prints, and every script in it passes the check.

use std::fs;
use std::path::Path;

use crate::peer::Shop;
use crate::tool::Tool;

/// The text between a line that starts with `from` and the next line that is `to`.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let begun = text.split_once(from).unwrap().1;
    let body = begun.split_once('\n').unwrap().1;
    body.split_once(to).unwrap().0
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// Rows and words of a table; numbers and widths differ from run to run.
fn shape(line: &str) -> Vec<String> {
    let is_word = |word: &&str| {
        !word.chars().any(|letter| letter.is_ascii_digit()) && word.chars().any(char::is_alphabetic)
    };
    line.split([' ', '|', '-'])
        .filter(is_word)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_script_is_the_one_that_new_writes() {
    let finished = Tool::new().args("new shop.rhai").run().code(0);
    let readme = readme();
    let shown = between(&readme, "<!-- starter -->\n```rust", "```");
    assert_eq!(
        shown,
        fs::read_to_string(finished.path("shop.rhai")).unwrap()
    );
}

#[test]
fn the_output_is_what_the_tool_prints() {
    let readme = readme();
    let script = between(&readme, "<!-- starter -->\n```rust", "```");
    let shop = Shop::open();
    let finished = Tool::running(script)
        .on(&shop)
        .args("-u 10 -r 10 -i 40")
        .run()
        .code(0);
    let table = |text: &str| -> Vec<_> {
        // A busy machine may add a warning about the load generator; it is no part of the sample.
        let lines = text
            .lines()
            .skip_while(|line| !line.starts_with("Type"))
            .take_while(|line| !line.starts_with("warning:"));
        lines.map(shape).filter(|words| !words.is_empty()).collect()
    };
    let shown = between(&readme, "<!-- output -->\n```text", "```");
    assert_eq!(table(&finished.stderr), table(shown));
}

#[test]
fn every_script_in_it_passes_the_check() {
    let readme = readme();
    let mut rest = readme.as_str();
    let mut scripts = 0;
    while let Some((_, from)) = rest.split_once("```rust\n") {
        let (script, after) = from.split_once("```").unwrap();
        Tool::new()
            .file("page.rhai", script)
            .args("check page.rhai")
            .run()
            .code(0);
        scripts += 1;
        rest = after;
    }
    assert_eq!(scripts, 2);
}

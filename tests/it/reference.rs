//! What helps to write: `docs`, `definitions`, `completions`, and the page in the repository.
//!
//! That the table of words equals what scripts can call is tested with the table.

use std::fs;
use std::path::Path;

use crate::peer::Shop;
use crate::tool::Tool;

#[test]
fn the_page_in_the_repository_is_what_docs_prints() {
    let printed = Tool::new().args("docs").run().code(0).stdout;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/language.md");
    let kept = fs::read_to_string(path).unwrap();
    assert!(
        kept == printed,
        "docs/language.md is not what the tool prints; write it anew with\n\n    \
         cargo run -- docs > docs/language.md\n"
    );
}

#[test]
fn links_of_the_page_lead_somewhere() {
    let page = Tool::new().args("docs").run().code(0).stdout;
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchors: Vec<_> = headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title.replace(' ', "-")
        })
        .collect();
    let links = regex::Regex::new(r"\]\(([^)]+)\)").unwrap();
    let mut seen = 0;
    for link in links.captures_iter(&page).map(|link| link[1].to_owned()) {
        seen += 1;
        if let Some(anchor) = link.strip_prefix('#') {
            assert!(anchors.iter().any(|known| known == anchor), "{link}");
        } else if !link.starts_with("https://") {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("docs")
                .join(&link);
            assert!(path.exists(), "{link}");
        }
    }
    assert!(seen > 5);
}

#[test]
fn docs_of_one_word() {
    let entry = Tool::new().args("docs between").run().code(0).stdout;
    assert!(entry.contains("between(least: seconds"), "{entry}");
    assert!(entry.lines().count() < 15, "{entry}");
    let wrong = Tool::new().args("docs betwen").run().code(2);
    let wrong = wrong.says(&["there is no word `betwen`", "did you mean `between`"]);
    assert_eq!(wrong.stdout, "");
}

#[test]
fn definitions_are_written_and_foreign_files_kept() {
    let written = Tool::new().args("definitions a/b").run().code(0);
    let written = written.says(&["wrote katydid.d.rhai and rhai.d.rhai to a/b"]);
    let text = fs::read_to_string(written.path("a/b/katydid.d.rhai")).unwrap();
    assert!(text.contains("\nmodule static;\n"), "{text}");
    assert!(text.contains("\nfn get(client: Client, path: String) -> Response;\n"));

    // Its own files it writes again.
    Tool::new()
        .file("katydid.d.rhai", &text)
        .args("definitions .")
        .run()
        .code(0);
    let kept = Tool::new()
        .file("rhai.d.rhai", "module mine;")
        .args("definitions .")
        .run()
        .code(2)
        .says(&["rhai.d.rhai` exists", "hint:"]);
    let text = fs::read_to_string(kept.path("rhai.d.rhai")).unwrap();
    assert_eq!(text, "module mine;");
    assert!(!kept.path("katydid.d.rhai").exists());

    Tool::new()
        .file("taken", "")
        .args("definitions taken")
        .run()
        .code(2)
        .says(&["cannot make the folder `taken`"]);
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let line = format!("completions {shell}");
        let script = Tool::new().args(&line).run().code(0).stdout;
        for word in ["spawn-rate", "definitions"] {
            assert!(script.contains(word), "{shell}: no `{word}`");
        }
    }
    Tool::new()
        .args("completions tcsh")
        .run()
        .code(2)
        .says(&["bash"]);
}

#[test]
fn the_script_of_the_page_passes_the_check_and_runs() {
    let page = Tool::new().args("docs").run().code(0).stdout;
    let (_, script) = page.split_once("```rust\n").unwrap();
    let (script, _) = script.split_once("```\n").unwrap();
    let shop = Shop::open();
    // All start at once: none takes the iteration of one that is still to come.
    let run = Tool::running(script)
        .args("-u 3 -r 1000 -i 3")
        .on(&shop)
        .run();
    let document = run.code(0).document();
    assert_eq!(document.row("/login"), (3, 0));
    assert_eq!(document.row("/logout"), (3, 0));
}

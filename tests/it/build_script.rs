//! The build without npm: what the build script makes then, and when that is an error.
//!
//! Runs the script that cargo has built; what such a binary serves is tested in `web::serve`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The latest that cargo has built, beside what it made for this test.
fn script() -> PathBuf {
    let all = Path::new(env!("OUT_DIR")).ancestors().nth(2).unwrap();
    let built = fs::read_dir(all).unwrap().filter_map(|folder| {
        let folder = folder.unwrap().path();
        let is_ours = folder.file_name()?.to_str()?.starts_with("katydid-");
        let script = folder.join("build-script-build");
        let changed = fs::metadata(&script).ok()?.modified().unwrap();
        is_ours.then_some((changed, script))
    });
    built.max().expect("cargo has built it").1
}

/// What it does with these variables, and the table that it writes.
fn built(variables: &[(&str, &str)]) -> (Output, String) {
    let out = TempDir::new().unwrap();
    let mut command = Command::new(script());
    command
        .env_clear()
        .env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"))
        .env("OUT_DIR", out.path())
        .envs(variables.iter().copied());
    let output = command.output().unwrap();
    let table = fs::read_to_string(out.path().join("assets.rs")).unwrap_or_default();
    (output, table)
}

#[test]
fn without_npm_there_is_an_empty_table() {
    // Nothing is on this path.
    let nowhere = ("PATH", "/nowhere");
    let (chosen, table) = built(&[nowhere, ("KATYDID_NO_WEB", "1")]);
    assert!(chosen.status.success(), "{chosen:?}");
    let said = String::from_utf8_lossy(&chosen.stdout);
    assert!(!said.contains("cargo:warning"), "it was asked for: {said}");
    // Rust that fits where it is included.
    let folder = TempDir::new().unwrap();
    let source = format!(
        "pub struct Asset;\npub mod inner {{ use super::Asset; {table}\n\
         pub fn is_empty() -> bool {{ ASSETS.is_empty() && REPORT_POLICY.is_empty() }} }}\n\
         fn main() {{ assert!(inner::is_empty()); }}"
    );
    fs::write(folder.path().join("main.rs"), source).unwrap();
    let compiled = Command::new("rustc")
        .args(["--edition", "2024", "main.rs", "-o", "main"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{compiled:?}");
    let ran = Command::new(folder.path().join("main")).status().unwrap();
    assert!(ran.success());

    let (missing, same) = built(&[nowhere]);
    assert!(missing.status.success(), "{missing:?}");
    assert_eq!(same, table);
    let said = String::from_utf8_lossy(&missing.stdout);
    assert!(
        said.contains("cargo:warning=the web UI is left out"),
        "{said}"
    );
    assert!(said.contains("install Node.js"), "{said}");

    let (required, none) = built(&[nowhere, ("KATYDID_WEB", "require")]);
    assert_eq!((required.status.code(), none.as_str()), (Some(1), ""));
    let said = String::from_utf8_lossy(&required.stderr);
    assert!(said.contains("`npm` does not run"), "{said}");

    let (nothing, _) = built(&[nowhere, ("KATYDID_WEB_DIST", "/nowhere")]);
    assert_eq!(nothing.status.code(), Some(1));
    let said = String::from_utf8_lossy(&nothing.stderr);
    assert!(
        said.contains("the web UI in /nowhere cannot be used"),
        "{said}"
    );
}

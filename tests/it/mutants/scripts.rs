//! Damaged examples through the load-time check, in this process. What it finds is not looked at:
//! many mutants are right.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use katydid::script::Bundle;
use tempfile::TempDir;

use super::mutator::{Dice, ODD_NUMBERS, mutant};
use super::{assert_none, checked, count, each, seed, threads};

/// A top level that does not end is ended after ten seconds; and the machine may be busy.
const BOUND: Duration = Duration::from_secs(60);

/// The examples in a folder of their own, with the data and the libraries that they import.
pub(super) struct Gallery {
    folder: TempDir,
    /// Their texts, by name.
    pub(super) scripts: Vec<(String, Vec<u8>)>,
}

impl Gallery {
    pub(super) fn open() -> Gallery {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = TempDir::new().unwrap();
        let mut scripts = Vec::new();
        for from in ["examples", "scripts"] {
            copy(&root.join(from), folder.path(), &mut scripts);
        }
        scripts.sort();
        assert!(scripts.len() > 40);
        Gallery { folder, scripts }
    }

    /// A mutant of any of them with so many kinds of damage at most, beside what it imports.
    pub(super) fn mutant(
        &self,
        number: usize,
        numbers: &[&str],
        most: usize,
    ) -> (PathBuf, Vec<u8>) {
        let mut dice = Dice::of(seed(), number);
        let all: Vec<_> = self
            .scripts
            .iter()
            .map(|(_, text)| text.as_slice())
            .collect();
        let text = mutant(&mut dice, all[number % all.len()], &all, numbers, most);
        let path = self.folder.path().join(format!("mutant-{number}.rhai"));
        fs::write(&path, &text).unwrap();
        (path, text)
    }
}

/// Copies a folder with what is in it; scripts at the top are given back.
fn copy(from: &Path, to: &Path, scripts: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
        let there = to.join(&name);
        if entry.is_dir() {
            fs::create_dir_all(&there).unwrap();
            copy(&entry, &there, &mut Vec::new());
            continue;
        }
        let content = fs::read(&entry).unwrap();
        fs::write(&there, &content).unwrap();
        if name.ends_with(".rhai") {
            scripts.push((name, content));
        }
    }
}

#[test]
fn damaged_examples_are_checked_without_a_panic_or_a_hang() {
    let gallery = Gallery::open();
    let wrong = each(count(800), threads(), BOUND, |number, tell| {
        let (path, text) = gallery.mutant(number, &ODD_NUMBERS, 4);
        tell(&text);
        // Text that is not UTF-8 is refused here.
        if let Ok(bundle) = Bundle::read(&path) {
            checked::check(&bundle);
        }
        fs::remove_file(&path).unwrap();
        Ok(())
    });
    assert_none(&wrong, "mutants through the check");
}

#[test]
fn whole_examples_pass_the_same_check() {
    let gallery = Gallery::open();
    for (name, _) in &gallery.scripts {
        let bundle = Bundle::read(&gallery.folder.path().join(name)).unwrap();
        // A library is no scenario.
        let passes = checked::check(&bundle);
        assert!(passes || name == "library.rhai", "{name}");
    }
}

//! `katydid docs`, `definitions` and `completions`: help for writing scripts.
//!
//! Owns writing them out; their contents come from the table of words and from the command line's
//! definition.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Exit, arguments, result};
use crate::files;
use crate::reference;
use crate::screen::show;
use crate::script::Level;

/// Prints the reference, or the entries of one word.
pub(super) fn docs(word: Option<&str>) -> Exit {
    match word.map(reference::entries) {
        None => result::print(reference::page().as_bytes()),
        Some(Ok(entries)) => result::print(entries.as_bytes()),
        Some(Err(similar)) => {
            let word = word.unwrap_or_default();
            let hint = match similar.as_slice() {
                [] => "`katydid docs` shows all words".to_owned(),
                similar => format!("did you mean `{}`?", similar.join("`, `")),
            };
            show::error(&format!("there is no word `{word}`"), Some(&hint));
            Exit::Usage
        }
    }
}

/// Writes the definitions for editors into a folder, creating it if it is missing.
pub(super) fn definitions(folder: &Path) -> Exit {
    if let Err(error) = fs::create_dir_all(folder) {
        let shown = folder.display();
        show::error(&format!("cannot make the folder `{shown}`: {error}"), None);
        return Exit::Usage;
    }
    let files = reference::definitions();
    let foreign = files
        .iter()
        .find(|(name, _)| is_foreign(&folder.join(name)));
    if let Some((name, _)) = foreign {
        let shown = folder.join(name);
        show::error(
            &format!("`{}` exists and is not Katydid's", shown.display()),
            Some("choose another folder, or move that file away"),
        );
        return Exit::Usage;
    }
    for (name, text) in &files {
        let path = folder.join(name);
        if let Err(error) = fs::write(&path, text) {
            show::error(&format!("cannot write `{}`: {error}", path.display()), None);
            return Exit::Usage;
        }
    }
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    let text = format!("wrote {} to {}", names.join(" and "), folder.display());
    show::log(Level::Info, &text);
    Exit::Ok
}

/// More than `definitions` ever writes.
const LARGEST: u64 = 16_000_000;

/// True if the path exists and was not written by `definitions`.
fn is_foreign(path: &Path) -> bool {
    match files::read_to_string(path, LARGEST) {
        Ok(text) => !text.starts_with(reference::WRITTEN),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// Prints a shell's completion script.
pub(super) fn completions(shell: Shell) -> Exit {
    let mut script = Vec::new();
    let mut command = arguments::Arguments::command();
    clap_complete::generate(shell, &mut command, "katydid", &mut script);
    result::print(&script)
}

//! A script and everything it imports, as one hashed unit of text.
//!
//! Owns reading the files and resolving import paths. It is what is shipped, compared and
//! compiled; compiling is done elsewhere, once per thread.

use std::collections::VecDeque;
use std::io;
use std::path::{Component, Path, PathBuf};

use rhai::{AST, Engine, Expr, ParseError, Position, Stmt};
use sha2::{Digest, Sha256};

use crate::data::Sources;
use crate::files::Files;
use crate::script::diagnostic::{Diagnostic, found};

/// The largest file of a script.
const LARGEST: u64 = 16_000_000;

/// The files of a scenario. The first is the script itself, the others what it imports.
#[derive(Clone, Debug)]
pub struct Bundle {
    files: Vec<File>,
    missing: Vec<MissingImport>,
}

/// One file of a bundle.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path as a person would write it: the script's as given, an import's beside it.
    pub path: String,
    /// Its text; a shebang line is turned into a comment, so that positions stay.
    pub text: String,
}

/// An import whose file could not be read.
#[derive(Clone, Debug)]
struct MissingImport {
    /// The index of the file that imports it.
    importer: usize,
    position: Position,
    path: String,
    reason: String,
}

/// Why a script could not be read at all.
#[derive(Debug)]
pub struct Unreadable {
    path: PathBuf,
    reason: String,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "cannot read the script `{}`: {}",
            self.path.display(),
            self.reason
        )
    }
}

impl std::error::Error for Unreadable {}

impl Bundle {
    /// Reads the script at `path` and, from its own text, everything it imports.
    ///
    /// # Errors
    /// When the script cannot be read or is not UTF-8. An import that cannot be read is not an
    /// error here: the load-time check reports it with the others, at its position.
    pub fn read(path: &Path) -> Result<Bundle, Unreadable> {
        Bundle::read_from(&Files::default(), path)
    }

    /// Like [`Bundle::read`], with all files read from `files`.
    ///
    /// # Errors
    /// As [`Bundle::read`].
    pub fn read_from(files: &Files, path: &Path) -> Result<Bundle, Unreadable> {
        let text = read_text(files, path).map_err(|reason| Unreadable {
            path: path.to_owned(),
            reason,
        })?;
        let mut bundle = Bundle {
            files: vec![File {
                path: path.display().to_string(),
                text,
            }],
            missing: Vec::new(),
        };
        bundle.read_imports(files);
        Ok(bundle)
    }

    /// A bundle of one file that was never on a disk.
    #[must_use]
    pub fn from_text(path: &str, text: &str) -> Bundle {
        let file = File {
            path: path.to_owned(),
            text: comment_out_shebang(text.to_owned()),
        };
        Bundle {
            files: vec![file],
            missing: Vec::new(),
        }
    }

    /// A bundle of several such files; the first is the script.
    #[cfg(test)]
    pub(crate) fn from_files(files: &[(&str, &str)]) -> Bundle {
        let one = |(path, text): &(&str, &str)| Bundle::from_text(path, text).files;
        Bundle {
            files: files.iter().flat_map(one).collect(),
            missing: Vec::new(),
        }
    }

    /// The files; the first is the script itself.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The paths of the files and of those imports that could not be read: for whoever watches
    /// them.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let files = self.files.iter().map(|file| &file.path);
        let missing = self.missing.iter().map(|missing| &missing.path);
        let mut paths: Vec<_> = files.chain(missing).map(PathBuf::from).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// What is imported and can't be read.
    pub(crate) fn missing_imports(&self) -> Vec<Diagnostic> {
        let finding = |missing: &MissingImport| {
            let importer = &self.files[missing.importer].path;
            let message = format!("cannot import `{}`: {}", missing.path, missing.reason);
            found(importer, missing.position, message)
        };
        self.missing.iter().map(finding).collect()
    }

    /// The first 12 hexadecimal digits of the SHA-256 over all paths and texts, and over the data
    /// files that evaluating it has read: with other data it is another scenario.
    #[must_use]
    pub fn hash(&self, data: &Sources) -> String {
        let mut hasher = Sha256::new();
        for file in &self.files {
            for part in [&file.path, &file.text] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        for (path, stamp) in data.stamps() {
            hasher.update(path.as_os_str().as_encoded_bytes());
            hasher.update(stamp.sha256);
        }
        hasher
            .finalize()
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn read_imports(&mut self, files: &Files) {
        let mut engine = super::parser::parser();
        // A variable that is not there hides none of what is imported.
        engine.set_strict_variables(false);
        let mut unread = VecDeque::from([0]);
        while let Some(importer) = unread.pop_front() {
            // To parse is most of what reading a script costs.
            if !self.files[importer].text.contains("import") {
                continue;
            }
            let Ok(ast) = parse(&engine, &self.files[importer]) else {
                continue;
            };
            for (name, position) in imports(&ast) {
                let path = resolve(&self.files[importer].path, &name);
                if self.files.iter().any(|file| file.path == path) {
                    continue;
                }
                match read_text(files, Path::new(&path)) {
                    Ok(text) => {
                        unread.push_back(self.files.len());
                        self.files.push(File { path, text });
                    }
                    Err(reason) => {
                        self.missing.push(MissingImport {
                            importer,
                            position,
                            path,
                            reason,
                        });
                    }
                }
            }
        }
    }
}

/// Parses one file and names it, so that errors can tell where they come from.
pub(crate) fn parse(engine: &Engine, file: &File) -> Result<AST, ParseError> {
    let mut ast = engine.compile(&file.text)?;
    ast.set_source(file.path.as_str());
    Ok(ast)
}

/// The path of the file that `importer` means by `name`: beside it, `.rhai` understood.
pub(crate) fn resolve(importer: &str, name: &str) -> String {
    let beside = Path::new(importer)
        .parent()
        .unwrap_or_else(|| Path::new(""))
        .join(name);
    let mut path = PathBuf::new();
    for component in beside.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if path.file_name().is_some() => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    let path = path.display().to_string();
    if path.ends_with(".rhai") {
        path
    } else {
        format!("{path}.rhai")
    }
}

/// The imports written at the top level with a literal path.
fn imports(ast: &AST) -> Vec<(String, Position)> {
    ast.statements()
        .iter()
        .filter_map(|statement| match statement {
            Stmt::Import(import, _) => match &import.0 {
                Expr::StringConstant(name, position) => Some((name.to_string(), *position)),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

fn read_text(files: &Files, path: &Path) -> Result<String, String> {
    let bytes = files
        .read(path, LARGEST)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if files.are_on_disk() => "there is no such file".to_owned(),
            _ => error.to_string(),
        })?;
    let text = String::from_utf8(bytes.into()).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        format!("it is not UTF-8 text (line {line})")
    })?;
    let text = text
        .strip_prefix('\u{feff}')
        .map_or(text.clone(), str::to_owned);
    Ok(comment_out_shebang(text))
}

fn comment_out_shebang(mut text: String) -> String {
    if text.starts_with("#!/") {
        // Three slashes would begin a documentation comment, which may not stand just anywhere.
        text.replace_range(..3, "// ");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_bundle_that_was_sent_is_read_by_its_paths_alone() {
        let files = Files::sent([
            (
                "a/main.rhai".into(),
                b"import \"../lib/b\" as b;\nimport \"c\" as c;".to_vec(),
            ),
            ("lib/b.rhai".into(), b"\xef\xbb\xbffn f() { 1 }".to_vec()),
        ]);
        let bundle = Bundle::read_from(&files, Path::new("a/main.rhai")).unwrap();
        let paths: Vec<_> = bundle.files().iter().map(|file| &*file.path).collect();
        assert_eq!(paths, ["a/main.rhai", "lib/b.rhai"]);
        let missing = bundle.missing_imports();
        assert!(
            missing[0].message.contains("`a/c.rhai`: it was not sent"),
            "{missing:?}"
        );
        assert!(Bundle::read_from(&files, Path::new("main.rhai")).is_err());
    }

    #[test]
    fn imports_are_found_beside_the_importer() {
        assert_eq!(resolve("scripts/shop.rhai", "lib"), "scripts/lib.rhai");
        assert_eq!(resolve("shop.rhai", "./lib.rhai"), "lib.rhai");
        assert_eq!(resolve("a/b/shop.rhai", "../lib/http"), "a/lib/http.rhai");
        assert_eq!(resolve("shop.rhai", "../lib"), "../lib.rhai");
    }

    #[test]
    fn a_bundle_holds_what_is_imported_once() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "main.rhai",
            "#!/usr/bin/env katydid\nimport \"a\" as a;\nimport \"b\" as b;",
        );
        write("a.rhai", "import \"b\" as b; import \"gone\" as gone;");
        write("b.rhai", "import \"a\" as a; import \"gone\" as gone;");
        let bundle = Bundle::read(&folder.path().join("main.rhai")).unwrap();
        let names: Vec<_> = bundle
            .files()
            .iter()
            .map(|file| file.path.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(names, ["main.rhai", "a.rhai", "b.rhai"]);
        let names = ["a.rhai", "b.rhai", "gone.rhai", "main.rhai"];
        assert_eq!(bundle.paths(), names.map(|name| folder.path().join(name)));
        assert!(bundle.files()[0].text.starts_with("// usr"));
        let missing = &bundle.missing_imports()[0];
        assert!(missing.file.ends_with("a.rhai") && missing.line == 1);
        assert!(
            missing
                .message
                .ends_with("gone.rhai`: there is no such file")
        );
    }

    #[test]
    fn the_hash_follows_the_text() {
        let hash = |text| Bundle::from_text("a.rhai", text).hash(&Sources::default());
        assert_eq!(hash("1"), hash("1"));
        assert_ne!(hash("1"), hash("2"));
        assert_eq!(hash("1").len(), 12);
    }

    #[test]
    fn what_is_not_text_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latin1.rhai");
        fs::write(&path, b"// a\n// caf\xe9\n").unwrap();
        let refused = Bundle::read(&path).unwrap_err().to_string();
        assert!(
            refused.ends_with("it is not UTF-8 text (line 2)"),
            "{refused}"
        );
    }
}

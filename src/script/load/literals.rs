//! What a script names as text: files that it reads, and files that it appends to.
//!
//! Owns finding it in the syntax tree, for a run on other machines: they get files whose names stand
//! in the script, and no others. A name that is put together while users run is not among them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rhai::{ASTNode, Expr};

use super::bundle::Bundle;
use super::parsed::parsed;

/// What has the path of a file for its value: in a part of a body, and in what a client is made of.
const FILES: [&str; 4] = ["file", "ca", "client_cert", "client_key"];

/// What stands in one file of a script.
#[derive(Default)]
struct Written {
    texts: BTreeSet<String>,
    /// The values of [`FILES`].
    files: BTreeSet<String>,
    /// Some of these values are no texts.
    has_others: bool,
}

impl Bundle {
    /// The texts in the script and its parameters: what it may append to on other machines.
    #[must_use]
    pub fn texts(&self, params: &BTreeMap<String, String>) -> BTreeSet<String> {
        let written = self.written();
        let texts = written.into_iter().flat_map(|written| written.texts);
        texts.chain(params.values().cloned()).collect()
    }

    /// The paths of files that users may upload, and of certificates, as far as the script names
    /// them. If it computes some, any relative path in it may be meant.
    #[must_use]
    pub fn files_named(&self, params: &BTreeMap<String, String>) -> BTreeSet<PathBuf> {
        let written = self.written();
        let main = folder(&self.files()[0].path);
        let mut paths = BTreeSet::new();
        for (file, written) in self.files().iter().zip(&written) {
            for folder in [main, folder(&file.path)] {
                paths.extend(written.files.iter().map(|path| folder.join(path)));
            }
        }
        if written.iter().any(|written| written.has_others) {
            let texts = written.iter().flat_map(|written| &written.texts);
            let relative = texts.filter(|text| !text.is_empty() && Path::new(text).is_relative());
            paths.extend(relative.map(|path| main.join(path)));
            paths.extend(params.values().map(|path| main.join(path)));
        }
        paths
    }

    /// Of each of its files; what cannot be parsed has nothing.
    fn written(&self) -> Vec<Written> {
        let parsed = parsed(self);
        let written = parsed.iter().map(|file| {
            let mut written = Written::default();
            if let Some(ast) = &file.ast {
                ast.walk(&mut |path| {
                    if let Some(ASTNode::Expr(expr)) = path.last() {
                        written.note(expr);
                    }
                    true
                });
            }
            written
        });
        written.collect()
    }
}

impl Written {
    fn note(&mut self, expr: &Expr) {
        match expr {
            Expr::StringConstant(text, _) => {
                self.texts.insert(text.to_string());
            }
            Expr::Map(parts, _) => {
                let files = parts.0.iter();
                let files = files.filter(|(key, _)| FILES.contains(&key.name.as_str()));
                for (_, value) in files {
                    match value {
                        Expr::StringConstant(text, _) => {
                            self.files.insert(text.to_string());
                        }
                        _ => self.has_others = true,
                    }
                }
            }
            // A map of constants alone is one constant.
            Expr::DynamicConstant(value, _) => self.note_constant(value),
            _ => {}
        }
    }

    fn note_constant(&mut self, value: &rhai::Dynamic) {
        if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
            self.texts.insert(text.to_string());
        } else if let Some(values) = value.read_lock::<rhai::Array>() {
            values.iter().for_each(|value| self.note_constant(value));
        } else if let Some(map) = value.read_lock::<rhai::Map>() {
            for (key, value) in map.iter() {
                if FILES.contains(&key.as_str())
                    && let Some(text) = value.read_lock::<rhai::ImmutableString>()
                {
                    self.files.insert(text.to_string());
                }
                self.note_constant(value);
            }
        }
    }
}

fn folder(path: &str) -> &Path {
    Path::new(path).parent().unwrap_or(Path::new(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_wherever_they_stand() {
        let script = r#"
            // "comment"
            const FILE = "a.txt";
            fn named(x) { if x { "b.txt" } else { `c.txt` } }
            user("U", #{ t: task(|| { append("d.txt", #{ photo: #{ file: "e.png" } }); }) });
            let n = "x" + "y"; let path = `f-${n}.txt`;
        "#;
        let params = [("out".to_owned(), "g.txt".to_owned())].into();
        let found = Bundle::from_text("s.rhai", script).texts(&params);
        for text in ["a.txt", "b.txt", "c.txt", "d.txt", "e.png", "g.txt"] {
            assert!(found.contains(text), "{text}: {found:?}");
        }
        for text in ["comment", "f-xy.txt"] {
            assert!(!found.contains(text), "{text}");
        }
    }

    #[test]
    fn only_what_is_the_path_of_a_file_is_one() {
        let named =
            |script: &str| Bundle::from_text("in/s.rhai", script).files_named(&BTreeMap::new());
        let upload = |file: &str| {
            format!(
                "let other = \"b.png\"; user(\"U\", #{{ ca: \"ca.pem\", t: task(|| {{ \
                 this.client.post(\"/up\", #{{ multipart: #{{ p: #{{ file: {file} }} }} }}); }}) }});"
            )
        };
        let paths = |all: &[&str]| all.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        let written = named(&upload("\"/tmp/a.png\""));
        assert_eq!(written, paths(&["/tmp/a.png", "in/ca.pem"]));
        let computed = named(&upload("other"));
        assert!(computed.contains(Path::new("in/b.png")), "{computed:?}");
        assert!(!computed.contains(Path::new("/up")), "{computed:?}");
    }
}

//! What the system looks up to resolve a path: the entries of directories whose change can make
//! the path mean another file.
//!
//! Owns following symbolic links one by one. Reads no file and watches nothing.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many links as Linux follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Entries of directories, each as its directory's path without links, and its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WatchedPaths {
    entries: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

impl WatchedPaths {
    /// For each of `paths`: its last entry and each link on the way, or the first entry that is
    /// missing.
    ///
    /// Directories on the way that are not links are left out, because the entries of `/`, `/home`
    /// and `/tmp` are touched all the time; replacing one of them is noticed by polling.
    pub(super) fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> WatchedPaths {
        let mut found = WatchedPaths::default();
        for path in paths {
            found.add(path);
        }
        let folders = found.entries.iter().filter_map(|entry| entry.parent());
        found.folders = folders.map(Path::to_owned).collect();
        found
    }

    /// The directories of the entries.
    pub(super) fn folders(&self) -> &BTreeSet<PathBuf> {
        &self.folders
    }

    /// Whether `path` is one of the entries, or of their directories.
    pub(super) fn concern(&self, path: &Path) -> bool {
        self.entries.contains(path) || self.folders.contains(path)
    }

    fn add(&mut self, path: &Path) {
        let Ok(path) = std::path::absolute(path) else {
            return;
        };
        let mut at = PathBuf::new();
        // The next component is the last one.
        let mut rest = Vec::new();
        push(&mut rest, &path);
        let mut links = 0;
        while let Some(name) = rest.pop() {
            match Path::new(&name).components().next() {
                Some(Component::Normal(_)) => {}
                Some(Component::ParentDir) => {
                    at.pop();
                    continue;
                }
                Some(root) => {
                    at.push(root);
                    continue;
                }
                None => continue,
            }
            let entry = at.join(&name);
            let kind = fs::symlink_metadata(&entry).map(|entry| entry.file_type());
            match kind {
                Ok(kind) if kind.is_symlink() && links < MOST_LINKS => {
                    links += 1;
                    let target = fs::read_link(&entry);
                    self.entries.insert(entry);
                    match target {
                        Ok(target) => push(&mut rest, &target),
                        Err(_) => return,
                    }
                }
                Ok(kind) if kind.is_dir() && !rest.is_empty() => at = entry,
                _ => {
                    self.entries.insert(entry);
                    return;
                }
            }
        }
    }
}

fn push(rest: &mut Vec<OsString>, path: &Path) {
    let components = path.components().rev();
    rest.extend(components.map(|component| component.as_os_str().to_owned()));
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The watched paths below a folder.
    fn below(folder: &Path, path: &str) -> Vec<String> {
        let path = folder.join(path);
        let found = WatchedPaths::of([path.as_path()]);
        let entries = found.entries.iter();
        let inside = entries.filter_map(|entry| entry.strip_prefix(folder).ok());
        inside.map(|entry| entry.display().to_string()).collect()
    }

    #[test]
    fn links_are_followed_one_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("map/..1")).unwrap();
        fs::create_dir_all(root.join("away/deep")).unwrap();
        fs::write(root.join("map/..1/x"), "").unwrap();
        symlink("..1", root.join("map/..data")).unwrap();
        symlink("..data/x", root.join("map/x")).unwrap();
        symlink(root.join("map"), root.join("away/deep/link")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("../gone", root.join("away/dangling")).unwrap();
        let table: [(&str, &[&str]); 10] = [
            ("map/..1/x", &["map/..1/x"]),
            ("map/x", &["map/..1/x", "map/..data", "map/x"]),
            (
                "away/deep/link/x",
                &["away/deep/link", "map/..1/x", "map/..data", "map/x"],
            ),
            ("away/../map/./..1/x", &["map/..1/x"]),
            ("map/..data/../..1/x", &["map/..1/x", "map/..data"]),
            ("new", &["new"]),
            ("a/b/c", &["a"]),
            ("map/..1/x/under/a/file", &["map/..1/x"]),
            ("away/dangling", &["away/dangling", "gone"]),
            ("loop", &["loop"]),
        ];
        for (path, expected) in table {
            assert_eq!(below(&root, path), expected, "{path}");
        }
    }

    #[test]
    fn entries_and_their_folders_are_what_concerns() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let found = WatchedPaths::of([root.join("a").as_path()]);
        assert!(found.concern(&root.join("a")) && found.concern(&root));
        assert!(!found.concern(&root.join("b")) && !found.concern(&root.join("a/b")));
        assert_eq!(found.folders().iter().collect::<Vec<_>>(), [&root]);
    }
}

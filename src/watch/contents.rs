//! What watched files contain: noticing when that changes.
//!
//! Owns when a file is read and when its metadata are enough. When to look is decided elsewhere.

use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};

use crate::files;

/// For how long after a file was seen to change its metadata may hide another change: times are
/// kept in steps of 2 s on some file systems, 1 s on others.
const HIDING: Duration = Duration::from_millis(2_500);

/// Files of up to this many bytes are read at each look, which takes 2 ms. A larger one is read
/// only if its metadata have changed, or did recently.
const SMALL: u64 = 1_000_000;

/// What the system says about a file; `None` if it does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(Option<[i64; 7]>);

impl Stamp {
    /// Costs one system call.
    pub(super) fn of(path: &Path) -> Stamp {
        Stamp(fs::metadata(path).ok().as_ref().map(fields))
    }
}

#[expect(
    clippy::cast_possible_wrap,
    reason = "they are only compared with each other"
)]
fn fields(file: &Metadata) -> [i64; 7] {
    [
        file.dev() as i64,
        file.ino() as i64,
        file.size() as i64,
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec(),
    ]
}

/// Since when a file has had its stamp, first seen at `now`: a large file that has not been touched
/// recently can hide nothing, so it need not be read twice.
fn since(stamp: Stamp, now: Instant, clock: SystemTime) -> Instant {
    let Some([_, _, _, modified, _, changed, _]) = stamp.0 else {
        return now;
    };
    let latest = u64::try_from(modified.max(changed)).unwrap_or(0);
    let latest = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(latest));
    let age = latest.and_then(|latest| clock.duration_since(latest).ok());
    let age = age.unwrap_or_default();
    now.checked_sub(age.min(HIDING * 2)).unwrap_or(now)
}

/// Files, and what was in them when they were last looked at.
#[derive(Debug, Default)]
pub(super) struct Contents(Vec<Content>);

#[derive(Debug)]
struct Content {
    path: PathBuf,
    stamp: Stamp,
    /// When the stamp was first seen, or could have been.
    since: Instant,
    /// What is in it, and when that was read; `None` before the first look.
    read: Option<(Option<FileDigest>, Instant)>,
}

/// A content that could be read; being unreadable is a state too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileDigest {
    is_empty: bool,
    sha256: [u8; 32],
}

impl Contents {
    /// Holds these files from now on. What was in those already held is kept; the stamps of the
    /// others date from when they were requested.
    pub(super) fn hold(&mut self, files: Vec<(PathBuf, Stamp)>) {
        let mut before = std::mem::take(&mut self.0);
        for (path, stamp) in files {
            if self.0.iter().any(|held| held.path == path) {
                continue;
            }
            let known = before.iter().position(|held| held.path == path);
            self.0.push(match known {
                Some(known) => before.swap_remove(known),
                None => Content {
                    path,
                    stamp,
                    since: since(stamp, Instant::now(), SystemTime::now()),
                    read: None,
                },
            });
        }
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|file| file.path.as_path())
    }

    /// What the system says about each file now.
    pub(super) fn stamps(&self) -> Vec<Stamp> {
        self.0.iter().map(|file| Stamp::of(&file.path)).collect()
    }

    /// Whether it says something different from the last look.
    pub(super) fn seem_changed(&self) -> bool {
        self.0
            .iter()
            .any(|file| Stamp::of(&file.path) != file.stamp)
    }

    /// Whether a file that had content has none at the moment: it may be in the middle of a write.
    pub(super) fn seem_half_written(&self, stamps: &[Stamp]) -> bool {
        self.0.iter().zip(stamps).any(|(file, stamp)| {
            let has_none = stamp.0.is_none_or(|[_, _, size, ..]| size == 0);
            let had_some = |(digested, _): (Option<FileDigest>, Instant)| {
                digested.is_some_and(|digested| !digested.is_empty)
            };
            has_none && file.read.is_some_and(had_some)
        })
    }

    /// Whether the content of a file has changed since the last look, which this call becomes.
    ///
    /// Costs the reading of the files that may have changed: about a second for 1 GB.
    pub(super) fn changed(&mut self) -> bool {
        let mut changed = false;
        for file in &mut self.0 {
            changed |= file.changed();
        }
        changed
    }
}

impl Content {
    fn changed(&mut self) -> bool {
        let stamp = Stamp::of(&self.path);
        let now = Instant::now();
        let has_moved = stamp != self.stamp;
        if has_moved {
            (self.stamp, self.since) = (stamp, now);
        }
        let is_small = stamp.0.is_none_or(|[_, _, size, ..]| size <= SMALL as i64);
        let is_known = self
            .read
            .is_some_and(|(_, at)| !has_moved && !is_small && at > self.since + HIDING);
        if is_known {
            return false;
        }
        let content = digest(&self.path).ok();
        match self.read.replace((content, now)) {
            Some((before, _)) => before != content,
            // Nothing was read before: it has changed if it did so since it was requested.
            None => has_moved,
        }
    }
}

fn digest(path: &Path) -> io::Result<FileDigest> {
    let mut file = files::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut is_empty = true;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                is_empty = false;
                hasher.update(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(FileDigest {
        is_empty,
        sha256: hasher.finalize().into(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use std::fs::File;

    use super::*;

    fn hold(contents: &mut Contents, files: &[&Path]) {
        let stamped = files
            .iter()
            .map(|path| (path.to_path_buf(), Stamp::of(path)));
        contents.hold(stamped.collect());
    }

    #[test]
    fn content_counts_not_metadata() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut contents = Contents::default();
        hold(&mut contents, &[&path]);
        let mut step = |what: &str, expected: bool| {
            assert_eq!(contents.changed(), expected, "{what}");
            assert!(!contents.changed(), "{what}, again");
        };
        step("missing at first", false);
        fs::write(&path, "one").unwrap();
        step("comes", true);
        fs::write(&path, "one").unwrap();
        step("the same written again", false);
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        step("touched", false);
        fs::write(folder.path().join("b"), "one").unwrap();
        fs::rename(folder.path().join("b"), &path).unwrap();
        step("replaced by the same", false);
        fs::write(&path, "two").unwrap();
        step("other content", true);
        fs::remove_file(&path).unwrap();
        step("goes", true);
        fs::create_dir(&path).unwrap();
        step("a directory is no content", false);
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "").unwrap();
        step("comes empty", true);
    }

    #[test]
    fn a_change_since_it_was_asked_for_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let mut contents = Contents::default();
        hold(&mut contents, &[&path]);
        fs::write(&path, "longer").unwrap();
        assert!(contents.changed());
        // Holding it again does not forget what was in it.
        fs::write(&path, "longer still").unwrap();
        let other = folder.path().join("b");
        hold(&mut contents, &[&path, &other, &path]);
        assert_eq!(contents.paths().count(), 2);
        assert!(contents.changed());
        hold(&mut contents, &[&other]);
        fs::write(&path, "").unwrap();
        assert!(!contents.changed());
    }

    #[test]
    fn looks_see_what_metadata_hide() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let mut contents = Contents::default();
        hold(&mut contents, &[&path]);
        assert!(!contents.changed());
        fs::write(&path, "two").unwrap();
        // As if it had been written within one step of a coarse clock.
        contents.0[0].stamp = Stamp::of(&path);
        assert!(!contents.seem_changed());
        assert!(contents.changed());
    }

    #[test]
    fn large_files_are_read_again_only_while_they_may_hide_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, vec![b'x'; 1_100_000]).unwrap();
        let mut contents = Contents::default();
        hold(&mut contents, &[&path]);
        assert!(!contents.changed());
        let hide = |contents: &mut Contents, byte| {
            fs::write(&path, vec![byte; 1_100_000]).unwrap();
            contents.0[0].stamp = Stamp::of(&path);
        };
        hide(&mut contents, b'y');
        assert!(contents.changed());
        let long_ago = Instant::now().checked_sub(HIDING * 2).unwrap();
        contents.0[0].since = long_ago;
        hide(&mut contents, b'z');
        assert!(!contents.changed(), "it was read since");
        contents.0[0].read = contents.0[0].read.map(|(content, _)| (content, long_ago));
        assert!(contents.changed());
    }

    #[test]
    fn a_file_not_touched_lately_came_to_its_mark_long_ago() {
        let start = SystemTime::UNIX_EPOCH;
        let clock = start + Duration::from_secs(1_000);
        let now = Instant::now();
        let age = |modified, changed| {
            let stamp = Stamp(Some([1, 2, 3, modified, 0, changed, 0]));
            now - since(stamp, now, clock)
        };
        assert_eq!(age(999, 10), Duration::from_secs(1));
        assert_eq!(age(10, 999), Duration::from_secs(1));
        assert!(age(10, 20) > HIDING);
        assert_eq!(age(2_000, 10), Duration::ZERO, "another clock's future");
        assert_eq!(age(i64::MAX, 10), Duration::ZERO);
        assert_eq!(since(Stamp(None), now, clock), now);
    }

    #[test]
    fn what_lost_its_content_is_perhaps_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut contents = Contents::default();
        hold(&mut contents, &[&path]);
        let seem = |contents: &Contents| contents.seem_half_written(&contents.stamps());
        contents.changed();
        assert!(!seem(&contents), "it never had any");
        fs::write(&path, "one").unwrap();
        contents.changed();
        assert!(!seem(&contents));
        fs::write(&path, "").unwrap();
        assert!(seem(&contents));
        fs::remove_file(&path).unwrap();
        assert!(seem(&contents));
        contents.changed();
        assert!(!seem(&contents), "that was told");
    }
}

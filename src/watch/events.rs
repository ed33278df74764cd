//! Events of the file system about directories: where to have them, and where none come.
//!
//! Owns the system's watches and the reasons to poll instead. An event only says that a look is
//! worthwhile; what has changed is found out elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};

use notify::event::{AccessKind, AccessMode};
use notify::{ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::locked;
use super::watched_paths::WatchedPaths;

/// Kinds of file systems, by their numbers in statfs(2), where files can change without an event:
/// network file systems, and those that share a folder between a virtual machine and its host.
/// Docker Desktop's grpcfuse and virtiofs are FUSE by number, WSL's drvfs is 9p.
const SILENT: [(u32, &str); 13] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
    (0x7c7c_6673, "prl_fs"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
];

/// The system's watches of directories.
pub(super) struct Events {
    watcher: RecommendedWatcher,
    concern: Arc<Mutex<WatchedPaths>>,
    /// By path: the identity of the directory (device and inode).
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

impl Events {
    /// Events that may concern the files are signalled on `wake`.
    ///
    /// # Errors
    /// Why events are not available.
    pub(super) fn start(wake: SyncSender<()>) -> Result<Events, String> {
        let concern = Arc::new(Mutex::new(WatchedPaths::default()));
        let heard = concern.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if is_worth_a_look(&event, &locked(&heard)) {
                // Full: the thread has been woken already. Closed: it has ended.
                let _ = wake.try_send(());
            }
        });
        Ok(Events {
            watcher: watcher.map_err(|error| shown(&error))?,
            concern,
            watched: BTreeMap::new(),
        })
    }

    /// Watches the directories of `watched_paths`, and no others. Adds to `silent` why some cannot
    /// be watched.
    pub(super) fn watch(&mut self, watched_paths: &WatchedPaths, silent: &mut BTreeSet<String>) {
        *locked(&self.concern) = watched_paths.clone();
        let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
        let wanted = watched_paths.folders().iter();
        let wanted: BTreeMap<_, _> = wanted
            .filter_map(|path| Some((path.clone(), identity(path).ok()?)))
            .collect();
        for (path, identity) in &self.watched {
            if wanted.get(path) != Some(identity) {
                // The system may have ended it already.
                let _ = self.watcher.unwatch(path);
            }
        }
        self.watched.clear();
        for (path, identity) in wanted {
            // Also those already watched: `notify` drops the new watch of a directory that was
            // recreated when it learns late that the old one was deleted.
            match self.watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(path, identity);
                }
                // It has gone since; the next look will notice.
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    silent.insert(shown(&error));
                }
            }
        }
    }
}

/// Why changes in a directory give no events, by the kind of its file system.
pub(super) fn why_no_events(folder: &Path) -> Option<String> {
    let kind = rustix::fs::statfs(folder).ok()?.f_type;
    let name = silent_kind(u32::try_from(kind & 0xffff_ffff).ok()?)?;
    Some(format!(
        "`{}` is on {name}, which tells no changes made elsewhere",
        folder.display()
    ))
}

fn silent_kind(kind: u32) -> Option<&'static str> {
    let silent = SILENT.iter().find(|(number, _)| *number == kind);
    silent.map(|(_, name)| *name)
}

/// Whether files may have changed. Opening or reading is not a change: we do that ourselves.
fn is_worth_a_look(event: &notify::Result<notify::Event>, watched_paths: &WatchedPaths) -> bool {
    let Ok(event) = event else {
        return true;
    };
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        EventKind::Access(_) => return false,
        _ => {}
    }
    // An event without a path means that events were lost.
    event.paths.is_empty() || event.paths.iter().any(|path| watched_paths.concern(path))
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// A reason for a person, with what to do.
fn shown(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => "the system has no more watches of files to give; hint: raise \
                                     `sysctl fs.inotify.max_user_watches`"
            .to_owned(),
        ErrorKind::Io(error) if error.raw_os_error() == Some(EMFILE) => {
            "the system has no more watchers of files to give; hint: raise `sysctl \
             fs.inotify.max_user_instances`, or the limit of open files (`ulimit -n`)"
                .to_owned()
        }
        ErrorKind::Io(reason) => match error.paths.first() {
            Some(path) => format!("`{}` cannot be watched ({reason})", path.display()),
            None => format!("the system does not tell of changes ({reason})"),
        },
        _ => format!("the system does not tell of changes ({error})"),
    }
}

const EMFILE: i32 = rustix::io::Errno::MFILE.raw_os_error();

#[cfg(test)]
mod tests {
    use notify::Event;
    use notify::event::{CreateKind, DataChange, Flag, ModifyKind, RemoveKind};

    use super::*;

    #[test]
    fn reading_is_no_change_and_other_files_are_no_concern() {
        let folder = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(folder.path()).unwrap();
        let file = folder.join("a.rhai");
        let watched_paths = WatchedPaths::of([file.as_path()]);
        let worth = |kind, path: &Path| {
            is_worth_a_look(
                &Ok(Event::new(kind).add_path(path.to_owned())),
                &watched_paths,
            )
        };
        let write = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert!(worth(write, &file) && worth(written, &file));
        assert!(!worth(opened, &file) && !worth(read, &file) && !worth(opened, &folder));
        assert!(!worth(write, &folder.join("results.csv")));
        assert!(!worth(
            EventKind::Create(CreateKind::File),
            &folder.join("4913")
        ));
        assert!(worth(EventKind::Remove(RemoveKind::File), &folder));
        let lost = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(is_worth_a_look(&Ok(lost), &watched_paths));
        assert!(is_worth_a_look(
            &Err(notify::Error::generic("?")),
            &watched_paths
        ));
    }

    #[test]
    fn file_systems_that_tell_nothing_are_known() {
        for (number, name) in [(0x6969, "NFS"), (0x0102_1997, "9p"), (0x6573_5546, "FUSE")] {
            assert_eq!(silent_kind(number), Some(name));
        }
        // ext4, xfs, btrfs, tmpfs, overlayfs
        for number in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert_eq!(silent_kind(number), None, "{number:x}");
        }
        assert_eq!(why_no_events(Path::new("/proc")), None);
    }

    #[test]
    fn limits_are_named_with_what_to_do() {
        let watches = shown(&notify::Error::new(ErrorKind::MaxFilesWatch));
        assert!(watches.ends_with("raise `sysctl fs.inotify.max_user_watches`"));
        let instances = std::io::Error::from_raw_os_error(EMFILE);
        assert!(shown(&notify::Error::io(instances)).contains("max_user_instances"));
        let missing = std::io::Error::from_raw_os_error(rustix::io::Errno::NOSYS.raw_os_error());
        assert!(shown(&notify::Error::io(missing)).starts_with("the system does not tell"));
    }
}

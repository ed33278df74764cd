//! Watching real files: each way in which editors, tools and systems replace them.
//!
//! Waits end with the message waited for; their bound is far beyond what a busy machine needs.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

use super::{Timing, WatchMode, Watcher, locked};

const BOUND: Duration = Duration::from_secs(30);

/// Looks often, and never takes a step of a save for its end, however long the test is held up.
const PATIENT: Timing = Timing {
    quiet: Duration::from_millis(50),
    quiet_half_written: Duration::from_secs(3),
    latest: Duration::from_secs(10),
    poll: Duration::from_millis(20),
    thorough: Duration::from_secs(600),
    backstop: Duration::from_secs(600),
};

struct Watched {
    folder: tempfile::TempDir,
    watcher: Watcher,
    changed: Receiver<()>,
    runtime: Runtime,
}

impl Watched {
    /// Watches `files` of a folder that `make` has filled.
    fn new(mode: WatchMode, timing: Timing, files: &[&str], make: impl FnOnce(&Path)) -> Watched {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path());
        let files = files.iter().map(|file| folder.path().join(file)).collect();
        let (sender, changed) = channel(1);
        let watched = Watched {
            watcher: Watcher::paced(files, mode, sender, timing).unwrap(),
            folder,
            changed,
            runtime: Builder::new_current_thread().enable_time().build().unwrap(),
        };
        watched.looked(0);
        watched
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn looks(&self) -> u64 {
        locked(&self.watcher.mailbox).looks
    }

    /// Waits until there have been more looks than `before`.
    fn looked(&self, before: u64) {
        let start = Instant::now();
        while self.looks() <= before {
            assert!(start.elapsed() < BOUND, "nobody looks");
            std::thread::yield_now();
        }
    }

    /// One message, and no other.
    fn told(&mut self, what: &str) {
        let message = self
            .runtime
            .block_on(async { timeout(BOUND, self.changed.recv()).await });
        assert_eq!(message, Ok(Some(())), "{what}");
        assert!(self.changed.try_recv().is_err(), "{what}: told twice");
    }

    /// What `act` does is looked at, and not reported.
    fn untold(&mut self, what: &str, act: impl FnOnce(&Path)) {
        let before = self.looks();
        act(self.folder.path());
        self.looked(before);
        assert!(self.changed.try_recv().is_err(), "{what}");
    }
}

type Save = fn(&Path, &str);

/// How the file is saved by…
const SAVES: [(&str, Save); 8] = [
    ("VS Code: truncates and writes", |path, text| {
        fs::write(path, text).unwrap();
    }),
    ("vim: a backup by renaming", |path, text| {
        let probe = path.with_file_name("4913");
        fs::write(&probe, "").unwrap();
        fs::remove_file(probe).unwrap();
        let backup = path.with_file_name("a.rhai~");
        fs::rename(path, &backup).unwrap();
        fs::write(path, text).unwrap();
        fs::remove_file(backup).unwrap();
    }),
    ("JetBrains: two renames", |path, text| {
        let (new, old) = ("a.rhai___jb_tmp___", "a.rhai___jb_old___");
        let (new, old) = (path.with_file_name(new), path.with_file_name(old));
        fs::write(&new, text).unwrap();
        fs::rename(path, &old).unwrap();
        fs::rename(new, path).unwrap();
        fs::remove_file(old).unwrap();
    }),
    ("sed -i: renamed over it", |path, text| {
        let new = path.with_file_name("sedA1b2C3");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }),
    ("git checkout: deleted and created", |path, text| {
        fs::remove_file(path).unwrap();
        fs::write(path, text).unwrap();
    }),
    ("a shell: appended", |path, text| {
        use std::io::Write;
        let mut file = File::options().append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }),
    ("rsync --inplace: the old time kept", |path, text| {
        let before = fs::metadata(path).unwrap().modified().unwrap();
        fs::write(path, text).unwrap();
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(before).unwrap();
    }),
    ("a link put in its place", |path, text| {
        let (real, new) = (path.with_file_name("real"), path.with_file_name("link"));
        fs::write(&real, text).unwrap();
        symlink(real, &new).unwrap();
        fs::rename(new, path).unwrap();
    }),
];

#[test]
fn each_way_of_saving_is_told_once() {
    for mode in [WatchMode::Auto, WatchMode::Poll] {
        let mut watched = Watched::new(mode, PATIENT, &["a.rhai"], |folder| {
            fs::write(folder.join("a.rhai"), "first").unwrap();
        });
        for (turn, (way, save)) in SAVES.iter().enumerate() {
            // The second time what the first left behind is there.
            save(&watched.path("a.rhai"), &format!("{turn}"));
            watched.told(way);
            save(&watched.path("a.rhai"), &format!("{turn}, again"));
            watched.told(way);
        }
        watched.untold("each was told once", |folder| {
            let file = folder.join("a.rhai");
            let file = File::options().append(true).open(file).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        });
        assert_eq!(watched.watcher.notes(), [""; 0]);
    }
}

#[test]
fn the_same_content_is_not_told() {
    for mode in [WatchMode::Auto, WatchMode::Poll] {
        let make = |folder: &Path| fs::write(folder.join("a"), "one").unwrap();
        let mut watched = Watched::new(mode, PATIENT, &["a"], make);
        watched.untold("touched", |folder| {
            let file = File::options().append(true).open(folder.join("a")).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        });
        watched.untold("saved", |folder| {
            fs::write(folder.join("a"), "one").unwrap()
        });
        watched.untold("replaced", |folder| {
            fs::write(folder.join("b"), "one").unwrap();
            fs::rename(folder.join("b"), folder.join("a")).unwrap();
        });
        watched.untold("away and back", |folder| {
            fs::rename(folder.join("a"), folder.join("b")).unwrap();
            fs::rename(folder.join("b"), folder.join("a")).unwrap();
        });
        fs::write(watched.path("a"), "other").unwrap();
        watched.told("other content");
    }
}

#[test]
fn a_file_that_is_empty_between_two_steps_is_not_told() {
    for mode in [WatchMode::Auto, WatchMode::Poll] {
        let make = |folder: &Path| fs::write(folder.join("a"), "one").unwrap();
        let mut watched = Watched::new(mode, PATIENT, &["a"], make);
        watched.untold("half-written", |folder| {
            fs::write(folder.join("a"), "").unwrap();
            // Quiet for four times as long as ends a save.
            std::thread::sleep(PATIENT.quiet * 4);
            fs::write(folder.join("a"), "one").unwrap();
        });
    }
}

#[test]
fn where_there_are_no_events_contents_are_looked_at_from_time_to_time() {
    let timing = Timing {
        thorough: Duration::from_millis(40),
        ..PATIENT
    };
    let make = |folder: &Path| fs::write(folder.join("a"), "one").unwrap();
    let watched = Watched::new(WatchMode::Poll, timing, &["a"], make);
    watched.looked(3);
}

#[test]
fn going_away_for_longer_is_told_and_coming_back_too() {
    let timing = Timing {
        quiet_half_written: Duration::from_millis(50),
        ..PATIENT
    };
    for mode in [WatchMode::Auto, WatchMode::Poll] {
        let make = |folder: &Path| fs::write(folder.join("a"), "one").unwrap();
        let mut watched = Watched::new(mode, timing, &["a"], make);
        fs::rename(watched.path("a"), watched.path("b")).unwrap();
        watched.told("gone");
        fs::rename(watched.path("b"), watched.path("a")).unwrap();
        watched.told("back, with the same content");
    }
}

#[test]
fn a_steady_writer_is_told_of_before_it_ends() {
    let timing = Timing {
        quiet: BOUND,
        latest: Duration::from_millis(200),
        ..PATIENT
    };
    let make = |folder: &Path| fs::write(folder.join("a"), "one").unwrap();
    for mode in [WatchMode::Auto, WatchMode::Poll] {
        let mut watched = Watched::new(mode, timing, &["a"], make);
        fs::write(watched.path("a"), "two").unwrap();
        // As if events kept coming: it is never quiet.
        watched.told("at the latest");
    }
}

/// What a kubelet does: all files of a volume are links through one that it replaces.
fn volume(folder: &Path, version: u32) {
    let name = format!("..{version}");
    fs::create_dir(folder.join(&name)).unwrap();
    fs::write(folder.join(&name).join("x.rhai"), &name).unwrap();
    symlink(&name, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if version > 1 {
        fs::remove_dir_all(folder.join(format!("..{}", version - 1))).unwrap();
    }
}

#[test]
fn a_config_map_is_swapped() {
    for mode in [WatchMode::Auto, WatchMode::Poll] {
        let mut watched = Watched::new(mode, PATIENT, &["x.rhai"], |folder| {
            volume(folder, 1);
            symlink("..data/x.rhai", folder.join("x.rhai")).unwrap();
        });
        for version in 2..5 {
            volume(watched.folder.path(), version);
            watched.told("swapped");
        }
    }
}

#[test]
fn links_on_the_way_and_their_targets_are_watched() {
    for mode in [WatchMode::Auto, WatchMode::Poll] {
        let mut watched = Watched::new(mode, PATIENT, &["app/current/x"], |folder| {
            fs::create_dir(folder.join("app")).unwrap();
            for release in ["releases/1", "releases/2"] {
                fs::create_dir_all(folder.join(release)).unwrap();
                fs::write(folder.join(release).join("x"), release).unwrap();
            }
            symlink("../releases/1", folder.join("app/current")).unwrap();
        });
        fs::write(watched.path("releases/1/x"), "in place").unwrap();
        watched.told("the target is written to");
        symlink("../releases/2", watched.path("new")).unwrap();
        fs::rename(watched.path("new"), watched.path("app/current")).unwrap();
        watched.told("the link leads elsewhere");
        fs::write(watched.path("releases/2/x"), "in place too").unwrap();
        watched.told("the new target is written to");
    }
}

#[test]
fn folders_vanish_and_come_back() {
    let timing = Timing {
        quiet_half_written: Duration::from_millis(50),
        ..PATIENT
    };
    for mode in [WatchMode::Auto, WatchMode::Poll] {
        let mut watched = Watched::new(mode, timing, &["a/b/x"], |folder| {
            fs::create_dir_all(folder.join("a/b")).unwrap();
            fs::write(folder.join("a/b/x"), "one").unwrap();
        });
        for round in 0..3 {
            fs::rename(watched.path("a/b"), watched.path("away")).unwrap();
            watched.told("moved away");
            fs::rename(watched.path("away"), watched.path("a/b")).unwrap();
            watched.told("moved back");
            fs::remove_dir_all(watched.path("a")).unwrap();
            watched.told("deleted");
            fs::create_dir_all(watched.path("a/b")).unwrap();
            // Made elsewhere, so that it comes with its content.
            fs::write(watched.path("x"), format!("{round}")).unwrap();
            fs::rename(watched.path("x"), watched.path("a/b/x")).unwrap();
            watched.told("made anew");
            fs::write(watched.path("x"), format!("{round}, again")).unwrap();
            fs::rename(watched.path("x"), watched.path("a/b/x")).unwrap();
            watched.told("and saved there");
        }
    }
}

#[test]
fn a_folder_made_anew_at_once_is_watched() {
    for mode in [WatchMode::Auto, WatchMode::Poll] {
        let make = |folder: &Path, text: &str| {
            fs::create_dir_all(folder.join("a/b")).unwrap();
            fs::write(folder.join("a/b/x"), text).unwrap();
        };
        let mut watched = Watched::new(mode, PATIENT, &["a/b/x"], |folder| make(folder, "one"));
        for round in 0..3 {
            // The new one often has the number of the old one.
            fs::remove_dir_all(watched.path("a/b")).unwrap();
            make(watched.folder.path(), &format!("{round}"));
            watched.told("made anew");
            fs::write(watched.path("a/b/x"), format!("{round}, again")).unwrap();
            watched.told("and saved there");
        }
    }
}

#[test]
fn a_folder_further_up_is_replaced() {
    let timing = Timing {
        backstop: Duration::from_millis(20),
        ..PATIENT
    };
    let mut watched = Watched::new(WatchMode::Auto, timing, &["a/b/c/x"], |folder| {
        for name in ["a/b/c", "new/b/c"] {
            fs::create_dir_all(folder.join(name)).unwrap();
            fs::write(folder.join(name).join("x"), name).unwrap();
        }
    });
    fs::rename(watched.path("a"), watched.path("old")).unwrap();
    fs::rename(watched.path("new"), watched.path("a")).unwrap();
    watched.told("seen by the backstop");
    assert_eq!(watched.watcher.notes(), [""; 0]);
    fs::write(watched.path("a/b/c/x"), "saved").unwrap();
    watched.told("what is there now is watched");
}

#[test]
fn other_files_can_be_followed_and_none_of_their_changes_is_lost() {
    for mode in [WatchMode::Auto, WatchMode::Poll] {
        let mut watched = Watched::new(mode, PATIENT, &["a"], |folder| {
            fs::write(folder.join("a"), "one").unwrap();
            fs::create_dir(folder.join("data")).unwrap();
        });
        let files = ["a", "data/b"].map(|name| watched.path(name));
        watched.watcher.follow(files.to_vec());
        fs::write(watched.path("new"), "one").unwrap();
        fs::rename(watched.path("new"), watched.path("data/b")).unwrap();
        watched.told("a file that was missing comes");
        fs::write(watched.path("a"), "other").unwrap();
        watched.told("what was watched before still is");
    }
}

#[test]
fn messages_that_nobody_took_are_one() {
    let make = |folder: &Path| fs::write(folder.join("a"), "0").unwrap();
    let mut watched = Watched::new(WatchMode::Auto, PATIENT, &["a"], make);
    for number in 1..4 {
        let before = watched.looks();
        fs::write(watched.path("a"), format!("{number}{number}")).unwrap();
        watched.looked(before);
    }
    watched.told("once for all");
    fs::write(watched.path("a"), "the last").unwrap();
    watched.told("and again");
}

#[test]
fn dropping_the_watcher_ends_its_thread() {
    for mode in [WatchMode::Auto, WatchMode::Poll] {
        let mut watched = Watched::new(mode, Timing::default(), &["a"], |_| {});
        drop(watched.watcher);
        let ended = watched
            .runtime
            .block_on(async { timeout(BOUND, watched.changed.recv()).await });
        assert_eq!(ended, Ok(None));
    }
}

//! The state file of a master: what it needs to go on when it is started again.
//!
//! Owns the file's form, reading it, and writing it so that there is a whole one at any time: beside
//! it, and renamed. What is in it, others know.
//!
//! ```text
//! "katydid state 1\n"  length and text of the version  hash of the sources  SHA-256 of the rest
//! the rest (postcard): machine, run, losses, generation, report (as on the wire)
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::build;
use super::master::Master;
use super::message::Going;
use crate::stats::{Bounds, Decoder, Encoder, Limits, Report};

const MAGIC: &[u8] = b"katydid state 1\n";

/// What a master writes down.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) master: Master<Arc<Report>>,
    /// How its run stands.
    pub(super) going: Going,
    /// By worker: what is missing of it.
    pub(super) missing: BTreeMap<u32, u64>,
    /// The newest generation that a member was told of.
    pub(super) generation: u16,
    /// The sum of all reports that the machine has counted.
    pub(super) report: Report,
}

/// [`Kept`], in the file.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct FileBody<R: Clone> {
    master: Master<R>,
    going: Going,
    missing: BTreeMap<u32, u64>,
    generation: u16,
    report: Vec<u8>,
}

/// Where a master keeps its state, and what was there when it started.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    kept: Option<Box<Kept>>,
}

/// Why a master cannot go on from a file. Nothing was changed.
#[derive(Debug)]
pub enum NotReadable {
    /// The system does not give it.
    System(io::Error),
    /// It was written by another version of Katydid: this one.
    OtherBuild(String),
    /// It is none, or not whole.
    Damaged,
}

impl StateFile {
    /// The state that is kept there, if there is any; `is_fresh` says to begin anew, whatever there
    /// is.
    ///
    /// # Errors
    /// When there is something that cannot be gone on from.
    pub fn open(path: &Path, is_fresh: bool) -> Result<StateFile, NotReadable> {
        if is_fresh {
            // What cannot be removed is overwritten.
            let _ = fs::remove_file(path);
            let path = path.to_owned();
            return Ok(StateFile { path, kept: None });
        }
        let kept = match fs::read(path) {
            Ok(bytes) => Some(Box::new(read(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(NotReadable::System(error)),
        };
        Ok(StateFile {
            path: path.to_owned(),
            kept,
        })
    }

    /// Whether a run goes on from it.
    pub(super) fn has_run(&self) -> bool {
        self.kept.is_some()
    }

    pub(super) fn take(&mut self) -> Option<Box<Kept>> {
        self.kept.take()
    }

    /// The place, for one run.
    pub(super) fn place(&self) -> Place {
        Place::new(self.path.clone())
    }
}

/// Where the state of one run is written. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    path: PathBuf,
    /// Locked while the file is being written: it is not there again once it was removed.
    is_over: Mutex<bool>,
}

impl Place {
    pub(super) fn new(path: PathBuf) -> Place {
        let is_over = Mutex::new(false);
        Place(Arc::new(Inside { path, is_over }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Writes it down; waits for the disk. Nothing is written once the run is over.
    ///
    /// # Errors
    /// When the system does not take it. What was there before is still there.
    pub(super) fn write(&self, kept: Kept) -> io::Result<()> {
        let bytes = bytes_of(kept).map_err(io::Error::other)?;
        let is_over = self
            .0
            .is_over
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match *is_over {
            true => Ok(()),
            false => write(&self.0.path, &bytes),
        }
    }

    /// The run is over: there is nothing to go on from. Waits for a write that is under way.
    pub(super) fn remove(&self) {
        let mut is_over = self
            .0
            .is_over
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *is_over = true;
        // If it cannot be removed, the next master says what it found.
        let _ = fs::remove_file(&self.0.path);
    }
}

fn bytes_of(kept: Kept) -> postcard::Result<Vec<u8>> {
    let own = build(Box::default());
    let written = FileBody {
        master: kept.master,
        going: kept.going,
        missing: kept.missing,
        generation: kept.generation,
        report: Encoder::default().encode(&kept.report),
    };
    let body = postcard::to_allocvec(&written)?;
    let version = own.version.as_bytes();
    let length = u8::try_from(version.len()).unwrap_or(u8::MAX);
    let mut bytes = MAGIC.to_vec();
    bytes.push(length);
    bytes.extend(&version[..usize::from(length)]);
    bytes.extend(own.source_hash);
    bytes.extend(Sha256::digest(&body));
    bytes.extend(body);
    Ok(bytes)
}

fn read(bytes: &[u8]) -> Result<Kept, NotReadable> {
    let (version, hash, body) = parts(bytes).ok_or(NotReadable::Damaged)?;
    let own = build(Box::default());
    if version != &*own.version || hash != own.source_hash {
        return Err(NotReadable::OtherBuild(version.to_owned()));
    }
    let written: FileBody<Arc<Report>> =
        postcard::from_bytes(body).map_err(|_| NotReadable::Damaged)?;
    let bounds = Bounds {
        second: written.going.elapsed_us / 1_000_000 + 5,
        generation: written.generation,
    };
    let report = Decoder::new(Limits::default()).decode(&written.report, bounds);
    let report = report.map_err(|_| NotReadable::Damaged)?;
    match written.going.is_possible() {
        true => Ok(Kept {
            master: written.master,
            going: written.going,
            missing: written.missing,
            generation: written.generation,
            report,
        }),
        false => Err(NotReadable::Damaged),
    }
}

/// The version, the hash of the sources and the rest, if that is what was written.
fn parts(bytes: &[u8]) -> Option<(&str, [u8; 32], &[u8])> {
    let (length, rest) = bytes.strip_prefix(MAGIC)?.split_first()?;
    let (version, rest) = rest.split_at_checked(usize::from(*length))?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    let (sum, body) = rest.split_first_chunk::<32>()?;
    let version = str::from_utf8(version).ok()?;
    (Sha256::digest(body)[..] == sum[..]).then_some((version, *hash, body))
}

/// A whole file takes the place of the one before, or that stays.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if let Err(error) = written {
        // The disk may be full of it.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::cluster::message::RunId;
    use crate::load::{Classes, Plan};
    use crate::units::Rate;

    fn kept() -> Kept {
        let own = build(Box::default());
        let mut master = Master::new(own, clock::now(), 7, RunId(9), false);
        master.with_file();
        let classes = Classes {
            mixed: 0,
            names: Vec::new(),
            shares: Vec::new(),
        };
        Kept {
            master,
            going: Going {
                elapsed_us: 3_000_000,
                unix_us: 1_700_000_000_000_000,
                plan: Arc::new(Plan::closed(5, Rate::from_per_sec(1.0).unwrap(), None)),
                classes: Arc::new([classes]),
                pauses: (0, None),
                setup: None,
                generation: 1,
                hash: "abc".to_owned(),
                counted: Vec::new(),
            },
            missing: [(3, 12)].into(),
            generation: 1,
            report: Report::default(),
        }
    }

    fn written() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.state");
        Place::new(path.clone()).write(kept()).unwrap();
        (folder, path)
    }

    #[test]
    fn what_was_written_is_read_and_only_its_owner_may() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, path) = written();
        let mut file = StateFile::open(&path, false).unwrap();
        let read = file.take().unwrap();
        assert_eq!((read.going, read.missing), (kept().going, kept().missing));
        assert_eq!(read.master.run(), kept().master.run());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_file_with_any_byte_changed_or_missing_is_damaged_and_left_alone() {
        let (_folder, path) = written();
        let whole = fs::read(&path).unwrap();
        let is_damaged = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let opened = StateFile::open(&path, false);
            assert_eq!(fs::read(&path).unwrap(), bytes);
            matches!(opened, Err(NotReadable::Damaged))
        };
        for length in 0..whole.len() {
            assert!(is_damaged(&whole[..length]), "of {length} bytes");
        }
        let of_build = MAGIC.len() + 1 + usize::from(whole[MAGIC.len()]) + 32;
        for at in (0..MAGIC.len()).chain(of_build..whole.len()) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert!(is_damaged(&bytes), "at {at}");
        }
    }

    #[test]
    fn a_file_of_another_build_is_named_and_can_be_left_out() {
        let (_folder, path) = written();
        let mut bytes = fs::read(&path).unwrap();
        let hash = MAGIC.len() + 1 + usize::from(bytes[MAGIC.len()]);
        bytes[hash] ^= 1;
        fs::write(&path, bytes).unwrap();
        let opened = StateFile::open(&path, false);
        assert!(
            matches!(opened, Err(NotReadable::OtherBuild(of)) if of == env!("CARGO_PKG_VERSION"))
        );
        assert!(!StateFile::open(&path, true).unwrap().has_run());
    }

    #[test]
    fn a_full_disk_leaves_what_was_there() {
        let (folder, path) = written();
        let before = fs::read(&path).unwrap();
        let place = Place::new(path.clone());
        std::os::unix::fs::symlink("/dev/full", folder.path().join("master.state.new")).unwrap();
        let error = place.write(kept()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_is_over_is_not_written_again() {
        let (_folder, path) = written();
        let place = Place::new(path.clone());
        place.remove();
        place.write(kept()).unwrap();
        assert!(!path.exists());
        assert!(!StateFile::open(&path, false).unwrap().has_run());
    }
}

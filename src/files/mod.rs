//! Files from outside: scripts, data, certificates, uploads, logs of scripts.
//!
//! Owns opening them safely whatever a name leads to: reading a pipe would wait for its writer, and
//! a device may have no end. Readers interpret the content.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::OFlags;

/// Where a script's files are read: on the disk, or, in a process that was sent them, among what
/// came. There a path is the text that it was on the sender's machine, and nothing is opened.
///
/// Clones are the same; equal is what is the same.
#[derive(Clone, Default)]
pub struct Files(Option<Arc<BTreeMap<PathBuf, Bytes>>>);

impl Files {
    /// Those that were sent, by their paths.
    #[must_use]
    pub fn sent<B: Into<Bytes>>(files: impl IntoIterator<Item = (PathBuf, B)>) -> Files {
        let files = files.into_iter();
        let files = files.map(|(path, bytes)| (path, bytes.into()));
        Files(Some(Arc::new(files.collect())))
    }

    /// Whether they are on the disk.
    pub(crate) fn are_on_disk(&self) -> bool {
        self.0.is_none()
    }

    /// Reads a whole file of so many bytes at most.
    ///
    /// # Errors
    /// As [`read`].
    pub(crate) fn read(&self, path: &Path, most: u64) -> io::Result<Bytes> {
        let Some(sent) = &self.0 else {
            return read(path, most).map(Bytes::from);
        };
        let missing = || io::Error::new(io::ErrorKind::NotFound, "it was not sent to this worker");
        let bytes = sent.get(path).ok_or_else(missing)?;
        match bytes.len() as u64 > most {
            true => Err(too_large(most)),
            false => Ok(bytes.clone()),
        }
    }
}

impl PartialEq for Files {
    fn eq(&self, other: &Files) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Files {}

impl fmt::Debug for Files {
    /// Names, not what they hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("Disk"),
            Some(sent) => f.debug_set().entries(sent.keys()).finish(),
        }
    }
}

/// Opens a regular file for reading.
///
/// # Errors
/// When it cannot be opened; [`io::ErrorKind::InvalidInput`], with what it is, for a pipe, a device
/// or a socket, and [`io::ErrorKind::IsADirectory`].
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    checked(&mut options, path, FileType::is_file)
}

/// Opens a file to append to it, creating it if it is missing. A device such as `/dev/null` may be
/// appended to.
///
/// # Errors
/// As [`open`].
pub(crate) fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    let is_right = |kind: &FileType| kind.is_file() || kind.is_char_device();
    checked(&mut options, path, is_right)
}

/// Reads a whole file of at most `most` bytes. Files of `/proc`, whose length is 0, are read too.
///
/// # Errors
/// As [`open`], and [`io::ErrorKind::FileTooLarge`].
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    let length = file.metadata()?.len().min(most);
    bytes.try_reserve(usize::try_from(length).unwrap_or(usize::MAX))?;
    // One byte beyond the limit: a file may grow, or report no length.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(too_large(most)),
        false => Ok(bytes),
    }
}

fn too_large(most: u64) -> io::Error {
    let most = match most {
        0..1_000_000 => format!("{most} bytes"),
        _ => format!("{} MB", most / 1_000_000),
    };
    let message = format!("it is larger than {most}");
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

/// Reads a whole file of at most `most` bytes as text.
///
/// # Errors
/// As [`read`], and [`io::ErrorKind::InvalidData`] if it is not UTF-8.
pub(crate) fn read_to_string(path: &Path, most: u64) -> io::Result<String> {
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text");
    String::from_utf8(read(path, most)?).map_err(not_text)
}

fn checked(
    options: &mut OpenOptions,
    path: &Path,
    is_right: impl Fn(&FileType) -> bool,
) -> io::Result<File> {
    // Non-blocking, because the type of a file can only be checked safely once it is open.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let opened = options.custom_flags(flags.cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        // The error for a pipe without a reader, and for a socket.
        Err(error) => match path.metadata() {
            Ok(what) if !is_right(&what.file_type()) => return Err(no_file(&what)),
            _ => return Err(error),
        },
    };
    let what = file.metadata()?;
    match is_right(&what.file_type()) {
        true => Ok(file),
        false => Err(no_file(&what)),
    }
}

fn no_file(what: &Metadata) -> io::Error {
    let kind = what.file_type();
    if kind.is_dir() {
        return io::Error::new(io::ErrorKind::IsADirectory, "it is a directory");
    }
    let is = if kind.is_fifo() {
        "it is a pipe: only files are taken, so write what comes from it to one"
    } else if kind.is_socket() {
        "it is a socket: only files are taken"
    } else {
        "it is a device: only files are taken"
    };
    io::Error::new(io::ErrorKind::InvalidInput, is)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType as Kind, Mode, mknodat};

    use super::*;

    #[test]
    fn what_was_sent_is_read_by_the_name_it_had_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("here");
        std::fs::write(&here, "disk").unwrap();
        let there = PathBuf::from("../not/here.csv");
        let sent = Files::sent([(there.clone(), b"sent".to_vec())]);
        assert_eq!(sent.read(&there, 4).unwrap(), &b"sent"[..]);
        assert_eq!(
            sent.read(&there, 3).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        assert_eq!(
            sent.read(&here, 9).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        assert_eq!(Files::default().read(&here, 9).unwrap(), &b"disk"[..]);
        assert_eq!(
            (&sent, &Files::default()),
            (&sent.clone(), &Files::default())
        );
        assert_ne!(sent, Files::sent::<Bytes>([]));
    }

    #[test]
    fn what_is_no_file_is_said_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, Kind::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        for (path, said) in [
            (pipe.as_path(), "it is a pipe"),
            (&socket, "it is a socket"),
            (folder.path(), "it is a directory"),
            (Path::new("/dev/zero"), "it is a device"),
        ] {
            for error in [read(path, 10).map(drop), open(path).map(drop)] {
                let error = error.unwrap_err().to_string();
                assert!(error.starts_with(said), "{}: {error}", path.display());
            }
        }
        for path in [pipe.as_path(), &socket, folder.path()] {
            assert!(append(path).is_err());
        }
        append(Path::new("/dev/null")).unwrap();
        let missing = open(&folder.path().join("missing")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn files_have_a_largest_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ten");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read_to_string(&path, 10).unwrap(), "0123456789");
        let error = read(&path, 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "it is larger than 9 bytes");
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(
            read_to_string(&path, 9).unwrap_err().to_string(),
            "it is not UTF-8 text"
        );
        assert!(read(Path::new("/proc/self/status"), 1 << 20).unwrap().len() > 100);
    }
}

//! Files from outside: scripts, data, certificates, uploads, logs of scripts.
//!
//! Owns opening them safely whatever a name leads to: reading a pipe would wait for its writer, and
//! a device may have no end. Readers interpret the content.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

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
    if bytes.len() as u64 > most {
        let most = match most {
            0..1_000_000 => format!("{most} bytes"),
            _ => format!("{} MB", most / 1_000_000),
        };
        let message = format!("it is larger than {most}");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
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

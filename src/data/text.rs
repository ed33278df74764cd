//! Files as text: reading them whole, and what is wrong with those that cannot be.
//!
//! Owns encodings and the mark of a file's content. What the text means is decided elsewhere.

use std::borrow::Cow;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use sha2::{Digest, Sha256};

use super::fault::Fault;
use super::packed::{MOST_BYTES, Packed};
use crate::files::Files;

/// The size and hash of a file's content: tell whether it has changed, or need not be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Of all of them, as they are on the disk.
    pub sha256: [u8; 32],
}

/// Reads a file.
pub(super) fn read(files: &Files, path: &Path) -> Result<(Bytes, Stamp), Fault> {
    let bytes = files
        .read(path, MOST_BYTES)
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound if files.are_on_disk() => missing(path),
            ErrorKind::NotFound => Fault::new(error.to_string()),
            ErrorKind::FileTooLarge => {
                Fault::new(error.to_string()).hint("split it into several files")
            }
            ErrorKind::IsADirectory | ErrorKind::InvalidInput => Fault::new(error.to_string()),
            ErrorKind::PermissionDenied => Fault::new("it may not be read: permission denied"),
            _ => Fault::new(format!("it cannot be read: {error}")),
        })?;
    let stamp = Stamp {
        size: bytes.len() as u64,
        sha256: Sha256::digest(&bytes).into(),
    };
    Ok((bytes, stamp))
}

fn missing(path: &Path) -> Fault {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let shown = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    // `absolute` keeps what is written, dots included.
    let shown: PathBuf = shown.components().collect();
    if !folder.is_dir() {
        let message = format!("there is no folder `{}`", shown.display());
        return Fault::new(message).hint("a path is relative to the script that names it");
    }
    let message = format!("there is no such file in `{}`", shown.display());
    Fault::new(message).hint(match similar(path, folder) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "a path is relative to the script that names it".to_owned(),
    })
}

/// The name of a file in the folder that is likely meant.
fn similar(path: &Path, folder: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let names = fs::read_dir(folder).ok()?.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let likeness =
            strsim::normalized_damerau_levenshtein(&wanted.to_lowercase(), &name.to_lowercase());
        Some((likeness, name))
    });
    let nearest = names.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (nearest.0 > 0.7).then_some(nearest.1)
}

/// The text that bytes are, without a mark of its byte order.
pub(super) fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
    let wide = match bytes {
        [0xff, 0xfe, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] => Some(UTF_16BE),
        _ => None,
    };
    if let Some(wide) = wide {
        return from_utf16(&bytes[2..], wide).map(Cow::Owned);
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let valid = error.valid_up_to();
        let line = bytes[..valid].split(|byte| *byte == b'\n').count();
        let before = bytes[..valid].rsplit(|byte| *byte == b'\n').next();
        let column = before.map_or(0, <[u8]>::len) + 1;
        let message = format!(
            "line {line} is not UTF-8 text: its byte {column} is 0x{:02x}",
            bytes[valid]
        );
        Fault::new(message).hint("save it as UTF-8, as with `iconv -f LATIN1 -t UTF-8`")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.is_empty() {
        return Err(Fault::new("it is empty"));
    }
    Ok(Cow::Borrowed(text))
}

/// What Excel calls "Unicode text".
fn from_utf16(bytes: &[u8], encoding: &'static Encoding) -> Result<String, Fault> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    match text {
        Some(text) if text.is_empty() => Err(Fault::new("it is empty")),
        Some(text) => Ok(text.into_owned()),
        None => Err(Fault::new("it begins as UTF-16 text, but is damaged")
            .hint("save it anew, best as UTF-8")),
    }
}

/// The lines of a text, but for empty ones.
pub(super) fn lines(text: &str) -> Result<Packed, Fault> {
    let mut rows = Packed::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        rows.push(line)?;
    }
    if rows.len() == 0 {
        return Err(Fault::new("there is nothing but empty lines"));
    }
    Ok(rows.shrink())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(bytes: &[u8]) -> String {
        decoded(bytes).unwrap_err().to_string()
    }

    #[test]
    fn lines_are_texts_without_their_ends() {
        let rows = lines("a \r\n\nb,c\n d").unwrap();
        assert_eq!(rows.iter().collect::<Vec<_>>(), ["a ", "b,c", " d"]);
        assert_eq!(
            lines("\n\r\n").unwrap_err().message,
            "there is nothing but empty lines"
        );
    }

    #[test]
    fn a_mark_of_the_byte_order_is_no_text() {
        assert_eq!(decoded(b"\xef\xbb\xbfid").unwrap(), "id");
        assert_eq!(wrong(b"\xef\xbb\xbf"), "it is empty");
        assert_eq!(decoded(b"\xff\xfei\0d\0").unwrap(), "id");
        assert_eq!(decoded(b"\xfe\xff\0i\0d").unwrap(), "id");
        assert_eq!(wrong(b"\xff\xfe"), "it is empty");
        for damaged in [&b"\xff\xfei\0d"[..], b"\xfe\xff\xd8\0\0d"] {
            assert!(wrong(damaged).starts_with("it begins as UTF-16 text, but is damaged"));
        }
    }

    #[test]
    fn what_is_no_text_is_told_with_line_and_byte() {
        assert!(
            wrong(b"id,name\n1,Caf\xe9\n")
                .starts_with("line 2 is not UTF-8 text: its byte 6 is 0xe9; hint:")
        );
        assert!(wrong(b"\xc3").starts_with("line 1 is not UTF-8 text: its byte 1 is 0xc3"));
        assert_eq!(wrong(b""), "it is empty");
    }

    #[test]
    fn what_is_not_there_is_told_with_the_folder_looked_in() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("accounts.csv"), "a").unwrap();
        let missing = |name: &str| {
            read(&Files::default(), &folder.path().join(name))
                .unwrap_err()
                .to_string()
        };
        let shown = folder.path().display();
        assert_eq!(
            missing("acounts.csv"),
            format!("there is no such file in `{shown}`; hint: did you mean `accounts.csv`?")
        );
        assert_eq!(
            missing("x"),
            format!(
                "there is no such file in `{shown}`; hint: a path is relative to the script that \
                 names it"
            )
        );
        assert!(missing("data/x.csv").starts_with(&format!("there is no folder `{shown}/data`")));
        assert_eq!(missing(""), "it is a directory");
        let (bytes, stamp) = read(&Files::default(), &folder.path().join("accounts.csv")).unwrap();
        assert_eq!((&bytes[..], stamp.size), (&b"a"[..], 1));
        assert_eq!(stamp.sha256[..2], [0xca, 0x97]);
    }
}

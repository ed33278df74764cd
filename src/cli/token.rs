//! Tokens that a person gives, on the command line or in a file.
//!
//! Owns reading them, making a file that is missing, and waiting for one that another process makes.
//! What a token is for, and whether there has to be one, is not known here.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tokio::time::{Instant, sleep};

use crate::control::WishError;
use crate::{files, random};

/// The shortest token that a person may choose: whoever connects can try guesses.
pub(super) const SHORTEST: usize = 16;

/// The longest file that is read for one, in bytes.
const LONGEST_FILE: u64 = 10_000;

/// How often a file is looked for that is not there yet.
const LOOKS: Duration = Duration::from_millis(200);

/// The token in a file, which is made if it is missing; and whether it was.
///
/// # Errors
/// When the file can be neither read nor made.
pub(super) fn kept(file: &Path, option: &str) -> Result<(String, bool), WishError> {
    let is_new = match read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => make(file).map_err(|error| {
            let message = format!("`{option}`: cannot make `{}`: {error}", file.display());
            let hint = "name a file in a folder that exists and that this process may write to";
            WishError::new(message).hint(hint)
        })?,
        read => {
            return read
                .map(|token| (token, false))
                .map_err(cannot_read(file, option));
        }
    };
    let token = read(file).map_err(cannot_read(file, option))?;
    Ok((token, is_new))
}

/// The token in a file, once there is one: another process makes it. `waiting` is called once, if it
/// has to be waited for.
///
/// # Errors
/// When the file cannot be read, or is still missing or empty after so long.
pub(super) async fn awaited(
    file: &Path,
    option: &str,
    within: Duration,
    waiting: impl FnOnce(),
) -> Result<String, WishError> {
    let (begun, mut waiting) = (Instant::now(), Some(waiting));
    loop {
        match read(file) {
            // Whoever writes it without care opens it first, and writes then.
            Ok(token) if token.is_empty() => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            read => return read.map_err(cannot_read(file, option)),
        }
        if begun.elapsed() >= within {
            let file = file.display();
            let message = format!("`{option}`: there is no token in `{file}` after {within:?}");
            let hint = "the master makes it: the same file for both, on a volume that both have";
            return Err(WishError::new(message).hint(hint));
        }
        if let Some(waiting) = waiting.take() {
            waiting();
        }
        sleep(LOOKS).await;
    }
}

/// Whether it could be guessed.
pub(super) fn is_short(token: &str) -> bool {
    token.chars().count() < SHORTEST
}

fn read(file: &Path) -> io::Result<String> {
    let text = files::read_to_string(file, LONGEST_FILE)?;
    Ok(text.trim().to_owned())
}

fn cannot_read(file: &Path, option: &str) -> impl FnOnce(io::Error) -> WishError {
    let text = format!("`{option}`: cannot read `{}`", file.display());
    move |error| WishError::new(format!("{text}: {error}"))
}

/// Makes a file with a random token, for its owner alone. It appears whole, and only once: of two
/// processes that make it, the later gets `false` and reads what the other has made.
fn make(file: &Path) -> io::Result<bool> {
    let token = BASE64_URL_SAFE_NO_PAD.encode(random::bytes::<32>()?);
    let aside = beside(file)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut written = options.open(&aside)?;
    let made = writeln!(written, "{token}")
        .and_then(|()| written.sync_all())
        // Unlike a renaming it replaces nothing.
        .and_then(|()| fs::hard_link(&aside, file));
    let removed = fs::remove_file(&aside);
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        made => made.and(removed).map(|()| true),
    }
}

/// A name in the same folder that nobody else takes.
fn beside(file: &Path) -> io::Result<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(format!(".{:016x}", u64::from_ne_bytes(random::bytes()?)));
    Ok(file.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_missing_file_is_made_once_whoever_comes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let all: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| kept(&file, "--x").unwrap()))
                .collect();
            starts.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let (token, _) = &all[0];
        assert_eq!(token.len(), 43);
        assert!(all.iter().all(|(other, _)| other == token));
        assert_eq!(all.iter().filter(|(_, is_new)| *is_new).count(), 1);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        let other = folder.path().join("other");
        assert_ne!(kept(&other, "--x").unwrap().0, *token);
    }

    #[test]
    fn what_cannot_be_made_says_where() {
        let file = Path::new("/nowhere/at/all/token");
        let error = kept(file, "--cluster-token-file").unwrap_err();
        assert!(
            error
                .message
                .contains("cannot make `/nowhere/at/all/token`")
        );
        assert!(error.hint.is_some());
    }

    #[test]
    fn it_is_waited_for_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let wait = |within, waiting: &dyn Fn()| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(awaited(&file, "--x", within, waiting))
        };
        let nobody = || panic!("nothing is waited for");
        let missing = wait(Duration::ZERO, &nobody).unwrap_err();
        assert!(missing.message.contains("no token in"), "{missing:?}");
        fs::write(&file, "\n").unwrap();
        let empty = wait(Duration::ZERO, &nobody).unwrap_err();
        assert!(empty.message.contains("no token in"), "{empty:?}");
        let master = || fs::write(&file, "a token\n").unwrap();
        let minute = Duration::from_secs(60);
        assert_eq!(wait(minute, &master).unwrap(), "a token");
        assert_eq!(wait(minute, &nobody).unwrap(), "a token");
    }
}

//! How many headers a script may give, and how long they may be.
//!
//! Owns only the limits. Beyond 24,576 names the map that holds them panics, and servers take far
//! fewer: 100 by default in nginx and Apache, 8 KiB to 64 KiB in all.

/// Headers of one session, and of one request besides them.
pub(crate) const MOST: usize = 1_000;

/// Bytes of their names and values.
pub(crate) const LONGEST: usize = 1 << 20;

/// Checks headers that are given at once.
///
/// # Errors
/// That they are too many or too long.
pub(crate) fn within(headers: &[(String, String)]) -> Result<(), String> {
    let bytes = headers.iter().map(|(name, value)| name.len() + value.len());
    check(headers.len(), bytes.sum())
}

/// Checks a number of headers and their total bytes.
///
/// # Errors
/// That they are too many or too long.
pub(crate) fn check(count: usize, bytes: usize) -> Result<(), String> {
    if count > MOST {
        return Err(format!("{count} headers are too many: at most {MOST}"));
    }
    if bytes > LONGEST {
        return Err(format!(
            "headers of {bytes} bytes are too long: at most {LONGEST} in all"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_length_are_bounded() {
        let header = |length: usize| ("a".to_owned(), "x".repeat(length));
        assert_eq!(within(&vec![header(0); MOST]), Ok(()));
        let many = within(&vec![header(0); MOST + 1]).unwrap_err();
        assert_eq!(many, "1001 headers are too many: at most 1000");
        assert_eq!(within(&[header(LONGEST - 1)]), Ok(()));
        let long = within(&[header(LONGEST)]).unwrap_err();
        assert_eq!(
            long,
            "headers of 1048577 bytes are too long: at most 1048576 in all"
        );
    }
}

//! Digests, as services want requests signed: in hexadecimal.
//!
//! Pure functions of their arguments: text counts as its UTF-8 bytes.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rhai::{Blob, Engine};
use sha2::{Digest, Sha256};

use crate::script::results::Result;
use crate::script::run::slices::sliced;

/// Bytes between two looks at the clock: some 0.2 ms of MD5, the slowest.
const PIECE: usize = 64 << 10;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("sha256", |text: &str| digested::<Sha256>(text.as_bytes()))
        .register_fn("sha256", |bytes: Blob| digested::<Sha256>(&bytes))
        .register_fn("md5", |text: &str| digested::<Md5>(text.as_bytes()))
        .register_fn("md5", |bytes: Blob| digested::<Md5>(&bytes))
        .register_fn("hmac_sha256", |key: &str, text: &str| {
            signed(key.as_bytes(), text.as_bytes())
        })
        .register_fn("hmac_sha256", |key: &str, bytes: Blob| {
            signed(key.as_bytes(), &bytes)
        })
        .register_fn("hmac_sha256", |key: Blob, text: &str| {
            signed(&key, text.as_bytes())
        })
        .register_fn("hmac_sha256", |key: Blob, bytes: Blob| signed(&key, &bytes));
}

fn digested<D: Digest>(bytes: &[u8]) -> Result<String> {
    let mut digest = D::new();
    in_pieces(bytes, |piece| digest.update(piece))?;
    Ok(hex(&digest.finalize()))
}

fn signed(key: &[u8], bytes: &[u8]) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    in_pieces(bytes, |piece| mac.update(piece))?;
    Ok(hex(&mac.finalize().into_bytes()))
}

/// Gives `take` one piece after the other; between two of them other users may run.
fn in_pieces(bytes: &[u8], mut take: impl FnMut(&[u8])) -> Result<()> {
    if bytes.len() <= PIECE {
        take(bytes);
        return Ok(());
    }
    let mut pieces = bytes.chunks(PIECE);
    let whole = sliced(|| match pieces.next() {
        Some(piece) => {
            take(piece);
            None
        }
        None => Some(()),
    });
    Ok(whole?)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        assert_eq!(
            digested::<Md5>(b"abc").unwrap(),
            "900150983cd24fb0d6963f7d28e17f72",
            "RFC 1321"
        );
        assert_eq!(
            digested::<Sha256>(b"abc").unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "FIPS 180-2, B.1"
        );
        assert_eq!(
            signed(b"Jefe", b"what do ya want for nothing?").unwrap(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "RFC 4231, test case 2"
        );
        assert_eq!(
            signed(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            )
            .unwrap(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            "RFC 4231, test case 6"
        );
        let long = vec![7; 3 * PIECE + 1];
        assert_eq!(digested::<Md5>(&long).unwrap(), hex(&Md5::digest(&long)));
    }
}

//! Digests, as services want requests signed: in hexadecimal.
//!
//! Pure functions of their arguments: text counts as its UTF-8 bytes.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rhai::{Blob, Engine};
use sha2::{Digest, Sha256};

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("sha256", |text: &str| hex(&Sha256::digest(text)))
        .register_fn("sha256", |bytes: Blob| hex(&Sha256::digest(bytes)))
        .register_fn("md5", |text: &str| hex(&Md5::digest(text)))
        .register_fn("md5", |bytes: Blob| hex(&Md5::digest(bytes)))
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

fn signed(key: &[u8], bytes: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(bytes);
    hex(&mac.finalize().into_bytes())
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
            hex(&Md5::digest("abc")),
            "900150983cd24fb0d6963f7d28e17f72",
            "RFC 1321"
        );
        assert_eq!(
            hex(&Sha256::digest("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "FIPS 180-2, B.1"
        );
        assert_eq!(
            signed(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "RFC 4231, test case 2"
        );
        assert_eq!(
            signed(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            ),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            "RFC 4231, test case 6"
        );
    }
}

//! Content encodings, undone when somebody reads the body: gzip, deflate and brotli.
//!
//! Bounded: a small body may stand for gigabytes.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::failure::Error;

/// Undoes the `encodings` (the values of `Content-Encoding`, in order); at most `limit` bytes
/// come out of each. A body that is not encoded is shared, not copied.
pub(super) fn decode<'a>(
    encodings: impl DoubleEndedIterator<Item = &'a str>,
    body: &Bytes,
    limit: u64,
) -> Result<Bytes, Error> {
    let mut body = body.clone();
    // They are listed in the order in which they were applied (RFC 9110, section 8.4).
    for encoding in encodings.rev() {
        // The answer to HEAD names an encoding and has no body.
        if body.is_empty() {
            break;
        }
        body = if is(encoding, "gzip") || is(encoding, "x-gzip") {
            read_all(MultiGzDecoder::new(&*body), limit, "gzip data is damaged")?
        } else if is(encoding, "deflate") {
            // Meant is zlib's format; many servers send the bare stream.
            if is_zlib(&body) {
                read_all(ZlibDecoder::new(&*body), limit, "deflate data is damaged")?
            } else {
                read_all(
                    DeflateDecoder::new(&*body),
                    limit,
                    "deflate data is damaged",
                )?
            }
        } else if is(encoding, "br") {
            let reader = brotli::Decompressor::new(&*body, 4096);
            read_all(reader, limit, "brotli data is damaged")?
        } else if is(encoding, "identity") || encoding.is_empty() {
            continue;
        } else {
            return Err(Error::Body("content encoding is unknown"));
        };
    }
    Ok(body)
}

fn is(encoding: &str, name: &str) -> bool {
    encoding.eq_ignore_ascii_case(name)
}

/// RFC 1950, section 2.2: method 8, and the first two bytes are a multiple of 31.
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [cmf, flg, ..] => cmf & 0x0f == 8 && u16::from_be_bytes([*cmf, *flg]).is_multiple_of(31),
        _ => false,
    }
}

fn read_all(reader: impl Read, limit: u64, damaged: &'static str) -> Result<Bytes, Error> {
    let mut decoded = Vec::new();
    reader
        .take(limit.saturating_add(1))
        .read_to_end(&mut decoded)
        .map_err(|_| Error::Body(damaged))?;
    if decoded.len() as u64 > limit {
        return Err(Error::TooLarge(limit));
    }
    Ok(Bytes::from(decoded))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"the same words, the same words, the same words";

    fn gzip(data: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        Bytes::from(encoder.finish().unwrap())
    }

    fn brotli(data: &[u8]) -> Bytes {
        let mut encoded = Vec::new();
        let mut encoder = brotli::CompressorWriter::new(&mut encoded, 4096, 5, 20);
        encoder.write_all(data).unwrap();
        drop(encoder);
        Bytes::from(encoded)
    }

    fn decoded(encodings: &[&str], body: &Bytes) -> Result<Bytes, Error> {
        decode(encodings.iter().copied(), body, 1_000)
    }

    #[test]
    fn every_encoding_and_their_sequence() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(TEXT).unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        bare.write_all(TEXT).unwrap();
        let two_members = Bytes::from([gzip(TEXT), gzip(TEXT)].concat());
        assert_eq!(decoded(&["gzip"], &gzip(TEXT)).unwrap(), TEXT);
        assert_eq!(
            decoded(&["X-GZIP"], &two_members).unwrap(),
            [TEXT, TEXT].concat()
        );
        assert_eq!(
            decoded(&["deflate"], &zlib.finish().unwrap().into()).unwrap(),
            TEXT
        );
        assert_eq!(
            decoded(&["deflate"], &bare.finish().unwrap().into()).unwrap(),
            TEXT
        );
        assert_eq!(decoded(&["br"], &brotli(TEXT)).unwrap(), TEXT);
        assert_eq!(
            decoded(&["gzip", "br"], &brotli(&gzip(TEXT))).unwrap(),
            TEXT
        );
    }

    #[test]
    fn a_body_that_is_not_encoded_is_not_copied() {
        let body = Bytes::from_static(TEXT);
        assert_eq!(
            decoded(&["identity"], &body).unwrap().as_ptr(),
            body.as_ptr()
        );
        assert_eq!(decoded(&["gzip"], &Bytes::new()).unwrap(), Bytes::new());
    }

    #[test]
    fn bombs_and_damage_are_named() {
        let bomb = vec![0; 1_000_000];
        for (encoding, body) in [("gzip", gzip(&bomb)), ("br", brotli(&bomb))] {
            assert!(body.len() < 2_000);
            assert_eq!(decoded(&[encoding], &body), Err(Error::TooLarge(1_000)));
            let cut = body.slice(..body.len() / 2);
            let error = decode([encoding].into_iter(), &cut, u64::MAX).unwrap_err();
            assert!(matches!(error, Error::Body(_)), "{error:?}");
        }
        assert_eq!(
            decoded(&["zstd"], &Bytes::from_static(b"x")),
            Err(Error::Body("content encoding is unknown"))
        );
    }
}

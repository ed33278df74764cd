//! Content encodings, undone when the body is read: gzip, deflate and brotli.
//!
//! Output is bounded: a small body may expand to gigabytes.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::failure::Error;
use super::memory::{self, Share};
use crate::clock::{Micros, now};

/// The most encodings of one body, as in curl: each of twenty could expand to the whole limit.
const MOST_ENCODINGS: usize = 5;
/// How much is decoded between two reads of the clock.
const STEP: usize = 64 * 1024;
/// How long decoding may run before other tasks get their turn, in µs.
const SLICE_US: u64 = 1_000;

/// Known codings that are not supported.
const UNSUPPORTED: [(&str, &str); 4] = [
    ("zstd", "content encoding `zstd` is not supported"),
    ("compress", "content encoding `compress` is not supported"),
    (
        "x-compress",
        "content encoding `x-compress` is not supported",
    ),
    ("bzip2", "content encoding `bzip2` is not supported"),
];

/// Whether the encodings of a body can be undone. Unknown names count as no encoding: servers send
/// `utf-8` or `none` and mean a plain body. curl accepts `none`, requests any unknown name.
///
/// # Errors
/// If there are more than any real server sends, or one is unsupported.
pub(super) fn check(encodings: &[&str]) -> Result<(), Error> {
    if encodings.len() > MOST_ENCODINGS {
        return Err(Error::Body("more than 5 content encodings"));
    }
    let mut known = UNSUPPORTED.iter();
    match known.find(|(name, _)| encodings.iter().any(|encoding| is(encoding, name))) {
        Some((_, wrong)) => Err(Error::Body(wrong)),
        None => Ok(()),
    }
}

/// Undoes the `encodings` (the values of `Content-Encoding`, in order); at most `limit` bytes come
/// out of all of them together. An unencoded body is shared, not copied.
pub(super) async fn decode(encodings: &[&str], body: &Bytes, limit: u64) -> Result<Bytes, Error> {
    check(encodings)?;
    let mut body = body.clone();
    let mut left = limit;
    // They are listed in the order in which they were applied (RFC 9110, section 8.4).
    for encoding in encodings.iter().rev() {
        // The answer to HEAD names an encoding and has no body.
        if body.is_empty() {
            break;
        }
        let input = Input::new(&body);
        let decoded = if is(encoding, "gzip") || is(encoding, "x-gzip") {
            read_all(MultiGzDecoder::new(input), left, "gzip data is damaged").await
        } else if is(encoding, "deflate") {
            // `deflate` means zlib's format, but many servers send the bare stream.
            if is_zlib(&body) {
                read_all(ZlibDecoder::new(input), left, "deflate data is damaged").await
            } else {
                read_all(DeflateDecoder::new(input), left, "deflate data is damaged").await
            }
        } else if is(encoding, "br") {
            let reader = brotli::Decompressor::new(input, 4096);
            read_all(reader, left, "brotli data is damaged").await
        } else {
            continue;
        };
        body = decoded.map_err(|error| match error {
            Error::TooLarge(_) => Error::TooLarge(limit),
            error => error,
        })?;
        left -= body.len() as u64;
    }
    Ok(body)
}

fn is(encoding: &str, name: &str) -> bool {
    encoding.eq_ignore_ascii_case(name)
}

/// RFC 1950, section 2.2: method 8, and the first two bytes form a multiple of 31.
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [cmf, flg, ..] => cmf & 0x0f == 8 && u16::from_be_bytes([*cmf, *flg]).is_multiple_of(31),
        _ => false,
    }
}

/// A body being fed to a decoder, which returns `WouldBlock` at the end of a time slice: input may
/// produce no output at all, and a decoder only returns once it has some.
struct Input<'a> {
    left: &'a [u8],
    since: Micros,
}

impl<'a> Input<'a> {
    fn new(body: &'a [u8]) -> Input<'a> {
        Input {
            left: body,
            since: now(),
        }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = now();
        if at.since(self.since) > SLICE_US {
            self.since = at;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = buffer.len().min(8 * 1024);
        self.left.read(&mut buffer[..length])
    }
}

async fn read_all(
    mut reader: impl Read,
    limit: u64,
    damaged: &'static str,
) -> Result<Bytes, Error> {
    let mut decoded = Vec::new();
    let mut share = Share::default();
    let mut since = now();
    loop {
        let before = decoded.len();
        memory::reserve(&mut decoded, STEP)?;
        let part = reader.by_ref().take(STEP as u64).read_to_end(&mut decoded);
        if decoded.len() as u64 > limit {
            return Err(Error::TooLarge(limit));
        }
        share.grow_to(decoded.len() as u64)?;
        let is_blocked = match part {
            Ok(_) if decoded.len() == before => break,
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(_) => return Err(Error::Body(damaged)),
        };
        if is_blocked || now().since(since) > SLICE_US {
            tokio::task::yield_now().await;
            since = now();
        }
    }
    Ok(share.keep(decoded))
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::io::Write;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

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

    /// Polls to the end, although it yields in between.
    fn finished<T>(decoding: impl Future<Output = T>) -> T {
        let mut decoding = pin!(decoding);
        loop {
            let polled = decoding
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(done) = polled {
                return done;
            }
        }
    }

    fn decoded(encodings: &[&str], body: &Bytes) -> Result<Bytes, Error> {
        finished(decode(encodings, body, 1_000))
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
        assert_eq!(decoded(&[], &body).unwrap().as_ptr(), body.as_ptr());
        assert_eq!(decoded(&["gzip"], &Bytes::new()).unwrap(), Bytes::new());
    }

    #[test]
    fn bombs_and_damage_are_named() {
        let bomb = vec![0; 1_000_000];
        for (encoding, body) in [("gzip", gzip(&bomb)), ("br", brotli(&bomb))] {
            assert!(body.len() < 2_000);
            assert_eq!(decoded(&[encoding], &body), Err(Error::TooLarge(1_000)));
            let cut = body.slice(..body.len() / 2);
            let error = finished(decode(&[encoding], &cut, u64::MAX)).unwrap_err();
            assert!(matches!(error, Error::Body(_)), "{error:?}");
        }
        assert_eq!(
            decoded(&["zstd"], &Bytes::from_static(b"x")),
            Err(Error::Body("content encoding `zstd` is not supported"))
        );
        for none in ["utf-8", "none", "identity", "binary"] {
            assert_eq!(decoded(&[none], &Bytes::from_static(TEXT)).unwrap(), TEXT);
        }
        assert_eq!(decoded(&["gzip", "UTF-8"], &gzip(TEXT)).unwrap(), TEXT);
    }

    #[test]
    fn few_encodings_and_their_sum_are_undone() {
        let mut body = Bytes::from_static(TEXT);
        for depth in 1..=20 {
            body = gzip(&body);
            let found = decoded(&["gzip"].repeat(depth), &body);
            match depth {
                ..=5 => assert_eq!(found.unwrap(), TEXT),
                _ => assert_eq!(found, Err(Error::Body("more than 5 content encodings"))),
            }
        }
        // Neither the text nor its encoded form is too long, but both together are.
        let text = vec![0; 1_000];
        let twice = gzip(&gzip(&text));
        assert_eq!(decoded(&["gzip"], &gzip(&text)).unwrap(), text);
        assert_eq!(
            decoded(&["gzip", "gzip"], &twice),
            Err(Error::TooLarge(1_000))
        );
    }

    /// Gives one byte at a time, and blocks before each.
    struct Blocking<'a>(&'a [u8], bool);

    impl Read for Blocking<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.0.read(&mut buffer[..1])
        }
    }

    #[test]
    fn a_decoder_goes_on_wherever_its_input_blocks() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let both = [&text[..], TEXT].concat();
        let gzipped = [gzip(&text), gzip(b""), gzip(TEXT)].concat();
        let reader = MultiGzDecoder::new(Blocking(&gzipped, false));
        assert!(finished(read_all(reader, u64::MAX, "")).unwrap() == both);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).unwrap();
        let zlibbed = zlib.finish().unwrap();
        let reader = ZlibDecoder::new(Blocking(&zlibbed, false));
        assert!(finished(read_all(reader, u64::MAX, "")).unwrap() == text);
        let brotlied = brotli(&text);
        let reader = brotli::Decompressor::new(Blocking(&brotlied, false), 4096);
        assert!(finished(read_all(reader, u64::MAX, "")).unwrap() == text);
    }

    #[test]
    fn long_bodies_give_way_to_others() {
        // Input without output for a long time, then a great deal of it.
        let nothing = Bytes::from(gzip(b"").repeat(200_000));
        let zeros = gzip(&vec![0; 50_000_000]);
        for (body, length) in [(nothing, 0), (zeros, 50_000_000)] {
            let mut decoding = pin!(decode(&["gzip"], &body, u64::MAX));
            let mut turns = 0;
            let decoded = loop {
                turns += 1;
                let polled = decoding
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
                if let Poll::Ready(decoded) = polled {
                    break decoded;
                }
            };
            assert_eq!(decoded.unwrap().len(), length);
            assert!(turns > 10, "{turns}");
        }
    }
}

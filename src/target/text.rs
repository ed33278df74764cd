//! `/text`: one text in the coding that the client likes best.
//!
//! Owns the choice by `Accept-Encoding` (RFC 9110, section 12.5.3) and the encoding, done for each
//! request again: the route is meant to test decoding, not to be fast.

use std::io::{self, Write};

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderValue, VARY};

use super::reply::{self, Reply};

/// The text: long enough that every coding shortens it.
pub(super) const TEXT: &str = "The katydid sings through the summer night, \
the katydid answers from tree to tree, and the katydid is heard long before it is seen. \
Whoever counts its chirps and adds thirty-seven knows the temperature, more or less.\n";

/// A content coding, the preferred one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Brotli,
    Gzip,
    Deflate,
    Identity,
}

impl Coding {
    const ALL: [Coding; 4] = [
        Coding::Brotli,
        Coding::Gzip,
        Coding::Deflate,
        Coding::Identity,
    ];

    fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Identity => "identity",
        }
    }

    /// The one with the highest weight; the first of [`Coding::ALL`] among equals.
    fn preferred(accept: &str) -> Coding {
        let mut best = (Coding::Identity, 0.0);
        for coding in Coding::ALL {
            let weight = weight(accept, coding);
            if weight > best.1 {
                best = (coding, weight);
            }
        }
        best.0
    }

    fn encode(self, text: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Coding::Brotli => {
                let mut writer = CompressorWriter::new(Vec::new(), 4096, 5, 20);
                writer.write_all(text)?;
                Ok(writer.into_inner())
            }
            Coding::Gzip => {
                let mut writer = GzEncoder::new(Vec::new(), Compression::default());
                writer.write_all(text)?;
                writer.finish()
            }
            Coding::Deflate => {
                let mut writer = ZlibEncoder::new(Vec::new(), Compression::default());
                writer.write_all(text)?;
                writer.finish()
            }
            Coding::Identity => Ok(text.to_vec()),
        }
    }
}

/// A coding's weight in the header; 0 refuses it, and applies to unlisted ones.
fn weight(accept: &str, coding: Coding) -> f32 {
    let mut any = 0.0;
    for item in accept.split(',') {
        let (name, parameter) = item.split_once(';').unwrap_or((item, ""));
        let weight = match parameter.trim().strip_prefix("q=") {
            Some(weight) => weight.parse().unwrap_or(0.0),
            None => 1.0,
        };
        let name = name.trim();
        if name.eq_ignore_ascii_case(coding.name()) {
            return weight;
        }
        if name == "*" {
            any = weight;
        }
    }
    any
}

/// The text for a client that sent this `Accept-Encoding`.
pub(super) fn reply(accept: &str) -> Reply {
    let coding = Coding::preferred(accept);
    let encoded = coding
        .encode(TEXT.as_bytes())
        .expect("writing to memory does not fail");
    let mut reply = reply::text(Bytes::from(encoded));
    let headers = reply.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if coding != Coding::Identity {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    }
    reply
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_client_chooses_the_coding() {
        for (accept, expected) in [
            ("", Coding::Identity),
            ("gzip", Coding::Gzip),
            ("GZIP", Coding::Gzip),
            ("gzip, deflate, br", Coding::Brotli),
            ("gzip, deflate", Coding::Gzip),
            ("deflate;q=1, gzip; q=0.5", Coding::Deflate),
            ("br;q=0, *", Coding::Gzip),
            ("zstd", Coding::Identity),
            ("br;q=0", Coding::Identity),
            ("gzip;q=much", Coding::Identity),
        ] {
            assert_eq!(Coding::preferred(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn every_coding_decodes_to_the_text() {
        for coding in Coding::ALL {
            let encoded = coding.encode(TEXT.as_bytes()).expect("encoded in memory");
            let mut text = String::new();
            let read = match coding {
                Coding::Brotli => {
                    brotli::Decompressor::new(&encoded[..], 4096).read_to_string(&mut text)
                }
                Coding::Gzip => {
                    flate2::read::GzDecoder::new(&encoded[..]).read_to_string(&mut text)
                }
                Coding::Deflate => {
                    flate2::read::ZlibDecoder::new(&encoded[..]).read_to_string(&mut text)
                }
                Coding::Identity => (&encoded[..]).read_to_string(&mut text),
            };
            read.expect("a text");
            assert_eq!(text, TEXT);
            assert!(coding == Coding::Identity || encoded.len() < TEXT.len());
        }
    }
}

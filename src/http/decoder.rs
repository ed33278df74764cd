//! Content encodings undone piece by piece, for bodies that are read as they come.
//!
//! The counterpart of `decode`, which has the whole body.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::failure::Error;

/// The encodings of one body, the last applied first.
#[derive(Default)]
pub(super) struct Decoder(Vec<Layer>);

enum Layer {
    Gzip(MultiGzDecoder<Vec<u8>>),
    /// zlib's format or the bare stream: its first byte tells.
    Deflate,
    Zlib(ZlibDecoder<Vec<u8>>),
    Bare(DeflateDecoder<Vec<u8>>),
    Brotli(Box<brotli::DecompressorWriter<Vec<u8>>>),
    Unknown,
}

impl Decoder {
    /// For the values of `Content-Encoding`, in order.
    pub(super) fn new(encodings: &[&str]) -> Decoder {
        let layers = encodings.iter().rev().filter_map(|encoding| {
            Some(match encoding.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => Layer::Gzip(MultiGzDecoder::new(Vec::new())),
                "deflate" => Layer::Deflate,
                "br" => {
                    let writer = brotli::DecompressorWriter::new(Vec::new(), 4096);
                    Layer::Brotli(Box::new(writer))
                }
                "identity" | "" => return None,
                _ => Layer::Unknown,
            })
        });
        Decoder(layers.collect())
    }

    /// What a piece of the body stands for: nothing yet, maybe. At most `limit` bytes come out
    /// of each piece, or it is an error.
    pub(super) fn push(&mut self, data: Bytes, limit: u64) -> Result<Bytes, Error> {
        let mut data = data;
        for layer in &mut self.0 {
            if !data.is_empty() {
                data = layer.push(&data, limit)?.into();
            }
        }
        Ok(data)
    }
}

impl Layer {
    fn push(&mut self, data: &[u8], limit: u64) -> Result<Vec<u8>, Error> {
        if let Layer::Deflate = self {
            // RFC 1950, section 2.2: the method is 8; a bare stream never begins so.
            *self = if data[0] & 0x0f == 8 {
                Layer::Zlib(ZlibDecoder::new(Vec::new()))
            } else {
                Layer::Bare(DeflateDecoder::new(Vec::new()))
            };
        }
        match self {
            Layer::Gzip(writer) => pushed(writer, data, limit, MultiGzDecoder::get_mut)
                .map_err(|error| error.unwrap_or(Error::Body("gzip data is damaged"))),
            Layer::Zlib(writer) => pushed(writer, data, limit, ZlibDecoder::get_mut)
                .map_err(|error| error.unwrap_or(Error::Body("deflate data is damaged"))),
            Layer::Bare(writer) => pushed(writer, data, limit, DeflateDecoder::get_mut)
                .map_err(|error| error.unwrap_or(Error::Body("deflate data is damaged"))),
            Layer::Brotli(writer) => pushed(&mut **writer, data, limit, |it| it.get_mut())
                .map_err(|error| error.unwrap_or(Error::Body("brotli data is damaged"))),
            Layer::Deflate | Layer::Unknown => Err(Error::Body("content encoding is unknown")),
        }
    }
}

/// Writes in small steps, so that a few bytes that stand for gigabytes are noticed in time.
fn pushed<W: Write>(
    writer: &mut W,
    data: &[u8],
    limit: u64,
    decoded: impl Fn(&mut W) -> &mut Vec<u8>,
) -> Result<Vec<u8>, Option<Error>> {
    let none = |_: io::Error| None;
    for step in data.chunks(256) {
        writer.write_all(step).map_err(none)?;
        if decoded(writer).len() as u64 > limit {
            return Err(Some(Error::TooLarge(limit)));
        }
    }
    writer.flush().map_err(none)?;
    Ok(std::mem::take(decoded(writer)))
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"line one\nline two\nline three\n";

    fn decoded(encodings: &[&str], body: &[u8], piece: usize) -> Result<Vec<u8>, Error> {
        let mut decoder = Decoder::new(encodings);
        let mut all = Vec::new();
        for piece in body.chunks(piece) {
            all.extend(decoder.push(Bytes::copy_from_slice(piece), 1_000)?);
        }
        Ok(all)
    }

    #[test]
    fn pieces_of_any_size_come_out_as_the_text() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        for encoder in [&mut gzip as &mut dyn Write, &mut zlib, &mut bare] {
            encoder.write_all(TEXT).unwrap();
        }
        let mut brotli = Vec::new();
        brotli::CompressorWriter::new(&mut brotli, 4096, 5, 20)
            .write_all(TEXT)
            .unwrap();
        let bodies = [
            ("gzip", gzip.finish().unwrap()),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", bare.finish().unwrap()),
            ("br", brotli),
            ("identity", TEXT.to_vec()),
        ];
        for (encoding, body) in bodies {
            for piece in [1, 7, 1_000] {
                let text = decoded(&[encoding], &body, piece);
                assert_eq!(text.as_deref(), Ok(TEXT), "{encoding} by {piece}");
            }
        }
    }

    #[test]
    fn what_was_flushed_comes_out_at_once() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(TEXT).unwrap();
        encoder.flush().unwrap();
        let begun = encoder.get_ref().clone();
        assert_eq!(decoded(&["gzip"], &begun, 1_000).as_deref(), Ok(TEXT));
    }

    #[test]
    fn bombs_and_damage_are_named() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&vec![0; 1_000_000]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert_eq!(
            decoded(&["gzip"], &bomb, 2_000),
            Err(Error::TooLarge(1_000))
        );
        let damaged = Err(Error::Body("gzip data is damaged"));
        assert_eq!(decoded(&["gzip"], b"no gzip at all", 100), damaged);
        let unknown = Err(Error::Body("content encoding is unknown"));
        assert_eq!(decoded(&["zstd"], b"x", 100), unknown);
    }
}

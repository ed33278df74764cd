//! Content encodings undone piece by piece, for bodies that are read as they arrive.
//!
//! The counterpart of `decode`, which has the whole body.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Decompress;
use flate2::write::{MultiGzDecoder, ZlibDecoder};

use super::decode;
use super::failure::Error;

/// The encodings of one body, the last applied first.
#[derive(Default)]
pub(super) struct Decoder {
    layers: Vec<Layer>,
    /// The encodings cannot be undone.
    refused: Option<Error>,
}

enum Layer {
    Gzip(MultiGzDecoder<Sink>),
    /// zlib's format or the bare stream; the first byte decides.
    Deflate,
    Inflate(ZlibDecoder<Sink>),
    Brotli(Box<brotli::DecompressorWriter<Sink>>),
}

impl Decoder {
    /// For the values of `Content-Encoding`, in order.
    pub(super) fn new(encodings: &[&str]) -> Decoder {
        let layers = encodings.iter().rev().filter_map(|encoding| {
            Some(match encoding.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => Layer::Gzip(MultiGzDecoder::new(Sink::default())),
                "deflate" => Layer::Deflate,
                "br" => {
                    let writer = brotli::DecompressorWriter::new(Sink::default(), 4096);
                    Layer::Brotli(Box::new(writer))
                }
                _ => return None,
            })
        });
        let refused = decode::check(encodings).err();
        Decoder {
            layers: match refused {
                None => layers.collect(),
                Some(_) => Vec::new(),
            },
            refused,
        }
    }

    /// How much of a piece to feed at once: a little may expand a thousandfold, and other tasks
    /// wait meanwhile.
    pub(super) fn step(&self) -> usize {
        match self.layers.is_empty() {
            true => usize::MAX,
            false => 1_024,
        }
    }

    /// Decodes a piece of the body; the result may still be empty. Fails if a piece expands to more
    /// than `limit` bytes over all encodings.
    pub(super) fn push(&mut self, data: Bytes, limit: u64) -> Result<Bytes, Error> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let mut data = data;
        let mut left = limit;
        for layer in &mut self.layers {
            if !data.is_empty() {
                data = layer.push(&data, left)?.into();
                left -= data.len() as u64;
            }
        }
        Ok(data)
    }

    /// Ends the body.
    ///
    /// # Errors
    /// When an encoding has not ended: the body was cut short.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.layers.iter_mut().try_for_each(Layer::finish)
    }
}

impl Layer {
    fn finish(&mut self) -> Result<(), Error> {
        // All output has been taken already.
        let (is_over, what) = match self {
            Layer::Deflate => (true, ""),
            Layer::Gzip(writer) => {
                let is_over = !writer.get_ref().is_used || writer.try_finish().is_ok();
                (is_over, "gzip data is cut short")
            }
            // After its end it accepts no more input, and it reports its end in no other way.
            Layer::Inflate(writer) => {
                let is_over = matches!(writer.write(&[0]), Ok(0));
                (is_over, "deflate data is cut short")
            }
            Layer::Brotli(writer) => {
                let is_over = !writer.get_ref().is_used || writer.close().is_ok();
                (is_over, "brotli data is cut short")
            }
        };
        match is_over {
            true => Ok(()),
            false => Err(Error::Body(what)),
        }
    }

    fn push(&mut self, data: &[u8], limit: u64) -> Result<Vec<u8>, Error> {
        if let Layer::Deflate = self {
            // RFC 1950, section 2.2: the method is 8; a bare stream never begins like this.
            let inflate = Decompress::new(data[0] & 0x0f == 8);
            let writer = ZlibDecoder::new_with_decompress(Sink::default(), inflate);
            *self = Layer::Inflate(writer);
        }
        match self {
            Layer::Gzip(writer) => pushed(writer, data, limit, MultiGzDecoder::get_mut)
                .map_err(|error| error.unwrap_or(Error::Body("gzip data is damaged"))),
            Layer::Inflate(writer) => pushed(writer, data, limit, ZlibDecoder::get_mut)
                .map_err(|error| error.unwrap_or(Error::Body("deflate data is damaged"))),
            Layer::Brotli(writer) => pushed(&mut **writer, data, limit, |it| it.get_mut())
                .map_err(|error| error.unwrap_or(Error::Body("brotli data is damaged"))),
            Layer::Deflate => Ok(Vec::new()),
        }
    }
}

/// Collects a decoder's output up to a limit: a few bytes may expand to gigabytes.
#[derive(Default)]
struct Sink {
    data: Vec<u8>,
    left: u64,
    is_full: bool,
    /// Whether the decoder was given anything: an empty body is not a damaged one.
    is_used: bool,
}

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let length = data.len() as u64;
        if length > self.left || self.data.try_reserve(data.len()).is_err() {
            self.is_full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.left -= length;
        self.data.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pushed<W: Write>(
    writer: &mut W,
    data: &[u8],
    limit: u64,
    sink: impl Fn(&mut W) -> &mut Sink,
) -> Result<Vec<u8>, Option<Error>> {
    sink(writer).left = limit;
    sink(writer).is_used = true;
    let written = writer.write_all(data).and_then(|()| writer.flush());
    let sink = sink(writer);
    match written {
        Ok(()) => Ok(std::mem::take(&mut sink.data)),
        Err(_) if sink.is_full => Err(Some(Error::TooLarge(limit))),
        Err(_) => Err(None),
    }
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
    fn what_is_cut_short_is_no_end() {
        let text = "a text of some length, a text of some length".repeat(20);
        let bytes = text.as_bytes();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(bytes).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(bytes).unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        bare.write_all(bytes).unwrap();
        let mut brotli = brotli::CompressorWriter::new(Vec::new(), 4_096, 5, 20);
        brotli.write_all(bytes).unwrap();
        for (encoding, encoded) in [
            ("gzip", gzip.finish().unwrap()),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", bare.finish().unwrap()),
            ("br", brotli.into_inner()),
        ] {
            for end in 0..=encoded.len() {
                let mut decoder = Decoder::new(&[encoding]);
                decoder
                    .push(Bytes::copy_from_slice(&encoded[..end]), 1 << 20)
                    .unwrap();
                let is_whole = end == 0 || end == encoded.len();
                let finished = decoder.finish();
                assert_eq!(finished.is_ok(), is_whole, "{encoding} {end}: {finished:?}");
            }
        }
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
            ("utf-8", TEXT.to_vec()),
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
        let unknown = Err(Error::Body("content encoding `zstd` is not supported"));
        assert_eq!(decoded(&["zstd"], b"x", 100), unknown);
    }

    #[test]
    fn no_more_than_the_limit_is_ever_made_of_a_piece() {
        let mut brotli = Vec::new();
        let zeros = vec![0; 64_000_000];
        brotli::CompressorWriter::new(&mut brotli, 4096, 5, 20)
            .write_all(&zeros)
            .unwrap();
        let mut decoder = Decoder::new(&["br"]);
        assert_eq!(
            decoder.push(brotli.into(), 1_000_000),
            Err(Error::TooLarge(1_000_000))
        );
        let Layer::Brotli(writer) = &mut decoder.layers[0] else {
            unreachable!("it has one layer");
        };
        assert!(writer.get_mut().data.capacity() <= 2_000_000);
    }

    #[test]
    fn many_encodings_are_refused() {
        let refused = Err(Error::Body("more than 5 content encodings"));
        assert_eq!(decoded(&["gzip"; 6], b"x", 100), refused);
    }
}

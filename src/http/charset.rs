//! The charset of a body: what its bytes are as text.
//!
//! Owns reading the `charset` of `Content-Type` and byte order marks. The decoders come from
//! `encoding_rs`, which has the charsets of browsers; content encodings are undone in `decode`.

use std::borrow::Cow;

use bytes::Bytes;
use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};
use hyper::header::HeaderValue;

/// The charset a response declares; UTF-8 if it declares none, or one that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Default for Charset {
    fn default() -> Charset {
        Charset(UTF_8)
    }
}

impl Charset {
    /// The charset that `Content-Type` names.
    pub(super) fn of(content_type: Option<&HeaderValue>) -> Charset {
        let label = content_type.and_then(|value| label(value.as_bytes()));
        let known = label.and_then(Encoding::for_label_no_replacement);
        Charset(known.unwrap_or(UTF_8))
    }

    /// Whether it is UTF-8.
    #[must_use]
    pub fn is_utf8(self) -> bool {
        self.0 == UTF_8
    }

    /// Whether every line ends with the byte 0x0A, so that lines can be split before decoding.
    #[must_use]
    pub fn has_lines(self) -> bool {
        self.0 != UTF_16LE && self.0 != UTF_16BE && self.0 != REPLACEMENT
    }

    /// A body in another charset as UTF-8; one in UTF-8 as it is.
    #[must_use]
    pub fn transcoded(self, body: Bytes) -> Bytes {
        match self.is_utf8() {
            true => body,
            false => Bytes::from(self.decode(&body).into_owned()),
        }
    }

    /// A whole body as text; invalid sequences become U+FFFD. A byte order mark overrides the
    /// charset, as in browsers, and is not part of the text.
    #[must_use]
    pub fn decode(self, body: &[u8]) -> Cow<'_, str> {
        self.0.decode(body).0
    }

    /// Part of a body, in which a byte order mark has no meaning.
    #[must_use]
    pub fn decode_part(self, part: &[u8]) -> Cow<'_, str> {
        self.0.decode_without_bom_handling(part).0
    }

    /// The JSON of a body that is not plainly UTF-8: by its byte order mark, by the zeros that its
    /// first characters have in UTF-16 and UTF-32 (RFC 4627, section 3, as requests does), or by
    /// the declared charset.
    #[must_use]
    pub fn json(self, body: &[u8]) -> Option<Cow<'_, str>> {
        let zeros = body.get(..4).map(|start| {
            let zero = |at: usize| start[at] == 0;
            (zero(0), zero(1), zero(2), zero(3))
        });
        match (body, zeros) {
            ([0xff, 0xfe, 0, 0, rest @ ..], _) => utf32(rest, u32::from_le_bytes),
            ([0, 0, 0xfe, 0xff, rest @ ..], _) => utf32(rest, u32::from_be_bytes),
            ([0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..], _) => {
                Some(self.decode(body))
            }
            (_, Some((true, true, true, false))) => utf32(body, u32::from_be_bytes),
            (_, Some((false, true, true, true))) => utf32(body, u32::from_le_bytes),
            (_, Some((true, false, true, false))) => Some(UTF_16BE.decode(body).0),
            (_, Some((false, true, false, true))) => Some(UTF_16LE.decode(body).0),
            _ if !self.is_utf8() => Some(self.decode(body)),
            _ => None,
        }
    }
}

fn utf32(body: &[u8], read: fn([u8; 4]) -> u32) -> Option<Cow<'_, str>> {
    let letters = body.chunks(4).map(|letter| {
        let number = read(letter.try_into().ok()?);
        char::from_u32(number)
    });
    letters.collect::<Option<String>>().map(Cow::Owned)
}

/// The value of the parameter `charset`, without quotes and blanks.
fn label(content_type: &[u8]) -> Option<&[u8]> {
    let mut parameters = content_type.split(|&byte| byte == b';').skip(1);
    parameters.find_map(|parameter| {
        let at = parameter.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (&parameter[..at], &parameter[at + 1..]);
        name.trim_ascii()
            .eq_ignore_ascii_case(b"charset")
            .then(|| bare(value))
    })
}

fn bare(mut value: &[u8]) -> &[u8] {
    let is_around = |byte: &u8| matches!(byte, b'"' | b'\'' | b' ' | b'\t');
    while let [first, rest @ ..] = value
        && is_around(first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_around(last)
    {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(content_type: &'static str) -> Charset {
        Charset::of(Some(&HeaderValue::from_static(content_type)))
    }

    #[test]
    fn text_is_read_in_the_charset_that_was_named() {
        for (content_type, body, text) in [
            (
                "text/html; charset=EUC-KR",
                &b"\xbe\xc8\xb3\xe7"[..],
                "안녕",
            ),
            ("text/plain;Charset = \"iso-8859-1\"", b"caf\xe9", "café"),
            ("text/plain; charset='Shift_JIS'; x=y", b"\x93\xfa", "日"),
            ("text/plain; charset=windows-1252", b"\x80", "€"),
            ("text/plain; charset=utf-16", b"\xfe\xff\0a", "a"),
            ("text/plain; charset=utf-16le", b"a\0\xfc\0", "aü"),
            ("text/plain; charset=utf-8", b"\xef\xbb\xbfx", "x"),
            ("text/plain; charset=latin1", b"\xef\xbb\xbf\xc3\xa9", "é"),
            ("text/plain", b"caf\xc3\xa9 \xe9", "café \u{fffd}"),
            ("text/plain; charset=no-such", b"\xc3\xa9", "é"),
            ("text/plain; charset=hz-gb-2312", b"\xc3\xa9", "é"),
            ("text/plain; charset=", b"\xc3\xa9", "é"),
            ("text/plain; charset", b"\xc3\xa9", "é"),
        ] {
            assert_eq!(of(content_type).decode(body), text, "{content_type}");
        }
        assert_eq!(Charset::of(None).decode(b"\xc3\xa9"), "é");
    }

    #[test]
    fn json_is_read_in_any_of_its_encodings() {
        let plain = of("application/json");
        let le: Vec<u8> = "{\"ü\":1}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let be: Vec<u8> = "{\"ü\":1}"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        let wide = |to: fn(u32) -> [u8; 4]| -> Vec<u8> {
            "{\"ü\":1}"
                .chars()
                .flat_map(|letter| to(letter as u32))
                .collect()
        };
        let (le32, be32) = (wide(u32::to_le_bytes), wide(u32::to_be_bytes));
        let with = |mark: &[u8], body: &[u8]| [mark, body].concat();
        for body in [
            with(b"\xef\xbb\xbf", "{\"ü\":1}".as_bytes()),
            with(b"\xff\xfe", &le),
            with(b"\xfe\xff", &be),
            with(b"\xff\xfe\0\0", &le32),
            with(b"\0\0\xfe\xff", &be32),
            le,
            be,
            le32,
            be32,
        ] {
            assert_eq!(plain.json(&body).as_deref(), Some("{\"ü\":1}"), "{body:?}");
        }
        assert_eq!(plain.json(b"{\"\xfc\":1}"), None);
        let latin = of("application/json; charset=latin1");
        assert_eq!(latin.json(b"{\"\xfc\":1}").as_deref(), Some("{\"ü\":1}"));
        assert_eq!(plain.json(b"\0\0\xfe\xff\0\0\0"), None);
    }
}

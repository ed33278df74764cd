//! Percent-encoding: for the request line, and of parameters as a form sends them.
//!
//! Text in, bytes out; the parts of a URL belong to `url`.

/// Appends text percent-encoded for a request line and stops at a fragment. A `%` stays as it is,
/// so that nothing is encoded twice.
pub(super) fn push_encoded(target: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    if bytes.iter().all(|&byte| is_plain(byte)) {
        target.extend_from_slice(bytes);
        return;
    }
    for &byte in bytes {
        if byte == b'#' {
            return;
        }
        push_byte(target, byte, is_plain(byte));
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

/// Adds parameters as an HTML form would (`application/x-www-form-urlencoded`).
pub(super) fn push_params(target: &mut Vec<u8>, params: &[(String, String)]) {
    for (name, value) in params {
        match target.iter().position(|&byte| byte == b'?') {
            None => target.push(b'?'),
            Some(_) if matches!(target.last(), Some(b'?' | b'&')) => {}
            Some(_) => target.push(b'&'),
        }
        push_form(target, name);
        target.push(b'=');
        push_form(target, value);
    }
}

fn push_form(target: &mut Vec<u8>, text: &str) {
    for &byte in text.as_bytes() {
        if byte == b' ' {
            target.push(b'+');
        } else {
            let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_');
            push_byte(target, byte, plain);
        }
    }
}

fn push_byte(target: &mut Vec<u8>, byte: u8, plain: bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if plain {
        target.push(byte);
    } else {
        target.extend_from_slice(&[
            b'%',
            HEX[usize::from(byte >> 4)],
            HEX[usize::from(byte & 15)],
        ]);
    }
}

pub(super) fn decode_percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = (byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(hex.unwrap_or(byte));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str) -> String {
        let mut target = Vec::new();
        push_encoded(&mut target, text);
        String::from_utf8(target).unwrap()
    }

    #[test]
    fn what_may_not_be_sent_is_encoded_once() {
        assert_eq!(encoded("/ä b?c=\"é\"%20"), "/%C3%A4%20b?c=%22%C3%A9%22%20");
        assert_eq!(encoded("/x\r\ny#part"), "/x%0D%0Ay");
    }

    proptest! {
        #[test]
        fn decoding_undoes_the_encoding_of_a_form(text in "[^ ]*") {
            let mut target = Vec::new();
            push_form(&mut target, &text);
            prop_assert_eq!(decode_percent(&String::from_utf8(target).unwrap()), text);
        }
    }
}

//! Numbers as varints: LEB128, unsigned, so that small ones take a byte.
//!
//! The form of the timeline and of reports. What the numbers mean is not known here.

/// Appends a number.
#[inline]
pub(super) fn write(to: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        to.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    to.push(n.to_le_bytes()[0]);
}

/// Takes a number from the front; none if there is no whole one, or one of more than 64 bits.
#[inline]
pub(super) fn read(from: &mut &[u8]) -> Option<u64> {
    // Most are small.
    if let [byte @ 0..0x80, rest @ ..] = from {
        *from = rest;
        return Some(u64::from(*byte));
    }
    read_long(from)
}

fn read_long(from: &mut &[u8]) -> Option<u64> {
    let (mut n, mut shift) = (0, 0);
    loop {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 || shift > 63 {
            return None;
        }
        n |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(n);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_rest_stays() {
        proptest!(|(n in prop_oneof![any::<u64>(), 0..300_u64], rest in any::<[u8; 3]>())| {
            let mut bytes = Vec::new();
            write(&mut bytes, n);
            bytes.extend(rest);
            let mut from = &bytes[..];
            prop_assert_eq!(read(&mut from), Some(n));
            prop_assert_eq!(from, rest);
        });
    }

    #[test]
    fn what_is_cut_short_or_too_large_is_no_number() {
        assert_eq!(read(&mut &[][..]), None);
        assert_eq!(read(&mut &[0x80, 0xff][..]), None);
        let mut largest = [0xff; 10];
        largest[9] = 1;
        assert_eq!(read(&mut &largest[..]), Some(u64::MAX));
        largest[9] = 2;
        assert_eq!(read(&mut &largest[..]), None);
        assert_eq!(read(&mut &[0x80; 30][..]), None);
    }
}

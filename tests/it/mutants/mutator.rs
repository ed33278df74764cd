//! Damages bytes at random, the same way for the same seed and number.
//!
//! Knows lines, words and numbers, so that what comes out is often nearly right: that gets further
//! than noise does.

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Dice(u64);

impl Dice {
    /// Those of one mutant.
    pub(crate) fn of(seed: u64, number: usize) -> Dice {
        let mut dice = Dice(seed ^ (number as u64).wrapping_mul(0xd134_2543_de82_ef95));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Any number below that; 0 below 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let any = self.next() % (end.max(1) as u64);
        usize::try_from(any).unwrap()
    }

    pub(super) fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// Numbers at which arithmetic and limits turn over.
pub(super) const ODD_NUMBERS: [&str; 16] = [
    "0",
    "-0",
    "-1",
    "1e309",
    "1e-320",
    "0.0000001",
    "255",
    "256",
    "65536",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551616",
    "0x7fffffffffffffff",
    "99999999999999999999999999999999999999999999",
];

const ODD_BYTES: [&[u8]; 14] = [
    b"\0",
    b"\xff",
    b"\xc3",
    "\u{202e}".as_bytes(),
    "😀".as_bytes(),
    b"\r",
    b"\n",
    b"\t",
    b"\"",
    b"`",
    b"\\",
    b"${",
    b"/*",
    b"\x1b[2J",
];

/// One or more kinds of damage; `others` are texts of which a line may slip in, `numbers` what
/// numbers may become.
pub(super) fn mutant(
    dice: &mut Dice,
    text: &[u8],
    others: &[&[u8]],
    numbers: &[&str],
    most: usize,
) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=dice.below(most) {
        text = damaged(dice, &text, others, numbers);
    }
    text
}

fn damaged(dice: &mut Dice, text: &[u8], others: &[&[u8]], numbers: &[&str]) -> Vec<u8> {
    let kind = dice.below(13);
    match kind {
        // Lines: one left out, doubled, exchanged with another, or of another text.
        0..=3 => {
            let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
            if lines.is_empty() {
                return text.to_vec();
            }
            let (at, other) = (dice.below(lines.len()), dice.below(lines.len()));
            match kind {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[other]),
                2 => lines.swap(at, other),
                _ => {
                    let other = dice.one_of(others);
                    let others: Vec<_> = other.split_inclusive(|byte| *byte == b'\n').collect();
                    if !others.is_empty() {
                        lines.insert(at, others[dice.below(others.len())]);
                    }
                }
            }
            lines.concat()
        }
        // Words, in the same ways.
        4..=7 => {
            let mut words = words(text);
            if words.is_empty() {
                return text.to_vec();
            }
            let (at, other) = (dice.below(words.len()), dice.below(words.len()));
            match kind {
                4 => drop(words.remove(at)),
                5 => words.insert(at, words[other]),
                6 => words.swap(at, other),
                _ => words[at] = words[other],
            }
            words.concat()
        }
        8 => {
            let mut words = words(text);
            let is_number = |word: &&[u8]| word[0].is_ascii_digit();
            let places: Vec<_> = (0..words.len())
                .filter(|at| is_number(&words[*at]))
                .collect();
            if !places.is_empty() {
                words[places[dice.below(places.len())]] = dice.one_of(numbers).as_bytes();
            }
            words.concat()
        }
        // A word nested, sometimes more than can be good.
        9 => {
            let mut words: Vec<_> = words(text).into_iter().map(<[u8]>::to_vec).collect();
            if words.is_empty() {
                return text.to_vec();
            }
            let at = dice.below(words.len());
            let (open, close) = *dice.one_of(&[
                &("(", ")"),
                &("[", "]"),
                &("{", "}"),
                &("#{a:", "}"),
                &("-", ""),
                &("|x|", ""),
                &("if x {", "}"),
                &("task(||", ")"),
            ]);
            let depth = [1, 3, 70, 260, 5_000][dice.below(5)];
            let word = &words[at];
            words[at] = [
                open.repeat(depth).as_bytes(),
                word,
                close.repeat(depth).as_bytes(),
            ]
            .concat();
            words.concat()
        }
        // Bytes.
        _ => {
            let at = dice.below(text.len() + 1);
            let (before, after) = text.split_at(at);
            match kind {
                10 => [before, dice.one_of(&ODD_BYTES), after].concat(),
                11 if dice.below(4) == 0 => before.to_vec(),
                _ => {
                    let end = dice.below(after.len().min(20) + 1);
                    let mut odd = after[..end].to_vec();
                    if let Some(byte) = odd.first_mut() {
                        *byte ^= 1 << dice.below(8);
                    }
                    let keep = if kind == 11 { &odd[..] } else { &[] };
                    [before, keep, &after[end..]].concat()
                }
            }
        }
    }
}

/// Words, numbers, and everything between them one by one: together the whole text.
fn words(text: &[u8]) -> Vec<&[u8]> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    text.chunk_by(|a, b| is_word(*a) && is_word(*b)).collect()
}

#[test]
fn a_mutant_follows_from_its_seed_and_number() {
    let text = b"let a = 1;\nlet b = [a, 2];\n";
    let one = |seed, number| {
        mutant(
            &mut Dice::of(seed, number),
            text,
            &[b"x\n"],
            &ODD_NUMBERS,
            4,
        )
    };
    assert_eq!(one(1, 5), one(1, 5));
    let all: Vec<_> = (0..300).map(|number| one(1, number)).collect();
    assert!(all.iter().filter(|mutant| **mutant != text).count() > 250);
    assert_ne!((0..9).map(|n| one(2, n)).collect::<Vec<_>>(), all[..9]);
    assert_eq!(words(b"a1 =\n b;").len(), 7);
}

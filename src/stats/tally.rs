//! Counts of texts (failures, exceptions) with a bounded number of distinct ones.
//!
//! Texts are cleaned before they are compared, so that an address or a page of body in a message
//! does not make each one unique. Which texts count as what is decided elsewhere.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::trace::Trace;

/// The text under which an owner's texts beyond the limit are counted.
pub const OTHER_TEXTS: &str = "(other errors)";

/// Longer texts are cut here, in characters.
const MAX_CHARS: usize = 300;

/// A text and how often it occurred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TallyEntry {
    /// Whose text it is: an index that the keeper of the tally gives meaning to.
    pub(super) owner: u32,
    /// The cleaned text.
    pub(super) text: Arc<str>,
    /// Occurrences.
    pub(super) count: u64,
    /// First and last occurrence, µs since the run's epoch.
    pub(super) first_us: u64,
    /// See `first_us`.
    pub(super) last_us: u64,
    /// The call stack of the first occurrence, if its kind has one.
    pub(super) stack: Option<Arc<str>>,
    /// When they occurred; empty if that is not asked for.
    pub(super) trace: Trace,
}

impl TallyEntry {
    /// Adds `count` occurrences; `stack` is asked for only if the first of them is now the first of
    /// all, or as early: of those the least stays, so that any order comes to the same.
    fn add(
        &mut self,
        count: u64,
        (first_us, last_us): (u64, u64),
        stack: impl FnOnce() -> Option<Arc<str>>,
    ) {
        if self.count == 0 || first_us < self.first_us {
            self.stack = stack();
        } else if first_us == self.first_us {
            self.stack = match (self.stack.take(), stack()) {
                (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                (ours, theirs) => ours.or(theirs),
            };
        }
        if self.count == 0 {
            (self.first_us, self.last_us) = (first_us, last_us);
        }
        self.count += count;
        self.first_us = self.first_us.min(first_us);
        self.last_us = self.last_us.max(last_us);
    }
}

/// Texts by owner with their counts; at most `limit` distinct ones, then one more per owner.
#[derive(Debug)]
pub(super) struct Tally {
    numbers: HashMap<u32, HashMap<Arc<str>, u32>>,
    entries: Vec<TallyEntry>,
    /// Entries counted since they were last taken.
    touched: Vec<u32>,
    limit: usize,
    overflowed: bool,
}

impl Tally {
    /// A tally of at most `limit` distinct texts.
    pub(super) fn new(limit: usize) -> Tally {
        Tally {
            numbers: HashMap::new(),
            entries: Vec::new(),
            touched: Vec::new(),
            limit,
            overflowed: false,
        }
    }

    /// Counts one occurrence of `text`, whenever that was; does not allocate when the text is known
    /// and clean.
    pub(super) fn count(&mut self, owner: u32, text: &str) {
        let entry = self.entry(owner, &cleaned(text));
        entry.add(1, (0, 0), || None);
    }

    /// Likewise, at a moment of the run, with the call stack that `stack` makes: it is asked for only
    /// where it may be kept, about once for each text and batch.
    pub(super) fn count_at(
        &mut self,
        owner: u32,
        text: &str,
        at_us: u64,
        stack: impl FnOnce() -> Option<Arc<str>>,
    ) {
        let entry = self.entry(owner, &cleaned(text));
        entry.add(1, (at_us, at_us), stack);
        entry.trace.add(at_us / 1_000_000, 1);
    }

    /// Adds what another tally counted, under this one's number of its owner.
    pub(super) fn merge(&mut self, owner: u32, other: &TallyEntry) {
        let times = (other.first_us, other.last_us);
        let entry = self.entry(owner, &other.text);
        entry.add(other.count, times, || other.stack.clone());
        entry.trace.merge(&other.trace);
    }

    /// The entry of a text, to be counted.
    fn entry(&mut self, owner: u32, text: &str) -> &mut TallyEntry {
        let number = self.number(owner, text);
        let entry = &mut self.entries[number as usize];
        if entry.count == 0 {
            self.touched.push(number);
        }
        entry
    }

    fn number(&mut self, owner: u32, text: &str) -> u32 {
        let texts = self.numbers.entry(owner).or_default();
        if let Some(number) = texts.get(text) {
            return *number;
        }
        let fits = self.entries.len() < self.limit;
        self.overflowed |= !fits || text == OTHER_TEXTS;
        let text: Arc<str> = if fits {
            text.into()
        } else {
            OTHER_TEXTS.into()
        };
        if let Some(number) = texts.get(&text) {
            return *number;
        }
        let number = u32::try_from(self.entries.len()).expect("texts are bounded");
        texts.insert(Arc::clone(&text), number);
        self.entries.push(TallyEntry {
            owner,
            text,
            count: 0,
            first_us: 0,
            last_us: 0,
            stack: None,
            trace: Trace::default(),
        });
        number
    }

    /// Moves the counts since the last call to the end of `out`; the texts stay known.
    pub(super) fn take(&mut self, out: &mut Vec<TallyEntry>) {
        for number in self.touched.drain(..) {
            let entry = &mut self.entries[number as usize];
            out.push(entry.clone());
            entry.count = 0;
            entry.trace.clear();
        }
    }

    /// All texts ever counted, in the order they were first met.
    pub(super) fn entries(&self) -> &[TallyEntry] {
        &self.entries
    }

    /// Whether some texts were counted as [`OTHER_TEXTS`].
    pub(super) fn overflowed(&self) -> bool {
        self.overflowed
    }
}

/// The text with addresses (`0x` and four or more digits) masked as `0x…`, control characters as
/// spaces, and cut at [`MAX_CHARS`].
fn cleaned(text: &str) -> Cow<'_, str> {
    let is_clean =
        text.len() <= MAX_CHARS && !text.contains("0x") && !text.chars().any(char::is_control);
    if is_clean {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len().min(4 * MAX_CHARS));
    let mut rest = text;
    let mut chars = 0;
    while let Some(first) = rest.chars().next() {
        if chars == MAX_CHARS {
            clean.push('…');
            break;
        }
        let digits = rest.strip_prefix("0x").map_or(0, |tail| {
            tail.bytes().take_while(u8::is_ascii_hexdigit).count()
        });
        if digits >= 4 {
            clean.push_str("0x…");
            rest = &rest[2 + digits..];
        } else {
            clean.push(if first.is_control() { ' ' } else { first });
            rest = &rest[first.len_utf8()..];
        }
        chars += 1;
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_control_characters_and_length_do_not_make_a_text_unique() {
        assert_eq!(cleaned("connection refused"), "connection refused");
        assert_eq!(
            cleaned("<Foo at 0x7f3a90e2b0>, code 0x1f"),
            "<Foo at 0x…>, code 0x1f"
        );
        assert_eq!(cleaned("a\r\nb\tc"), "a  b c");
        let long = cleaned(&"ä".repeat(1_000)).into_owned();
        assert_eq!(long, "ä".repeat(300) + "…");
        assert_eq!(cleaned(&"ä".repeat(300)), "ä".repeat(300));
    }

    #[test]
    fn beyond_the_limit_each_owner_has_one_more_text_and_nothing_is_lost() {
        let mut tally = Tally::new(2);
        tally.count_at(1, "a", 10, || None);
        tally.count_at(1, "b", 20, || None);
        assert!(!tally.overflowed());
        for n in 0..5 {
            tally.count_at(1, &format!("c{n}"), 30 + n, || None);
            tally.count_at(2, &format!("d{n}"), 40 + n, || None);
        }
        tally.count_at(1, "a", 5, || None);

        let rows: Vec<(u32, &str, u64, u64, u64)> = tally
            .entries()
            .iter()
            .map(|e| (e.owner, &*e.text, e.count, e.first_us, e.last_us))
            .collect();
        assert_eq!(
            rows,
            [
                (1, "a", 2, 5, 10),
                (1, "b", 1, 20, 20),
                (1, OTHER_TEXTS, 5, 30, 34),
                (2, OTHER_TEXTS, 5, 40, 44),
            ]
        );
        assert!(tally.overflowed());
    }

    #[test]
    fn taking_hands_over_only_what_was_counted_since() {
        let mut tally = Tally::new(10);
        let mut out = Vec::new();
        tally.count_at(0, "a", 1, || None);
        tally.count_at(0, "b", 2, || None);
        tally.take(&mut out);
        tally.count_at(0, "b", 9, || None);
        tally.take(&mut out);
        tally.take(&mut out);

        let rows: Vec<_> = out
            .iter()
            .map(|e| (&*e.text, e.count, e.first_us))
            .collect();
        assert_eq!(rows, [("a", 1, 1), ("b", 1, 2), ("b", 1, 9)]);
    }

    #[test]
    fn the_stack_is_that_of_the_first_occurrence_in_whatever_order_they_come() {
        let part = |at_us: u64, stack: &str| {
            let mut tally = Tally::new(10);
            tally.count_at(0, "a", at_us, || Some(stack.into()));
            tally.count_at(0, "a", at_us + 1, || {
                panic!("a later one has no need of a stack")
            });
            let mut out = Vec::new();
            tally.take(&mut out);
            out.remove(0)
        };
        let parts = [part(30, "c"), part(10, "b"), part(10, "a"), part(20, "d")];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
            let mut sum = Tally::new(10);
            for at in order {
                sum.merge(0, &parts[at]);
            }
            let [entry] = sum.entries() else {
                panic!("{:?}", sum.entries())
            };
            let seen = (entry.count, entry.first_us, entry.last_us);
            assert_eq!((seen, entry.stack.as_deref()), ((8, 10, 31), Some("a")));
        }
    }
}

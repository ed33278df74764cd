//! The names under which samples add up, and the bounded table that numbers them.
//!
//! Knows nothing of what is measured. A script that puts ids into URLs fills the table up to its
//! bound; what comes later shares one row.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHasher;

/// The name of the row that takes every series beyond the limit.
pub const OTHER_NAMES: &str = "(other names)";

/// What a series measures.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Requests over HTTP.
    Http,
    /// A stretch of a task that the script measures as a whole; never part of the total.
    Group,
    /// Requests of a protocol that the script measures itself, under the text it gave.
    Protocol(Arc<str>),
    /// The sum of all requests: the kind of the summary's total, of no series.
    Total,
}

impl Kind {
    /// As in reports: `http`, `group`, the protocol's own text, or `total`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Kind::Http => "http",
            Kind::Group => "group",
            Kind::Protocol(text) => text,
            Kind::Total => "total",
        }
    }

    /// Whether samples of this kind make up the total.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self, Kind::Http | Kind::Protocol(_))
    }
}

/// What tells one series from another. Cloning copies no text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    /// The class whose users send it; `None` where classes are not kept apart.
    pub class: Option<Arc<str>>,
    /// The name, by default the URL's path.
    pub name: Arc<str>,
    /// The HTTP method, or what the script gave; may be empty.
    pub method: Arc<str>,
    /// What is measured.
    pub kind: Kind,
}

impl SeriesKey {
    /// The key of the given parts; copies the texts.
    #[must_use]
    pub fn new(kind: Kind, method: &str, name: &str) -> SeriesKey {
        SeriesKey {
            class: None,
            name: name.into(),
            method: method.into(),
            kind,
        }
    }

    fn is(&self, class: Option<&str>, kind: &Kind, method: &str, name: &str) -> bool {
        *self.name == *name
            && *self.method == *method
            && self.kind == *kind
            && self.class.as_deref() == class
    }
}

/// The number of a series within one recorder. Means nothing to another recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(u32);

impl SeriesId {
    pub(super) fn new(index: usize) -> SeriesId {
        SeriesId(u32::try_from(index).expect("series are bounded far below 4 billion"))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Numbers series in the order they are first met; bounded.
///
/// An open-addressing table because the standard map cannot be asked for a key of three borrowed
/// parts without building one. Nothing is ever removed.
#[derive(Debug)]
pub(super) struct SeriesTable {
    keys: Vec<SeriesKey>,
    /// Index into `keys` plus one; zero is free. At most half full.
    slots: Box<[u32]>,
    limit: usize,
    /// Rows of what did not fit: requests, groups.
    overflow: [Option<u32>; 2],
}

impl SeriesTable {
    /// A table of at most `limit` series and the overflow rows.
    pub(super) fn new(limit: usize) -> SeriesTable {
        let size = (2 * (limit + 2)).next_power_of_two();
        SeriesTable {
            keys: Vec::new(),
            slots: vec![0; size].into_boxed_slice(),
            limit,
            overflow: [None; 2],
        }
    }

    /// The number of that series: found without allocating when known, about 30 ns.
    pub(super) fn number(
        &mut self,
        class: Option<&str>,
        kind: &Kind,
        method: &str,
        name: &str,
    ) -> SeriesId {
        let mut hasher = FxHasher::default();
        (class, kind, method, name).hash(&mut hasher);
        let mask = self.slots.len() - 1;
        let mut slot = usize::try_from(hasher.finish() & mask as u64).expect("masked to the table");
        while self.slots[slot] != 0 {
            let index = self.slots[slot] - 1;
            if self.keys[index as usize].is(class, kind, method, name) {
                return SeriesId(index);
            }
            slot = (slot + 1) & mask;
        }
        // Another table's overflow row, met when batches are absorbed, joins this one's.
        if self.is_full() || (method.is_empty() && name == OTHER_NAMES) {
            return self.other(kind);
        }
        let id = self.define(SeriesKey {
            class: class.map(Arc::from),
            ..SeriesKey::new(kind.clone(), method, name)
        });
        self.slots[slot] = id.0 + 1;
        id
    }

    fn is_full(&self) -> bool {
        let others = self.overflow.iter().flatten().count();
        self.keys.len() - others >= self.limit
    }

    fn other(&mut self, kind: &Kind) -> SeriesId {
        let which = usize::from(!kind.is_request());
        if let Some(index) = self.overflow[which] {
            return SeriesId(index);
        }
        let kind = if kind.is_request() {
            Kind::Http
        } else {
            Kind::Group
        };
        let id = self.define(SeriesKey::new(kind, "", OTHER_NAMES));
        self.overflow[which] = Some(id.0);
        id
    }

    fn define(&mut self, key: SeriesKey) -> SeriesId {
        let id = SeriesId::new(self.keys.len());
        self.keys.push(key);
        id
    }

    /// Whether some series did not fit and shares a row named [`OTHER_NAMES`].
    pub(super) fn overflowed(&self) -> bool {
        self.overflow.iter().any(Option::is_some)
    }

    /// All keys, in the order of their numbers.
    pub(super) fn keys(&self) -> &[SeriesKey] {
        &self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_keeps_its_number() {
        let mut table = SeriesTable::new(10);
        let get = table.number(None, &Kind::Http, "GET", "/a");
        let post = table.number(None, &Kind::Http, "POST", "/a");
        let group = table.number(None, &Kind::Group, "", "/a");
        let own = table.number(None, &Kind::Protocol("mqtt".into()), "GET", "/a");

        let class = table.number(Some("Buyer"), &Kind::Http, "GET", "/a");

        assert_eq!(table.keys().len(), 5);
        assert_eq!(table.number(Some("Buyer"), &Kind::Http, "GET", "/a"), class);
        assert_eq!(table.keys()[class.index()].class.as_deref(), Some("Buyer"));
        assert_eq!(table.number(None, &Kind::Http, "GET", "/a"), get);
        assert_eq!(table.number(None, &Kind::Http, "POST", "/a"), post);
        assert_eq!(table.number(None, &Kind::Group, "", "/a"), group);
        assert_eq!(
            table.number(None, &Kind::Protocol("mqtt".into()), "GET", "/a"),
            own
        );
        assert!(!table.overflowed());
    }

    #[test]
    fn beyond_the_limit_requests_and_groups_share_a_row_each() {
        let mut table = SeriesTable::new(1_000);
        let ids: Vec<SeriesId> = (0..1_000)
            .map(|n| table.number(None, &Kind::Http, "GET", &format!("/item/{n}")))
            .collect();
        assert!(!table.overflowed());

        let other = table.number(None, &Kind::Http, "GET", "/item/1000");
        let mqtt = table.number(None, &Kind::Protocol("mqtt".into()), "PUB", "/x");
        let group = table.number(None, &Kind::Group, "", "/x");

        assert!(table.overflowed());
        assert_eq!(other, mqtt);
        assert_ne!(other, group);
        assert_eq!(
            table.keys()[other.index()],
            SeriesKey::new(Kind::Http, "", OTHER_NAMES)
        );
        assert_eq!(
            table.keys()[group.index()],
            SeriesKey::new(Kind::Group, "", OTHER_NAMES)
        );
        assert_eq!(table.keys().len(), 1_002);
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(
                table.number(None, &Kind::Http, "GET", &format!("/item/{n}")),
                *id
            );
        }
    }
}

//! What a new generation of the script takes over from the sources of the previous one.
//!
//! Owns which old declaration a new one continues. Reads no file.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::rows::Rows;
use super::sources::{Declared, FileAs, Format, Loaded, Origin, Source};
use super::text::Stamp;
use super::turns::{Mode, Turns};

/// What the old generation had, and what became of it.
pub(super) struct Before {
    files: HashMap<FileAs, Arc<Loaded>>,
    declared: HashMap<Declared, Arc<Source>>,
    /// The old declarations that a new one goes on from.
    continued: HashSet<Declared>,
    /// The files of new declarations that go on from none.
    begun: BTreeSet<PathBuf>,
}

impl Before {
    pub(super) fn new(
        files: HashMap<FileAs, Arc<Loaded>>,
        declared: HashMap<Declared, Arc<Source>>,
    ) -> Before {
        Before {
            files,
            declared,
            continued: HashSet::new(),
            begun: BTreeSet::new(),
        }
    }

    /// The file as it was read, if it had that content.
    pub(super) fn unchanged(
        &self,
        path: &Path,
        format: &Format,
        stamp: &Stamp,
    ) -> Option<Arc<Loaded>> {
        let loaded = self.files.get(&(path.to_owned(), format.clone()))?;
        (loaded.stamp == *stamp).then(|| loaded.clone())
    }

    /// The count that a declaration with these rows goes on with.
    pub(super) fn turns(&mut self, declared: &Declared, rows: &Arc<Rows>) -> Option<Arc<Turns>> {
        let goes_on = |old: &Source| Arc::ptr_eq(&old.rows, rows) || rows.continue_from(&old.rows);
        let same = self.declared.get_key_value(declared);
        let same = same.filter(|(_, old)| goes_on(old));
        let old = match &declared.origin {
            Origin::File(..) => same,
            // An array is known by its content alone: another that it begins with is its elder.
            Origin::Array(_) => same.or_else(|| {
                let all = self.declared.iter();
                let elders = all.filter(|(old, source)| {
                    matches!(old.origin, Origin::Array(_))
                        && old.mode == declared.mode
                        && !self.continued.contains(*old)
                        && goes_on(source)
                });
                // Those as long as the longest have the same content.
                elders.max_by_key(|(old, source)| {
                    (source.rows.count(), std::cmp::Reverse(old.repeated))
                })
            }),
        };
        match old {
            Some((old, source)) => {
                self.continued.insert(old.clone());
                Some(source.turns.among(rows.count() as u64))
            }
            None => {
                if let (Origin::File(path, _), true) = (&declared.origin, counts(declared.mode)) {
                    self.begun.insert(path.clone());
                }
                None
            }
        }
    }

    /// The files whose rows start again although some had been taken: their content changed, or
    /// their declaration.
    pub(super) fn restarted(self) -> Vec<PathBuf> {
        let left = self.declared.iter().filter(|(old, source)| {
            !self.continued.contains(*old) && counts(old.mode) && source.turns.taken() > 0
        });
        let paths: BTreeSet<_> = left
            .filter_map(|(old, _)| match &old.origin {
                Origin::File(path, _) => self.begun.get(path).cloned(),
                Origin::Array(_) => None,
            })
            .collect();
        paths.into_iter().collect()
    }
}

fn counts(mode: Mode) -> bool {
    mode != Mode::Random
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::task::Poll;

    use super::super::{CsvFormat, Fault, Row, Sources, Value};
    use super::*;

    const CSV: &str = "csv";

    fn file(sources: &Sources, path: &Path, mode: Mode) -> Result<Arc<Source>, Fault> {
        let format = match path.extension().and_then(|name| name.to_str()) {
            Some(CSV) => Format::Csv(CsvFormat::default()),
            Some("txt") => Format::Lines,
            _ => Format::Json,
        };
        sources.file(Declared {
            origin: Origin::File(path.to_owned(), format),
            mode,
            repeated: 0,
        })
    }

    fn array(sources: &Sources, values: &[i64], mode: Mode) -> Arc<Source> {
        let values = values.iter().copied().map(Value::from).collect();
        sources.array(values, mode, |_| 0).unwrap()
    }

    /// The number, from 1, of the row whose turn it is.
    fn next(source: &Source) -> Option<u64> {
        match source.turns.at_once(7) {
            Poll::Ready(row) => row.map(|row| row + 1),
            Poll::Pending => unreachable!("they are counted here"),
        }
    }

    #[test]
    fn rows_go_on_if_they_begin_with_the_old_ones() {
        use Mode::{Circular, Shuffle, Unique};
        const AB: &str = "id,name\n1,a\n2,b\n";
        // file, before, how many are taken, after, the next rows; whether it is told as restarted
        type Case<'a> = (
            &'a str,
            (Mode, &'a str),
            usize,
            (Mode, &'a str),
            [Option<u64>; 2],
            bool,
        );
        #[rustfmt::skip]
        let table: [Case; 22] = [
            ("a.csv", (Unique, AB), 1, (Unique, AB), [Some(2), None], false),
            ("a.csv", (Unique, AB), 2, (Unique, "id,name\n1,a\n2,b\n3,c\n"), [Some(3), None], false),
            // Who came too late has taken nothing.
            ("a.csv", (Unique, AB), 5, (Unique, "id,name\n1,a\n2,b\n3,c\n"), [Some(3), None], false),
            ("a.csv", (Circular, AB), 1, (Circular, "id,name\n1,a\n2,b\n3,c\n"), [Some(2), Some(3)], false),
            // The one after the last taken, however often it has gone round.
            ("a.csv", (Circular, AB), 3, (Circular, "id,name\n1,a\n2,b\n3,c\n4,d\n5,e\n"), [Some(2), Some(3)], false),
            ("a.csv", (Circular, AB), 4, (Circular, "id,name\n1,a\n2,b\n3,c\n"), [Some(3), Some(1)], false),
            ("a.csv", (Circular, AB), 3, (Circular, "id,name\n1,a\n2,b\n\n"), [Some(2), Some(1)], false),
            // Of a shuffle the round under way is ended first: 2, 1; 2 and now 1.
            ("a.csv", (Shuffle, AB), 3, (Shuffle, "id,name\n1,a\n2,b\n3,c\n"), [Some(1), Some(3)], false),
            // Written otherwise, the rows are the same.
            ("a.csv", (Unique, AB), 1, (Unique, "id,name\r\n\"1\",a\r\n\r\n2,b"), [Some(2), None], false),
            // A row that makes numbers text, or fractions.
            ("a.csv", (Unique, AB), 1, (Unique, "id,name\n1,a\n2,b\nx,c\n"), [Some(2), Some(3)], false),
            ("a.csv", (Unique, AB), 1, (Unique, "id,name\n1,a\n2,b\n0.5,c\n"), [Some(2), Some(3)], false),
            ("a.csv", (Unique, "a\n0.50\n"), 1, (Unique, "a\n0.50\nx\n"), [Some(2), None], false),
            ("a.csv", (Unique, "a,b\n1,\n"), 1, (Unique, "a,b\n1,\n,1\n,x\n"), [Some(2), Some(3)], false),
            ("a.csv", (Unique, AB), 1, (Unique, "id,name\n01,a\n2,b\n"), [Some(1), Some(2)], true),
            ("a.csv", (Unique, "a\n0.5\n"), 1, (Unique, "a\n00.5\n"), [Some(1), None], true),
            ("a.csv", (Unique, AB), 2, (Unique, "id,name\n1,a\n"), [Some(1), None], true),
            ("a.csv", (Unique, AB), 1, (Unique, "id,nick\n1,a\n2,b\n"), [Some(1), Some(2)], true),
            ("a.csv", (Unique, AB), 0, (Unique, "id,name\n2,b\n1,a\n"), [Some(1), Some(2)], false),
            ("a.csv", (Unique, AB), 1, (Circular, AB), [Some(1), Some(2)], true),
            ("a.txt", (Unique, "a\nb"), 2, (Unique, "a\nb\nc\n"), [Some(3), None], false),
            ("a.txt", (Unique, "a\nb"), 2, (Unique, "b\na\nc\n"), [Some(1), Some(2)], true),
            ("a.json", (Unique, "[1, {}]"), 2, (Unique, "[1,{},3]"), [Some(3), None], false),
        ];
        for (name, (mode, before), taken, (new_mode, after), expected, restarts) in table {
            let what = format!("{name}: {taken} of {before:?}, then {after:?}");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            fs::write(&path, before).unwrap();
            let old = Sources::default();
            let source = file(&old, &path, mode).unwrap();
            for _ in 0..taken {
                next(&source);
            }
            fs::write(&path, after).unwrap();
            let new = Sources::after(&old);
            let source = file(&new, &path, new_mode).unwrap();
            let told = if restarts { vec![path] } else { Vec::new() };
            assert_eq!(new.finish(), told, "{what}");
            assert_eq!([0, 1].map(|_| next(&source)), expected, "{what}");
        }
    }

    #[test]
    fn what_did_not_change_is_shared_with_users_of_the_old_generation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        fs::write(&path, "id\n1\n2\n3\n").unwrap();
        let first = Arc::new(Sources::default());
        let old = file(&first, &path, Mode::Unique).unwrap();
        let second = Sources::after(&first);
        let new = file(&second, &path, Mode::Unique).unwrap();
        assert!(Arc::ptr_eq(&old.rows, &new.rows), "parsed again");
        let turns = [&old, &new, &old, &new].map(|source| next(source));
        assert_eq!(turns, [Some(1), Some(2), Some(3), None]);

        fs::write(&path, "id\n1\n2\n3\n4\n").unwrap();
        let third = Sources::after(&second);
        let newest = file(&third, &path, Mode::Unique).unwrap();
        let turns = [&old, &newest, &newest].map(|source| next(source));
        assert_eq!(turns, [None, Some(4), None]);
        // The third generation holds the second until it is finished, and never the first.
        let rows = Arc::downgrade(&old.rows);
        drop((first, second, old, new));
        assert!(rows.upgrade().is_some());
        third.finish();
        assert!(rows.upgrade().is_none());
        assert!(matches!(newest.rows.get(3), Some(Row::Of(_, 3))));
    }

    #[test]
    fn another_process_goes_on_with_the_counts_that_others_know() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        fs::write(&path, "id\n1\n2\n").unwrap();
        let first = Sources::default();
        next(&file(&first, &path, Mode::Unique).unwrap());
        fs::write(&path, "id\n8\n9\n").unwrap();
        let second = Sources::after(&first);
        file(&second, &path, Mode::Unique).unwrap();
        assert_ne!(first.counted()[0].name, second.counted()[0].name);
        // One that has seen nothing of the first rows.
        let other = Sources::default();
        next(&file(&other, &path, Mode::Unique).unwrap());
        assert_eq!(other.counted()[0].name, first.counted()[0].name);
        other.go_on_as(&second.counted());
        assert_eq!(other.counted(), second.counted());
        // Rows that begin anew there have a count that nobody has had.
        fs::write(&path, "id\n5\n").unwrap();
        let third = Sources::after(&other);
        file(&third, &path, Mode::Unique).unwrap();
        for before in [&first, &second] {
            assert_ne!(third.counted()[0].name, before.counted()[0].name);
        }
    }

    #[test]
    fn a_declaration_more_is_no_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        fs::write(&path, "id\n1\n2\n").unwrap();
        let old = Sources::default();
        next(&file(&old, &path, Mode::Unique).unwrap());
        let new = Sources::after(&old);
        let more = file(&new, &path, Mode::Circular).unwrap();
        let same = file(&new, &path, Mode::Unique).unwrap();
        assert_eq!(next(&more), Some(1));
        assert_eq!(next(&same), Some(2));
        assert!(new.finish().is_empty());
    }

    #[test]
    fn arrays_go_on_from_the_longest_they_begin_with() {
        let mode = Mode::Unique;
        let old = Sources::default();
        for (values, taken) in [(&[1, 2][..], 1), (&[1, 2, 3], 3), (&[9], 1)] {
            let source = array(&old, values, mode);
            for _ in 0..taken {
                next(&source);
            }
        }
        let new = Sources::after(&old);
        assert_eq!(next(&array(&new, &[1, 2, 3, 4], mode)), Some(4));
        assert_eq!(next(&array(&new, &[1, 2], mode)), Some(2));
        assert_eq!(next(&array(&new, &[8], mode)), Some(1));
        let other = Mode::Circular;
        assert_eq!(next(&array(&new, &[9], other)), Some(1));
        assert!(new.finish().is_empty());
    }

    #[test]
    fn what_failed_is_an_error_and_a_path_to_watch() {
        let folder = tempfile::tempdir().unwrap();
        let [good, bad, gone] = ["b.csv", "c.csv", "a.csv"].map(|name| folder.path().join(name));
        fs::write(&good, "id\n1\n").unwrap();
        fs::write(&bad, "id\n1\n").unwrap();
        let old = Sources::default();
        for path in [&good, &bad] {
            next(&file(&old, path, Mode::Unique).unwrap());
        }
        fs::write(&bad, "id\n1,2\n").unwrap();
        let refused = Sources::after(&old);
        let fault = file(&refused, &bad, Mode::Unique).unwrap_err();
        assert!(
            fault.message.contains("row 1 (line 2) has 2 values"),
            "{fault}"
        );
        let fault = file(&refused, &gone, Mode::Unique).unwrap_err();
        assert!(fault.message.contains("there is no such file"), "{fault}");
        file(&refused, &good, Mode::Unique).unwrap();
        assert_eq!(refused.paths(), [&gone, &good, &bad].map(PathBuf::clone));
        // The old generation is as it was: the next attempt goes on from it.
        fs::write(&bad, "id\n1\n2\n").unwrap();
        let new = Sources::after(&old);
        let source = file(&new, &bad, Mode::Unique).unwrap();
        assert_eq!(next(&source), Some(2));
        assert_eq!(new.paths(), [bad]);
    }
}

//! Which rows belong to turns, as editions of a script know them.
//!
//! Owns the course for each number of rows: settled when the first turn for them is asked for, and
//! the same for all who ask later. How courses follow from each other is `data`'s.

use serde::{Deserialize, Serialize};

use crate::data::{Course, Mode};

/// The rows of a source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RowCourses {
    mode: Mode,
    editions: Vec<Rows>,
}

/// So many of them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Rows {
    rows: u64,
    /// The course of those to which they were appended.
    before: Option<Course>,
    course: Option<Course>,
}

impl RowCourses {
    pub(super) fn new(mode: Mode) -> RowCourses {
        RowCourses {
            mode,
            editions: Vec::new(),
        }
    }

    /// There are so many rows, which begin with those before.
    pub(super) fn declare(&mut self, rows: u64, taken: u64) {
        if self.editions.iter().any(|edition| edition.rows == rows) {
            return;
        }
        let last = self.editions.last_mut();
        let before = last.map(|last| last.course(self.mode, taken));
        self.editions.push(Rows {
            rows,
            before,
            course: None,
        });
    }

    /// The course of so many rows, of which the first turn comes after `taken` others.
    pub(super) fn course(&mut self, rows: u64, taken: u64) -> Option<Course> {
        let mut editions = self.editions.iter_mut();
        let edition = editions.find(|edition| edition.rows == rows)?;
        Some(edition.course(self.mode, taken))
    }
}

impl Rows {
    fn course(&mut self, mode: Mode, taken: u64) -> Course {
        let settled = || Course::settled(mode, self.before, self.rows, taken);
        *self.course.get_or_insert_with(settled)
    }
}

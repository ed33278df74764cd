//! The way in of what happened when, in a report that is a sum of many.
//!
//! Owns what is checked of it.

use std::sync::Arc;

use super::read::{Bounds, Damaged, Reader};
use crate::stats::baseline::Past;
use crate::stats::history::Second;
use crate::stats::timeline::Remembered;

impl Reader<'_> {
    pub(super) fn past(&mut self, series: usize, bounds: Bounds) -> Result<Past, Damaged> {
        let seconds = self.map(|from| Ok((from.second(bounds)?, from.counts()?)))?;
        Ok(Past {
            seconds: seconds.into_iter().collect(),
            stretches: self.list(|from| from.remembered(series, bounds))?,
        })
    }

    fn counts(&mut self) -> Result<Second, Damaged> {
        let mut numbers = [0; 15];
        for number in &mut numbers {
            *number = self.count()?;
        }
        Ok(Second::of_numbers(numbers))
    }

    fn remembered(&mut self, series: usize, bounds: Bounds) -> Result<Remembered, Damaged> {
        let from = self.second(bounds)?;
        let id = self.index(series, "a series without a name")?;
        let figures: Arc<[u8]> = self.bytes()?.into();
        let remembered = Remembered {
            from,
            id: u32::try_from(id).map_err(|_| Damaged("too many series"))?,
            figures,
        };
        match remembered.is_sound() {
            true => Ok(remembered),
            false => Err(Damaged("a stretch that is not what it adds up to")),
        }
    }
}

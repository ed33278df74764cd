//! A sheet: the encoded figures of all series that have something in one stretch, in one piece of
//! memory, which is written once and then shared.
//!
//! What the figures mean is not known here, nor which stretch they are of.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::figures::{Figures, read};
use crate::stats::varint::write;

/// An index of the series' numbers, ascending, and the length of what each has; then all that.
#[derive(Clone, Debug)]
pub(super) struct Sheet(Arc<[u8]>);

impl Sheet {
    /// Bytes it takes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What it has, by ascending number.
    pub(super) fn pieces(&self) -> Pieces<'_> {
        let mut rest = &self.0[..];
        let length = usize::try_from(read(&mut rest)).expect("it is in memory");
        let (index, figures) = rest.split_at(length);
        Pieces {
            index,
            figures,
            id: 0,
        }
    }

    /// What it has of a series.
    pub(super) fn find(&self, wanted: u32) -> Option<&[u8]> {
        let mut from_there = self.pieces().skip_while(|(id, _)| *id < wanted);
        let (id, piece) = from_there.next()?;
        (id == wanted).then_some(piece)
    }

    /// The sum of several.
    pub(super) fn merged<'a>(sheets: impl Iterator<Item = &'a Sheet>) -> Sheet {
        let mut writer = Writer::default();
        let (mut sum, mut more) = (Figures::default(), Figures::default());
        each_series(sheets, |id, pieces| {
            if let [one] = pieces {
                writer.piece(id, |to| to.extend_from_slice(one));
                return;
            }
            add_up(pieces, &mut sum, &mut more);
            writer.piece(id, |to| sum.encode(to));
        });
        writer.done()
    }
}

/// `sum` becomes the sum of those pieces of one series; `spare` is room.
pub(super) fn add_up(pieces: &[&[u8]], sum: &mut Figures, spare: &mut Figures) {
    sum.clear();
    for piece in pieces {
        spare.decode(piece);
        sum.merge(spare);
    }
}

/// Gives each series that any of the sheets has, by ascending number, with all its pieces.
pub(super) fn each_series<'a>(
    sheets: impl Iterator<Item = &'a Sheet>,
    mut found: impl FnMut(u32, &[&'a [u8]]),
) {
    let mut all: Vec<Pieces<'a>> = sheets.map(Sheet::pieces).collect();
    let mut next = BinaryHeap::with_capacity(all.len());
    let mut nexts = Vec::with_capacity(all.len());
    for (nth, pieces) in all.iter_mut().enumerate() {
        let first = pieces.next();
        next.extend(first.map(|(id, _)| Reverse((id, nth))));
        nexts.push(first.map_or(&[][..], |(_, piece)| piece));
    }
    let mut pieces = Vec::new();
    while let Some(Reverse((id, nth))) = next.pop() {
        pieces.push(nexts[nth]);
        if let Some((id, piece)) = all[nth].next() {
            nexts[nth] = piece;
            next.push(Reverse((id, nth)));
        }
        if next.peek().is_none_or(|Reverse((other, _))| *other != id) {
            found(id, &pieces);
            pieces.clear();
        }
    }
}

/// Goes through a sheet.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    index: &'a [u8],
    figures: &'a [u8],
    id: u32,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<(u32, &'a [u8])> {
        if self.index.is_empty() {
            return None;
        }
        self.id += u32::try_from(read(&mut self.index)).expect("rows are bounded");
        let length = usize::try_from(read(&mut self.index)).expect("it is in memory");
        let (piece, rest) = self.figures.split_at(length);
        self.figures = rest;
        Some((self.id, piece))
    }
}

/// Writes a sheet; series come by ascending number.
#[derive(Debug, Default)]
pub(super) struct Writer {
    index: Vec<u8>,
    figures: Vec<u8>,
    last: u32,
}

impl Writer {
    /// Adds what a series has.
    pub(super) fn piece(&mut self, id: u32, encode: impl FnOnce(&mut Vec<u8>)) {
        let start = self.figures.len();
        encode(&mut self.figures);
        write(&mut self.index, u64::from(id - self.last));
        write(&mut self.index, (self.figures.len() - start) as u64);
        self.last = id;
    }

    /// The sheet.
    pub(super) fn done(self) -> Sheet {
        let mut whole = Vec::with_capacity(5 + self.index.len() + self.figures.len());
        write(&mut whole, self.index.len() as u64);
        whole.extend_from_slice(&self.index);
        whole.extend_from_slice(&self.figures);
        Sheet(whole.into())
    }
}

//! Reports: each is counted once, in order.
//!
//! Owns which report is the next of a worker, and what is said of those that came. Counting and
//! counting up are one step, so a report is never counted twice, whatever is sent again.

use std::ops::ControlFlow;

use super::{Master, MasterAction};
use crate::cluster::hello::Conn;
use crate::cluster::message::{Numbers, Standing};

impl<R: Clone> Master<R> {
    /// A report came; it breaks if its worker keeps no rules.
    pub(super) fn counted(
        &mut self,
        worker: u32,
        conn: Conn,
        numbers: Numbers<R>,
    ) -> ControlFlow<()> {
        let Some(record) = self.records.get_mut(&worker) else {
            return ControlFlow::Break(());
        };
        let is_next = match record.applied {
            // It was told that all of it is wanted as one sum; what it had sent before is in there.
            None => numbers.is_baseline,
            Some(applied) if numbers.number <= applied => false,
            Some(applied) if numbers.number == applied + 1 && !numbers.is_baseline => true,
            Some(_) => return ControlFlow::Break(()),
        };
        if is_next {
            record.applied = Some(numbers.number);
            record.samples = record.samples.saturating_add(numbers.sums.samples);
            record.started = record.started.saturating_add(numbers.sums.started);
            self.actions
                .push(MasterAction::Count(worker, numbers.report));
        }
        self.acknowledge(worker, conn);
        self.look_at_farewell(worker);
        ControlFlow::Continue(())
    }

    fn acknowledge(&mut self, worker: u32, conn: Conn) {
        let has_file = self.file.is_some() && self.ends.is_none();
        let record = self.records.get(&worker);
        if let Some(Standing::Applied(applied)) = record.map(|record| record.standing(has_file)) {
            self.actions.push(MasterAction::Applied(conn, applied));
        }
    }

    /// The file is on the disk.
    pub(super) fn saved(&mut self) {
        let Some(statement) = self.file else {
            return;
        };
        let mut told = Vec::new();
        for (worker, record) in &mut self.records {
            record.saved();
            told.extend(record.conn.map(|conn| (*worker, conn)));
        }
        for (worker, conn) in told {
            self.acknowledge(worker, conn);
            self.look_at_farewell(worker);
        }
        let answers = self.ranges.are_kept(statement);
        self.answer(answers);
    }
}

//! What one load thread records, and how it reaches the collector.
//!
//! Owns when a batch leaves. Both queues are bounded: when that of full batches has no room, the
//! recorder keeps what it has and folds; when no emptied one has come back, a batch is allocated.

use std::cell::RefCell;

use tokio::sync::mpsc;

use super::batch::Batch;
use super::recorder::Recorder;

/// A recorder and the two queues of its batches.
#[derive(Debug)]
pub struct Outbox {
    recorder: RefCell<Recorder>,
    /// To the collector.
    full: mpsc::Sender<Batch>,
    /// From the collector.
    spare: RefCell<mpsc::Receiver<Batch>>,
    /// Whether requests count; everything else always does.
    pub counts_requests: bool,
}

impl Outbox {
    /// Full batches of `recorder` go to `full`, emptied ones come from `spare`.
    #[must_use]
    pub fn new(
        recorder: Recorder,
        full: mpsc::Sender<Batch>,
        spare: mpsc::Receiver<Batch>,
    ) -> Outbox {
        Outbox {
            recorder: RefCell::new(recorder),
            full,
            spare: RefCell::new(spare),
            counts_requests: true,
        }
    }

    /// Records something; the closure must not keep the recorder. Also returns whether the batch
    /// should be handed over now rather than at the next tick.
    #[inline]
    pub fn record<R>(&self, record: impl FnOnce(&mut Recorder) -> R) -> (R, bool) {
        let mut recorder = self.recorder.borrow_mut();
        let result = record(&mut recorder);
        (result, recorder.is_full())
    }

    /// Sends what was recorded to the collector, as `finish` leaves it; keeps it if the queue is
    /// full.
    pub fn hand_over(&self, finish: impl FnOnce(&mut Batch)) {
        if let Ok(permit) = self.full.try_reserve() {
            self.send(permit, finish);
        }
    }

    /// Sends what was recorded, and waits for room in the queue: for the end of the run, when
    /// nothing may be kept.
    pub async fn hand_over_all(&self, finish: impl FnOnce(&mut Batch)) {
        if let Ok(permit) = self.full.reserve().await {
            self.send(permit, finish);
        }
    }

    fn send(&self, permit: mpsc::Permit<'_, Batch>, finish: impl FnOnce(&mut Batch)) {
        let spare = self.spare.borrow_mut().try_recv().ok();
        let mut batch = self.recorder.borrow_mut().take(spare);
        finish(&mut batch);
        permit.send(match self.counts_requests {
            true => batch,
            false => batch.without_samples(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::stats::{Kind, Limits, Outcome, Sample};

    /// An outbox whose batches are full with two samples, and its queue with one batch.
    fn outbox() -> (Outbox, mpsc::Receiver<Batch>, mpsc::Sender<Batch>) {
        let limits = Limits {
            samples: 2,
            ..Limits::default()
        };
        let (full, batches) = mpsc::channel(1);
        let (emptied, spare) = mpsc::channel(1);
        let outbox = Outbox::new(Recorder::new(0, limits), full, spare);
        (outbox, batches, emptied)
    }

    fn request(recorder: &mut Recorder) {
        let series = recorder.series(&Kind::Http, "GET", "/a");
        recorder.record(Sample::new(series, 1, Outcome::Success, 5));
    }

    #[test]
    fn a_full_batch_is_kept_while_the_queue_has_no_room_and_buffers_go_round() {
        let (outbox, mut batches, emptied) = outbox();
        let finished = Cell::new(0);
        let finish = |_: &mut Batch| finished.set(finished.get() + 1);
        let is_full = || outbox.record(request).1;
        assert_eq!([is_full(), is_full()], [false, true]);
        outbox.hand_over(finish);
        assert_eq!([is_full(), is_full()], [false, true]);
        outbox.hand_over(finish);
        assert_eq!(finished.get(), 1, "there is no room for the second");

        let mut first = batches.try_recv().unwrap();
        assert_eq!(first.samples.len(), 2);
        first.clear();
        let buffer = first.samples.as_ptr();
        emptied.try_send(first).unwrap();
        outbox.hand_over(finish);
        assert_eq!(batches.try_recv().unwrap().samples.len(), 2);
        assert!(!is_full());
        outbox.hand_over(finish);
        let third = batches.try_recv().unwrap();
        assert_eq!((third.samples.len(), third.samples.as_ptr()), (1, buffer));
        assert_eq!(finished.get(), 3);
    }

    #[test]
    fn requests_alone_are_left_out() {
        let (mut outbox, mut batches, _emptied) = outbox();
        outbox.counts_requests = false;
        outbox.record(request);
        outbox.record(Recorder::iteration_started);
        outbox.hand_over(|_| {});
        let batch = batches.try_recv().unwrap();
        assert_eq!((batch.samples.len(), batch.defined.len()), (0, 0));
        assert_eq!(batch.iterations.started, 1);
    }
}

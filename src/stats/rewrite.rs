//! Changing the texts of a batch before it leaves its thread, to hide what must not be shown.
//!
//! Owns which texts there are. What is a secret, and what stands for it, the caller says.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::Batch;
use super::custom_metrics::{CustomMetrics, FloatHistogram};
use super::series::Kind;

impl Batch {
    /// Gives every text in it to `rewrite`: names, protocols, failures, exceptions with their
    /// call stacks, checks. `None` leaves it. A text is in a batch when it is first met, or counted, not with each sample.
    pub fn rewrite(&mut self, rewrite: impl Fn(&str) -> Option<String>) {
        let change = |text: &mut Arc<str>| {
            if let Some(other) = rewrite(text) {
                *text = other.into();
            }
        };
        for key in &mut self.defined {
            key.class.iter_mut().for_each(change);
            change(&mut key.name);
            change(&mut key.method);
            if let Kind::Protocol(protocol) = &mut key.kind {
                change(protocol);
            }
        }
        self.errors.iter_mut().for_each(|it| change(&mut it.text));
        self.checks.iter_mut().for_each(|it| change(&mut it.text));
        for (place, exception) in &mut self.exceptions {
            change(place);
            change(&mut exception.text);
            exception.stack.iter_mut().for_each(change);
        }
        if let Some(custom) = &mut self.custom {
            custom.rename(change);
        }
    }
}

impl CustomMetrics {
    /// Gives figures other names; those that get the same are one from then on.
    fn rename(&mut self, change: impl Fn(&mut Arc<str>)) {
        let renamed = |name: &Arc<str>| {
            let mut new = name.clone();
            change(&mut new);
            new
        };
        if self
            .counters
            .keys()
            .chain(self.metrics.keys())
            .all(|name| renamed(name) == *name)
        {
            return;
        }
        for (name, count) in std::mem::take(&mut self.counters) {
            let total = self.counters.entry(renamed(&name)).or_default();
            *total = u64::saturating_add(*total, count);
        }
        let mut metrics: BTreeMap<Arc<str>, FloatHistogram> = BTreeMap::new();
        for (name, spread) in std::mem::take(&mut self.metrics) {
            metrics.entry(renamed(&name)).or_default().merge(&spread);
        }
        self.metrics = metrics;
    }
}

#[cfg(test)]
mod tests {
    use crate::stats::{Collector, Kind, Limits, Outcome, Recorder, Sample};

    #[test]
    fn all_texts_are_rewritten_and_nothing_is_lost() {
        let mut recorder = Recorder::new(0, Limits::default());
        for secret in ["s3cret", "s3crets"] {
            for kind in [Kind::Http, Kind::Protocol(format!("p-{secret}").into())] {
                let series = recorder.series(&kind, &format!("GET{secret}"), &format!("/{secret}"));
                recorder.record(Sample::new(series, 1, Outcome::Failure, 5));
                recorder.error(series, 5, &format!("why {secret}"));
            }
            let place = format!("{secret}.rhai:1:1");
            recorder.exception(5, &format!("boom {secret}"), &place, || {
                Some(format!("f ({place})\ng ({place})").into())
            });
            recorder.check(&format!("is {secret}"), true);
            recorder.count_own(&format!("c {secret}"), 2);
            recorder.measure_own(&format!("m {secret}"), 1.0);
        }
        let mut batch = recorder.take(None);
        batch.rewrite(|text| {
            let is_secret = text.contains("s3cret");
            is_secret.then(|| text.replace("s3crets", "*").replace("s3cret", "*"))
        });
        let mut collector = Collector::new(Limits::default());
        collector.absorb(batch);
        let summary = collector.summary(9);
        let shown = format!("{summary:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert_eq!(summary.total.requests, 4);
        let stack = summary.exceptions[0].stack.as_deref();
        assert_eq!(stack, Some("f (*.rhai:1:1)\ng (*.rhai:1:1)"));
        assert_eq!(summary.requests.len(), 2);
        assert_eq!((summary.counters.len(), summary.counters[0].total), (1, 4));
        assert_eq!((summary.metrics.len(), summary.metrics[0].count), (1, 2));
        assert_eq!((summary.checks.len(), summary.checks[0].passes), (1, 2));
    }
}

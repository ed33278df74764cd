//! The environment, as far as scripts see it.
//!
//! Owns what is known of which variable. On a worker that is less than on the machine of the script:
//! only variables whose names stand in the script, or that its top level has read, are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Variables by name; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    values: Arc<BTreeMap<String, String>>,
    /// Which ones could be here; `None` for all.
    sent: Option<Arc<BTreeSet<String>>>,
    /// What top levels have read.
    read: Arc<Mutex<BTreeSet<String>>>,
}

/// Nobody can say whether a variable is set: it was not sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotSent;

impl<I: Into<BTreeMap<String, String>>> From<I> for Environment {
    fn from(values: I) -> Environment {
        Environment {
            values: Arc::new(values.into()),
            ..Environment::default()
        }
    }
}

impl Environment {
    /// On a worker: variables, those that are not set too.
    #[must_use]
    pub fn sent(variables: &BTreeMap<String, Option<String>>) -> Environment {
        let set = variables.iter();
        let set = set.filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        Environment {
            values: Arc::new(set.collect()),
            sent: Some(Arc::new(variables.keys().cloned().collect())),
            read: Arc::default(),
        }
    }

    /// What is to be sent to workers: these variables, and those that top levels have read.
    #[must_use]
    pub fn asked_for(&self, names: &BTreeSet<String>) -> BTreeMap<String, Option<String>> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let names = names.iter().chain(&*read);
        let with_value = |name: &String| (name.clone(), self.values.get(name).cloned());
        names.map(with_value).collect()
    }

    pub(crate) fn get(&self, name: &str) -> Result<Option<String>, NotSent> {
        match &self.sent {
            Some(sent) if !sent.contains(name) => Err(NotSent),
            _ => Ok(self.values.get(name).cloned()),
        }
    }

    /// As `get`, for a top level.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, NotSent> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(name.to_owned());
        drop(read);
        self.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_sent_is_not_taken_for_unset() {
        let here = Environment::from(
            [("HOME", "a"), ("KEY", "b"), ("OTHER", "c")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        assert_eq!(here.read("KEY"), Ok(Some("b".to_owned())));
        assert_eq!(here.get("NONE"), Ok(None));
        let names = ["HOME", "UNSET"].map(str::to_owned).into();
        let there = Environment::sent(&here.asked_for(&names));
        assert_eq!(there.get("HOME"), Ok(Some("a".to_owned())));
        assert_eq!(there.get("KEY"), Ok(Some("b".to_owned())));
        assert_eq!(there.get("UNSET"), Ok(None));
        assert_eq!(there.get("OTHER"), Err(NotSent));
    }
}

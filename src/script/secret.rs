//! What must not be shown: secret parameters and what came from the environment.
//!
//! Owns the list of one program and hiding it in texts for people. What a script sends is its own
//! affair: nothing is hidden from a target.

use std::cell::RefCell;
use std::rc::Rc;

/// What stands for a secret.
pub(super) const MASK: &str = "***";

/// Shorter values of the environment are no secrets: `1` or `dev` would be hidden everywhere.
const SHORTEST: usize = 4;

/// The secrets of one program. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets(Rc<RefCell<Vec<String>>>);

impl Secrets {
    /// A value that a person called secret.
    pub(super) fn add(&self, value: &str) {
        let mut all = self.0.borrow_mut();
        if value.is_empty() || all.iter().any(|known| known == value) {
            return;
        }
        // The longest first: one may be part of another.
        let place = all.partition_point(|known| known.len() >= value.len());
        all.insert(place, value.to_owned());
    }

    /// Those of another program too.
    pub(super) fn add_all(&self, others: &Secrets) {
        if Rc::ptr_eq(&self.0, &others.0) {
            return;
        }
        for value in &*others.0.borrow() {
            self.add(value);
        }
    }

    /// A value of the environment: perhaps a secret, so it is treated as one.
    pub(super) fn add_from_environment(&self, value: &str) {
        if value.len() >= SHORTEST {
            self.add(value);
        }
    }

    /// The text without secrets.
    pub(super) fn mask(&self, mut text: String) -> String {
        for secret in &*self.0.borrow() {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_secret_is_hidden_first() {
        let secrets = Secrets::default();
        secrets.add("tok");
        secrets.add("token-1");
        secrets.add("token-1");
        let masked = secrets.mask("a token-1 and a tok".to_owned());
        assert_eq!(masked, "a *** and a ***");
    }

    #[test]
    fn short_words_of_the_environment_stay() {
        let secrets = Secrets::default();
        secrets.add_from_environment("dev");
        secrets.add_from_environment("s3cr3t");
        secrets.add("");
        assert_eq!(secrets.mask("dev s3cr3t".to_owned()), "dev ***");
    }
}

//! What must not be shown: secret parameters and what came from the environment.
//!
//! Owns the list of one program and hiding it in texts for people. What a script sends is its own
//! affair: nothing is hidden from a target.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use crate::http::without_credentials;

/// What stands for a secret.
pub(crate) const MASK: &str = "***";

/// Shorter values of the environment do not count as secrets: `1` or `dev` would be hidden
/// everywhere.
const SHORTEST: usize = 4;

/// The secrets of one program. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets(Rc<RefCell<Vec<String>>>);

impl Secrets {
    /// A value that a person called secret.
    pub(crate) fn add(&self, value: &str) {
        self.insert(value);
        // As it stands in the URLs that it is sent in.
        let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        self.insert(&encoded);
        self.insert(&encoded.replace('+', "%20"));
    }

    fn insert(&self, value: &str) {
        let mut all = self.0.borrow_mut();
        if value.is_empty() || all.iter().any(|known| known == value) {
            return;
        }
        // The longest first: one may be part of another.
        let place = all.partition_point(|known| known.len() >= value.len());
        all.insert(place, value.to_owned());
    }

    /// Those of another program too.
    pub(crate) fn add_all(&self, others: &Secrets) {
        if Rc::ptr_eq(&self.0, &others.0) {
            return;
        }
        for value in &*others.0.borrow() {
            self.insert(value);
        }
    }

    /// A value of the environment, or a secret's default: treated as a secret, since it may be one.
    pub(crate) fn add_if_long(&self, value: &str) {
        if value.len() >= SHORTEST {
            self.add(value);
        }
    }

    /// All of them, the longest first.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// A script's text to be shown beside a finding: as long as it is, so that columns stay.
    pub(crate) fn cover(&self, mut text: String) -> String {
        for secret in &*self.0.borrow() {
            // `1` or `dev` would be covered everywhere.
            if secret.len() >= SHORTEST && text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), &"*".repeat(secret.chars().count()));
            }
        }
        text
    }

    /// The text without secrets if there are some in it, also as [`Secrets::mask`] finds them.
    pub(crate) fn hidden(&self, text: &str) -> Option<String> {
        let has_secret = || self.0.borrow().iter().any(|it| text.contains(it.as_str()));
        let has_url = matches!(without_credentials(text), Cow::Owned(_));
        (has_url || has_secret()).then(|| self.mask(text.to_owned()))
    }

    /// The text without secrets, and without what stands before the host in a URL.
    pub(crate) fn mask(&self, mut text: String) -> String {
        if let Cow::Owned(hidden) = without_credentials(&text) {
            text = hidden;
        }
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
    fn a_secret_is_hidden_as_it_stands_in_a_url() {
        let secrets = Secrets::default();
        secrets.add("p w/1");
        let masked = secrets.mask("/x?a=p+w%2F1 /p%20w%2F1 http://u:p@h".to_owned());
        assert_eq!(masked, "/x?a=*** /*** http://***@h");
        assert_eq!(secrets.hidden("nothing @ here"), None);
        assert_eq!(secrets.cover("p w/1!".to_owned()), "*****!");
    }

    #[test]
    fn short_words_of_the_environment_stay() {
        let secrets = Secrets::default();
        secrets.add_if_long("dev");
        secrets.add_if_long("s3cr3t");
        secrets.add("");
        assert_eq!(secrets.mask("dev s3cr3t".to_owned()), "dev ***");
    }
}

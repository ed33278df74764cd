//! URLs in texts for people: without the user and password that they may carry.
//!
//! Owns finding them in any text. Reading the credentials that a request is sent with belongs to
//! `url`.

use std::borrow::Cow;

/// What is shown instead of them.
const MASK: &str = "***";

/// The text with `***` in place of what stands before the `@` of a URL in it.
#[must_use]
pub fn without_credentials(text: &str) -> Cow<'_, str> {
    if !text.contains('@') || !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, authority) = rest.split_at(at + "://".len());
        hidden.push_str(before);
        let is_end = |letter: char| "/?#\\\"'`<>".contains(letter) || letter.is_whitespace();
        let end = authority.find(is_end).unwrap_or(authority.len());
        let host = authority[..end].rfind('@').unwrap_or(0);
        if host > 0 {
            hidden.push_str(MASK);
        }
        rest = &authority[host..];
    }
    hidden.push_str(rest);
    Cow::Owned(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_host_is_hidden() {
        for (text, shown) in [
            ("http://a:b@h/x", "http://***@h/x"),
            (
                "see `https://tok@h:1`, http://h and a@b",
                "see `https://***@h:1`, http://h and a@b",
            ),
            ("http://a:p@ss@h?x=@", "http://***@h?x=@"),
            ("http://h/@x http://u:p@h", "http://h/@x http://***@h"),
            ("http://@h ://@", "http://@h ://@"),
            ("mail me@home", "mail me@home"),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }
}

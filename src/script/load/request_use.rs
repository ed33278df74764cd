//! Whether a script reads what its requests were sent with: `r.request`.
//!
//! Looks only at the text; `api/sent` keeps what was sent.

use super::bundle::Bundle;

/// Whether a script of the bundle may read `.request` of something.
pub(crate) fn reads_requests(bundle: &Bundle) -> bool {
    bundle.files().iter().any(|file| reads_request(&file.text))
}

/// Looks for `.request` that is not called, whatever it is of: a comment costs a little, a
/// property that was overlooked would be wrong.
fn reads_request(text: &str) -> bool {
    text.match_indices("request").any(|(at, word)| {
        let before = text[..at].trim_end();
        let after = &text[at + word.len()..];
        let goes_on = after.starts_with(|next: char| next.is_alphanumeric() || next == '_');
        before.ends_with('.') && !goes_on && !after.trim_start().starts_with('(')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_property_counts() {
        for text in [
            "r.request",
            "r.request.url",
            "r\n  . request;",
            "r?.request",
        ] {
            assert!(reads_request(text), "{text}");
        }
        for text in [
            "this.client.request(\"GET\", \"/\")",
            "c.request (\"GET\", \"/\")",
            "on(\"request\", f)",
            "r.requests",
            "my_request",
        ] {
            assert!(!reads_request(text), "{text}");
        }
    }
}

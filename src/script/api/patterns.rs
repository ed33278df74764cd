//! Regular expressions and CSS selectors of scripts: compiled once a thread, run where there is
//! stack enough.
//!
//! Owns the cache and the errors for invalid patterns.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::{Regex, RegexBuilder};
use rhai::{Dynamic, EvalAltResult, ImmutableString};
use scraper::Selector;
use scraper::error::SelectorErrorKind;

use crate::coroutine;
use crate::script::run::failure::Control;
use crate::script::run::slices::aside;

/// Patterns that a thread keeps compiled. Those of a script are few; one that makes new ones all
/// the time makes it forget them all now and then.
const KEPT: usize = 200;

/// Bytes of text times bytes of a pattern: matching is linear in both, and this takes some 45 ms at
/// worst, far less as a rule. `(?i)(?:\pL|,){100}!` took 90 s for 8 MB.
const MOST_AT_ONCE: usize = 20_000_000_000;

/// Compiled patterns by their text. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Patterns(Rc<RefCell<HashMap<ImmutableString, Compiled>>>);

/// What a text was compiled to; few are used as both.
#[derive(Default)]
struct Compiled {
    regex: Option<Rc<Pattern>>,
    selector: Option<Rc<Selector>>,
}

/// A regular expression and how large it is, in bytes.
struct Pattern {
    regex: Regex,
    size: usize,
}

impl Patterns {
    /// What `pattern` finds first in `text`: its first group if it has one, else the whole match;
    /// `()` if there is nothing.
    ///
    /// # Errors
    /// When the pattern is invalid, and when the user is cancelled.
    pub(crate) fn find(&self, text: &str, pattern: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        let found = self.searched(text, pattern, |regex, text| {
            if regex.captures_len() == 1 {
                return regex.find(text).map(|found| found.range());
            }
            let captures = regex.captures(text)?;
            captures.get(1).map(|found| found.range())
        })?;
        Ok(found.map_or(Dynamic::UNIT, |found| {
            ImmutableString::from(&text[found]).into()
        }))
    }

    /// Like [`Patterns::find`], for every match, as an array.
    ///
    /// # Errors
    /// As [`Patterns::find`].
    pub(crate) fn find_all(
        &self,
        text: &str,
        pattern: &str,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let found = self.searched(text, pattern, |regex, text| {
            let group = usize::from(regex.captures_len() > 1);
            let places = regex.captures_iter(text);
            let ranges = places.filter_map(|found| Some(found.get(group)?.range()));
            ranges.collect::<Vec<_>>()
        })?;
        let texts = found
            .into_iter()
            .map(|found| ImmutableString::from(&text[found]).into());
        Ok(texts.collect::<rhai::Array>().into())
    }

    /// What `search` makes of a text: at once, or where that might take long on a thread of its
    /// own.
    fn searched<R: Send + 'static>(
        &self,
        text: &str,
        pattern: &str,
        search: impl Fn(&Regex, &str) -> R + Send + 'static,
    ) -> Result<R, Box<EvalAltResult>> {
        // Compiling and matching take more stack than a user may have left.
        let found = coroutine::on_thread_stack(|| {
            let pattern = self.compiled(pattern)?;
            let is_short = text.len().saturating_mul(pattern.size) <= MOST_AT_ONCE;
            Ok::<_, String>(match is_short {
                true => Ok(search(&pattern.regex, text)),
                false => Err(pattern),
            })
        });
        match found.map_err(|_| Control::Cancelled)?? {
            Ok(found) => Ok(found),
            Err(pattern) => {
                let (regex, text) = (pattern.regex.clone(), text.to_owned());
                aside(move || search(&regex, &text))
            }
        }
    }

    fn compiled(&self, pattern: &str) -> Result<Rc<Pattern>, String> {
        self.kept(pattern, |compiled| &mut compiled.regex, measured)
    }

    /// A CSS selector, compiled. Needs the thread's stack.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn selector(&self, selector: &str) -> Result<Rc<Selector>, String> {
        self.kept(
            selector,
            |compiled| &mut compiled.selector,
            compile_selector,
        )
    }

    fn kept<P>(
        &self,
        text: &str,
        place: impl Fn(&mut Compiled) -> &mut Option<Rc<P>>,
        compile: impl Fn(&str) -> Result<P, String>,
    ) -> Result<Rc<P>, String> {
        let mut kept = self.0.borrow_mut();
        if let Some(known) = kept.get_mut(text).and_then(|known| place(known).clone()) {
            return Ok(known);
        }
        let made = Rc::new(compile(text)?);
        if kept.len() == KEPT && !kept.contains_key(text) {
            kept.clear();
        }
        let compiled = kept.entry(text.into()).or_default();
        *place(compiled) = Some(made.clone());
        Ok(made)
    }
}

/// A pattern compiled within the smallest limit that it fits into.
fn measured(pattern: &str) -> Result<Pattern, String> {
    let sizes = [16 << 10, 64 << 10, 256 << 10, 1 << 20];
    let fitting = sizes.into_iter().find_map(|size| {
        let regex = RegexBuilder::new(pattern).size_limit(size).build();
        Some(Pattern {
            regex: regex.ok()?,
            size,
        })
    });
    match fitting {
        Some(pattern) => Ok(pattern),
        None => Ok(Pattern {
            regex: compile(pattern)?,
            size: 10 << 20,
        }),
    }
}

/// A pattern compiled.
///
/// # Errors
/// That it is none, and why, in one line.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        let text = error.to_string();
        // The last line says what; the others draw the pattern.
        let why = text.lines().last().unwrap_or_default();
        let why = why.strip_prefix("error: ").unwrap_or(why);
        format!("`{pattern}` is not a regular expression: {why}")
    })
}

/// A CSS selector compiled.
///
/// # Errors
/// That it is none, and why, in one line.
pub(crate) fn compile_selector(selector: &str) -> Result<Selector, String> {
    Selector::parse(selector).map_err(|error| {
        let why = match &error {
            SelectorErrorKind::UnexpectedToken => "something unexpected in it".to_owned(),
            SelectorErrorKind::EndOfLine => "it ends too early".to_owned(),
            // Displayed, these are several lines about the library.
            SelectorErrorKind::UnexpectedSelectorParseError(kind) => words(&format!("{kind:?}")),
            other => other.to_string().to_lowercase(),
        };
        format!("`{selector}` is not a CSS selector: {why}")
    })
}

/// `EmptySelector` becomes `empty selector`; what follows the name is left out.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars().take_while(char::is_ascii_alphanumeric) {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_search_does_not_keep_the_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build_local(tokio::runtime::LocalOptions::default());
        runtime.unwrap().block_on(async {
            let stacks = coroutine::Stacks::new(1);
            let mut user = coroutine::Coroutine::new(
                stacks.take().unwrap(),
                coroutine::Label::default(),
                || {
                    let text = "ab,c".repeat(2_000);
                    Patterns::default()
                        .find(&text, r"(?i)(?:\pL|,){100}!")
                        .map(drop)
                },
            );
            let is_over = std::future::poll_fn(|cx| {
                let user = std::pin::Pin::new(&mut user);
                std::task::Poll::Ready(std::future::Future::poll(user, cx).is_ready())
            });
            assert!(!is_over.await, "it is searched aside");
            user.cancel();
            let error = user.await.unwrap_err();
            assert!(
                matches!(*error, EvalAltResult::ErrorTerminated(..)),
                "{error}"
            );
        });
    }

    #[test]
    fn what_is_found_aside_is_the_same() {
        let patterns = Patterns::default();
        let text = format!("{}id=17;id=18;", "x".repeat(300_000));
        let pattern = r"id=(\w{1,9})";
        assert!(text.len() * patterns.compiled(pattern).unwrap().size > MOST_AT_ONCE);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build_local(tokio::runtime::LocalOptions::default());
        runtime.unwrap().block_on(async {
            let stacks = coroutine::Stacks::new(1);
            let found = coroutine::Coroutine::new(
                stacks.take().unwrap(),
                coroutine::Label::default(),
                move || {
                    let first = patterns.find(&text, pattern).unwrap();
                    let all = patterns.find_all(&text, pattern).unwrap();
                    // Where nothing may wait, as in a listener.
                    let still =
                        coroutine::without_waiting(|| patterns.find(&text, pattern).unwrap());
                    format!("{first} {all} {still}")
                },
            );
            assert_eq!(found.await, r#"17 ["17", "18"] 17"#);
        });
    }

    #[test]
    fn the_first_group_is_found_or_else_the_whole() {
        let patterns = Patterns::default();
        let find = |text, pattern| patterns.find(text, pattern).unwrap().to_string();
        assert_eq!(find("id=17;", r"id=(\d+)"), "17");
        assert_eq!(find("id=17;", r"\d+"), "17");
        assert_eq!(find("id=17;", "x"), "");
        assert!(patterns.find("b", "(a)?b").unwrap().is_unit());
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        let wrong = Patterns::default()
            .find("x", "a(b")
            .unwrap_err()
            .to_string();
        assert_eq!(
            wrong,
            "Runtime error: `a(b` is not a regular expression: unclosed group"
        );
        let large = compile(r"\w{500}{500}").unwrap_err();
        assert!(large.contains("size limit"), "{large}");
    }

    #[test]
    fn what_is_no_selector_is_named() {
        let patterns = Patterns::default();
        for wrong in ["", "a[", "p::", "a:nonsense", "div >"] {
            let said = patterns.selector(wrong).unwrap_err();
            let start = format!("`{wrong}` is not a CSS selector: ");
            let why = said.strip_prefix(&start).unwrap_or_default();
            assert!(!why.is_empty() && !why.contains('\n'), "{said}");
        }
        assert!(patterns.0.borrow().is_empty());
    }

    #[test]
    fn a_text_may_be_both_and_is_compiled_once() {
        let patterns = Patterns::default();
        let (regex, selector) = (patterns.compiled("a"), patterns.selector("a"));
        assert!(Rc::ptr_eq(
            &regex.unwrap(),
            &patterns.compiled("a").unwrap()
        ));
        assert!(Rc::ptr_eq(
            &selector.unwrap(),
            &patterns.selector("a").unwrap()
        ));
        assert_eq!(patterns.0.borrow().len(), 1);
    }

    #[test]
    fn no_more_than_some_are_kept() {
        let patterns = Patterns::default();
        for number in 0..KEPT + 3 {
            patterns.compiled(&format!("x{number}")).unwrap();
        }
        assert_eq!(patterns.0.borrow().len(), 3);
    }
}

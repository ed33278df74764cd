//! Regular expressions and CSS selectors of scripts: compiled once a thread, run where there is
//! stack enough.
//!
//! Owns the cache and what is said of a pattern that is none. What is searched is the caller's.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::Regex;
use rhai::{Dynamic, EvalAltResult, ImmutableString};
use scraper::Selector;
use scraper::error::SelectorErrorKind;

use super::failure::Control;
use crate::coroutine;

/// Patterns that a thread keeps compiled. Those of a script are few; one that makes new ones all
/// the time makes it forget them all now and then.
const KEPT: usize = 200;

/// Compiled patterns by their text. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Patterns(Rc<RefCell<HashMap<ImmutableString, Compiled>>>);

/// What a text was compiled to; few are used as both.
#[derive(Default)]
struct Compiled {
    regex: Option<Rc<Regex>>,
    selector: Option<Rc<Selector>>,
}

impl Patterns {
    /// What `pattern` finds first in `text`: its first group if it has one, else the whole match;
    /// `()` if there is nothing.
    ///
    /// # Errors
    /// When it is no pattern, and when the user is cancelled.
    pub(super) fn find(&self, text: &str, pattern: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        // The matcher takes more stack than a user may have left.
        let found = coroutine::on_thread_stack(|| {
            let regex = self.compiled(pattern)?;
            if regex.captures_len() == 1 {
                return Ok(regex.find(text).map(|found| found.as_str()));
            }
            let captures = regex.captures(text);
            Ok(captures
                .and_then(|captures| captures.get(1))
                .map(|found| found.as_str()))
        });
        match found {
            Ok(Ok(found)) => {
                Ok(found.map_or(Dynamic::UNIT, |found| ImmutableString::from(found).into()))
            }
            Ok(Err(wrong)) => {
                let wrong: String = wrong;
                Err(wrong.into())
            }
            Err(_) => Err(Control::Cancelled.into()),
        }
    }

    /// The same of all places, as an array.
    ///
    /// # Errors
    /// As [`Patterns::find`].
    pub(super) fn find_all(
        &self,
        text: &str,
        pattern: &str,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let found = coroutine::on_thread_stack(|| -> Result<rhai::Array, String> {
            let regex = self.compiled(pattern)?;
            let group = usize::from(regex.captures_len() > 1);
            let places = regex.captures_iter(text);
            Ok(places
                .filter_map(|found| Some(ImmutableString::from(found.get(group)?.as_str()).into()))
                .collect())
        });
        Ok(found.map_err(|_| Control::Cancelled)??.into())
    }

    fn compiled(&self, pattern: &str) -> Result<Rc<Regex>, String> {
        self.kept(pattern, |compiled| &mut compiled.regex, compile)
    }

    /// A CSS selector, compiled. Needs the thread's stack.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn selector(&self, selector: &str) -> Result<Rc<Selector>, String> {
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

/// A pattern compiled.
///
/// # Errors
/// That it is none, and why, in one line.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
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
pub(super) fn compile_selector(selector: &str) -> Result<Selector, String> {
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

//! What a script finds in a response: by regular expression, by CSS selector, in its forms.
//!
//! Owns the members of responses and what the value of a form's field is; `patterns` compiles and
//! matches.

use rhai::{Dynamic, Engine, ImmutableString};
use scraper::ElementRef;

use super::patterns::Patterns;
use super::response::Response;
use crate::coroutine;
use crate::script::results::Result;
use crate::script::run::failure::Control;
use crate::script::run::slices::sliced;

/// Elements that are looked at between two looks at the clock.
const AT_ONCE: usize = 16;

/// Registers what this file owns.
pub(crate) fn register(engine: &mut Engine, patterns: &Patterns) {
    let [first, all, text, attribute] = [(); 4].map(|()| patterns.clone());
    engine
        .register_fn(
            "find",
            move |r: &mut Response, pattern: &str| -> Result<Dynamic> {
                first.find(&r.0.text()?, pattern)
            },
        )
        .register_fn(
            "find_all",
            move |r: &mut Response, pattern: &str| -> Result<Dynamic> {
                all.find_all(&r.0.text()?, pattern)
            },
        )
        .register_fn(
            "css",
            move |r: &mut Response, selector: &str| -> Result<Dynamic> {
                css(&text, r, selector, |element| Some(text_of(element)))
            },
        )
        .register_fn(
            "css",
            move |r: &mut Response, selector: &str, name: &str| -> Result<Dynamic> {
                css(&attribute, r, selector, |element| {
                    element.attr(name).map(str::to_owned)
                })
            },
        )
        .register_fn(
            "form_value",
            |r: &mut Response, name: &str| -> Result<Dynamic> {
                let mut fields = elements(r.0.html()?.root_element());
                let found = sliced(|| {
                    for _ in 0..AT_ONCE {
                        match fields.next() {
                            None => return Some(None),
                            Some(field) => match value_of(field, name) {
                                None => {}
                                value => return Some(value),
                            },
                        }
                    }
                    None
                });
                Ok(or_unit(found?))
            },
        );
}

/// What `read` takes of the first element that a selector finds.
fn css(
    patterns: &Patterns,
    r: &Response,
    selector: &str,
    read: impl Fn(ElementRef<'_>) -> Option<String>,
) -> Result<Dynamic> {
    let selector = coroutine::on_thread_stack(|| patterns.selector(selector));
    let selector = selector.map_err(|_| Control::Cancelled)??;
    let mut nodes = r.0.html()?.tree.nodes();
    let found = sliced(|| {
        for _ in 0..AT_ONCE {
            let Some(node) = nodes.next() else {
                return Some(None);
            };
            let element = ElementRef::wrap(node).filter(|_| node.parent().is_some());
            if let Some(element) = element.filter(|element| selector.matches(element)) {
                return Some(read(element));
            }
        }
        None
    });
    Ok(or_unit(found?))
}

fn or_unit(found: Option<String>) -> Dynamic {
    found.map_or(Dynamic::UNIT, |found| ImmutableString::from(found).into())
}

/// The text inside an element, without the white space around it.
fn text_of(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect();
    text.trim().to_owned()
}

/// What a browser would send for a field, if it has that name and a value.
fn value_of(field: ElementRef<'_>, name: &str) -> Option<String> {
    if field.attr("name") != Some(name) {
        return None;
    }
    let value = |default: &str| Some(field.attr("value").unwrap_or(default).to_owned());
    match field.value().name() {
        "input" => {
            let kind = field.attr("type").unwrap_or_default();
            if !["checkbox", "radio"]
                .iter()
                .any(|it| kind.eq_ignore_ascii_case(it))
            {
                return value("");
            }
            field.attr("checked").and_then(|_| value("on"))
        }
        "textarea" => Some(field.text().collect()),
        "select" => chosen(field),
        "button" => value(""),
        _ => None,
    }
}

/// The value of the option that is selected, or else of the first.
fn chosen(select: ElementRef<'_>) -> Option<String> {
    let options = || elements(select).filter(|element| element.value().name() == "option");
    let selected = options().find(|option| option.attr("selected").is_some());
    let option = selected.or_else(|| options().find(|it| it.attr("disabled").is_none()))?;
    let value = option.attr("value").map(str::to_owned);
    Some(value.unwrap_or_else(|| text_of(option)))
}

/// An element and all inside it, in the order of the page.
fn elements(of: ElementRef<'_>) -> impl Iterator<Item = ElementRef<'_>> {
    of.descendants().filter_map(ElementRef::wrap)
}

#[cfg(test)]
mod tests {
    use scraper::Html;

    use super::*;

    #[test]
    fn a_field_has_the_value_that_a_browser_would_send() {
        let page = Html::parse_document(
            r#"<form><input name=token type=hidden value="a&amp;b"><input name=empty>
            <input type=radio name=size value=s><input type=RADIO name=size value=m checked>
            <input type=checkbox name=yes checked><input type=checkbox name=no>
            <textarea name=note>
one
two</textarea>
            <select name=land><option value=at>Austria<option value=fi selected>Finland</select>
            <select name=first><option disabled>Choose<option> One </select>
            <select name=none></select><meta name=viewport content=x></form>"#,
        );
        for (name, value) in [
            ("token", Some("a&b")),
            ("empty", Some("")),
            ("size", Some("m")),
            ("yes", Some("on")),
            ("no", None),
            ("note", Some("one\ntwo")),
            ("land", Some("fi")),
            ("first", Some("One")),
            ("none", None),
            ("viewport", None),
            ("absent", None),
        ] {
            let mut fields = elements(page.root_element());
            let found = fields.find_map(|field| value_of(field, name));
            assert_eq!(found.as_deref(), value, "{name}");
        }
    }
}

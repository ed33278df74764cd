//! Pages as HTML: parsed in slices, within a bound on the work that this is.
//!
//! A parser of HTML looks through all open elements at nearly every tag, so nesting makes it
//! quadratic: 50,000 unclosed `<div>` (250 KB) took 16 s. Browsers cut trees at a depth
//! of 512; here such a page is an error, since a tree that differs from the page would mislead.

use std::borrow::Cow;
use std::cell::Cell;

use html5ever::driver::{ParseOpts, parse_document};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, QualName};
use scraper::{Html, HtmlTreeSink};

use crate::script::run::failure::Control;
use crate::script::run::slices::sliced;

/// Bytes that the parser gets at once: the bound and the time are looked at after each.
const PIECE: usize = 512;

/// Looks at open elements: some 0.2 s. Besides it each byte of the page pays for some.
const MOST_WORK: u64 = 10_000_000;
const WORK_A_BYTE: u64 = 20;

/// Elements that a byte may make, and how many are free: a tag opens all formatting again that was
/// left open, so that 5 bytes may make thousands.
const ELEMENTS_A_BYTE: u64 = 1;
const FREE_ELEMENTS: u64 = 100_000;

/// The page of that text.
///
/// # Errors
/// When the user is cancelled. Within: that the page is too much work.
pub(crate) fn parsed(text: &str) -> Result<Result<Box<Html>, String>, Control> {
    let mut parser = parse_document(Counted::new(), ParseOpts::default());
    let mut rest = text;
    let length = text.len() as u64;
    let most_work = MOST_WORK + WORK_A_BYTE * length;
    let most_elements = FREE_ELEMENTS + ELEMENTS_A_BYTE * length;
    let is_within = sliced(|| {
        if rest.is_empty() {
            return Some(true);
        }
        // No letter is longer than four bytes, so this is never nothing.
        let (piece, later) = rest.split_at(rest.floor_char_boundary(PIECE));
        parser.process(piece.into());
        rest = later;
        let counted = &parser.tokenizer.sink.sink;
        counted.count_depth();
        let is_over = counted.work.get() > most_work || counted.elements.get() > most_elements;
        is_over.then_some(false)
    })?;
    if !is_within {
        return Ok(Err(format!(
            "this page is not read as HTML: its elements are nested too deep (in its first {} \
             bytes; most are never closed?); `find` takes any text",
            text.len() - rest.len()
        )));
    }
    // What is left is closing what is open.
    let page = sliced_once(move || parser.finish())?;
    Ok(Ok(Box::new(page)))
}

fn sliced_once<R>(work: impl FnOnce() -> R) -> Result<R, Control> {
    let mut work = Some(work);
    sliced(|| work.take().map(|work| work()))
}

type HtmlNode = <HtmlTreeSink as TreeSink>::Handle;

/// A tree that counts what is done with it.
struct Counted {
    tree: HtmlTreeSink,
    /// How often an element was looked at.
    work: Cell<u64>,
    elements: Cell<u64>,
    /// How many there were when their depth was counted last.
    before: Cell<u64>,
    last: Cell<Option<HtmlNode>>,
}

impl Counted {
    fn new() -> Counted {
        Counted {
            tree: HtmlTreeSink::new(Html::new_document()),
            work: Cell::new(0),
            elements: Cell::new(0),
            before: Cell::new(0),
            last: Cell::new(None),
        }
    }

    fn looked(&self) {
        self.work.set(self.work.get() + 1);
    }

    /// Counts as work how deep the last elements are: formatting elements are compared with all
    /// that are open, which the tree does not see.
    fn count_depth(&self) {
        let new = self.elements.get() - self.before.replace(self.elements.get());
        let Some(last) = self.last.get().filter(|_| new > 0) else {
            return;
        };
        let tree = self.tree.0.borrow();
        let depth = tree
            .tree
            .get(last)
            .map_or(0, |node| node.ancestors().count());
        self.work.set(self.work.get() + new * depth as u64);
    }
}

/// All as the tree itself does it.
impl TreeSink for Counted {
    type Output = Html;
    type Handle = HtmlNode;
    type ElemName<'a> = <HtmlTreeSink as TreeSink>::ElemName<'a>;

    fn finish(self) -> Html {
        self.tree.finish()
    }

    fn parse_error(&self, message: Cow<'static, str>) {
        self.tree.parse_error(message);
    }

    fn get_document(&self) -> HtmlNode {
        self.tree.get_document()
    }

    fn elem_name<'a>(&'a self, target: &'a HtmlNode) -> Self::ElemName<'a> {
        self.looked();
        self.tree.elem_name(target)
    }

    fn create_element(
        &self,
        name: QualName,
        attributes: Vec<Attribute>,
        flags: ElementFlags,
    ) -> HtmlNode {
        let made = self.tree.create_element(name, attributes, flags);
        self.elements.set(self.elements.get() + 1);
        self.last.set(Some(made));
        made
    }

    fn create_comment(&self, text: StrTendril) -> HtmlNode {
        self.tree.create_comment(text)
    }

    fn create_pi(&self, target: StrTendril, data: StrTendril) -> HtmlNode {
        self.tree.create_pi(target, data)
    }

    fn append(&self, parent: &HtmlNode, child: NodeOrText<HtmlNode>) {
        self.tree.append(parent, child);
    }

    fn append_based_on_parent_node(
        &self,
        element: &HtmlNode,
        before: &HtmlNode,
        child: NodeOrText<HtmlNode>,
    ) {
        self.tree
            .append_based_on_parent_node(element, before, child);
    }

    fn append_doctype_to_document(&self, name: StrTendril, public: StrTendril, system: StrTendril) {
        self.tree.append_doctype_to_document(name, public, system);
    }

    fn mark_script_already_started(&self, node: &HtmlNode) {
        self.tree.mark_script_already_started(node);
    }

    fn get_template_contents(&self, target: &HtmlNode) -> HtmlNode {
        self.tree.get_template_contents(target)
    }

    fn same_node(&self, one: &HtmlNode, other: &HtmlNode) -> bool {
        self.looked();
        self.tree.same_node(one, other)
    }

    fn set_quirks_mode(&self, mode: QuirksMode) {
        self.tree.set_quirks_mode(mode);
    }

    fn append_before_sibling(&self, sibling: &HtmlNode, new: NodeOrText<HtmlNode>) {
        self.tree.append_before_sibling(sibling, new);
    }

    fn add_attrs_if_missing(&self, target: &HtmlNode, attributes: Vec<Attribute>) {
        self.tree.add_attrs_if_missing(target, attributes);
    }

    fn remove_from_parent(&self, target: &HtmlNode) {
        self.tree.remove_from_parent(target);
    }

    fn reparent_children(&self, node: &HtmlNode, parent: &HtmlNode) {
        self.tree.reparent_children(node, parent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Result<Box<Html>, String> {
        parsed(text).expect("nobody cancels it")
    }

    #[test]
    fn a_page_in_pieces_is_the_page() {
        let text = "<!doctype html><title>ä</title><table><b>x<tr><td>é<p>€</b><select><option>1\
                    </table>&amp; <template><i>t</i></template>"
            .repeat(40);
        assert_eq!(*page(&text).unwrap(), Html::parse_document(&text));
    }

    #[test]
    fn ordinary_pages_are_far_from_the_bound() {
        for one in [
            "<p>one<p>two</p>",
            "<li><a href=/x><b>x</b></a>",
            "<tr><td>1<td><select><option>2</select>",
            "<div><div><div><div><span>x</span></div></div></div></div>",
        ] {
            let text = format!("<ul><table>{}", one.repeat(3_000));
            assert!(page(&text).is_ok(), "{one}");
        }
    }

    #[test]
    fn nesting_is_bounded_however_it_is_made() {
        let numbered =
            |count: usize| -> String { (0..count).map(|n| format!("<b id={n}>")).collect() };
        let reopened = format!("<p>{}</p>{}", numbered(500), "<p>x".repeat(20_000));
        for text in [
            "<div>".repeat(20_000),
            "<span></x>".repeat(20_000),
            numbered(20_000),
            reopened,
        ] {
            let wrong = page(&text).map(|_| ()).unwrap_err();
            assert!(wrong.contains("nested too deep"), "{wrong}");
        }
        // Deeper than browsers go, and yet no trouble.
        assert!(page(&"<div>".repeat(1_000)).is_ok());
    }
}

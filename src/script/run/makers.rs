//! Which users of a load thread make a value of `once` now.
//!
//! Owns telling that one does so already: `once` inside itself would wait for itself.

use std::cell::RefCell;
use std::rc::Rc;

/// A user's number and the name of what it makes.
type Maker = (u64, Box<str>);

/// Users that make a value. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Makers(Rc<RefCell<Vec<Maker>>>);

/// A user makes a value for as long as this lives.
pub(crate) struct MakerGuard {
    makers: Makers,
    maker: Maker,
}

impl Makers {
    /// That user begins to make that value.
    pub(crate) fn begin(&self, user: u64, name: &str) -> MakerGuard {
        let maker = (user, Box::from(name));
        self.0.borrow_mut().push(maker.clone());
        MakerGuard {
            makers: self.clone(),
            maker,
        }
    }

    /// Whether that user makes the value of that name.
    pub(crate) fn has(&self, user: u64, name: &str) -> bool {
        let makers = self.0.borrow();
        makers
            .iter()
            .any(|(maker, made)| *maker == user && **made == *name)
    }
}

impl Drop for MakerGuard {
    fn drop(&mut self) {
        let mut makers = self.makers.0.borrow_mut();
        makers.retain(|other| *other != self.maker);
    }
}

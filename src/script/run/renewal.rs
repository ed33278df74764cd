//! Renewing a user under an edited script: what it keeps and what it gets.
//!
//! Owns moving one user from its generation to the one in service. `vu` calls it between two
//! iterations.
//!
//! | | |
//! |---|---|
//! | `this` | kept; new keys get their initial values, and so does a key whose initial value is now of another type |
//! | closures in it | see `stale_closure` |
//! | cookies, connections | kept, unless how connections are made has changed, or where they go |
//! | headers | those of the class change, unless the user has set them itself |
//! | numbers, random stream | continue |

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use rhai::{Dynamic, FnPtr, Map};

use super::generation::{Generation, Membership};
use super::stale_closure::Migration;
use super::user::{Instance, User};
use crate::http::Session;
use crate::script::api::channel::{self, Channel};
use crate::script::load::assembly::Class;

impl Instance {
    /// Moves to the generation in service on its thread; false, with nothing changed, if that no
    /// longer has the class. Must not be called while one of its functions runs.
    ///
    /// Costs a few microseconds, more for a user with much state.
    #[must_use]
    pub fn renew(&mut self) -> bool {
        let thread = self.user.thread.clone();
        let generation = thread.generation();
        let Some(index) = generation.class_named(&self.user.class.name) else {
            return false;
        };
        let class = generation.classes()[index].clone();
        // It may have more secrets since the generation went into service.
        class.secrets.add_all(&self.user.class.secrets);
        let channel = channel(&self.user, &generation, &class);
        let user = Rc::new(self.user.renewed(&generation, &class, channel));
        if let Some(mut this) = self.this.write_lock::<Map>() {
            let migration = Migration {
                from: &self.user,
                to: &user,
            };
            merge(&mut this, &self.user.class.state, &class.state, &migration);
        }
        self.membership = Membership::new(&generation, &thread);
        self.tag = Dynamic::from(user.clone());
        self.user = user;
        true
    }
}

impl User {
    /// This user under another script.
    fn renewed(
        &self,
        generation: &Rc<Generation>,
        class: &Rc<Class>,
        channel: Rc<Channel>,
    ) -> User {
        User {
            ordinal: self.ordinal,
            class: class.clone(),
            generation: generation.clone(),
            thread: self.thread.clone(),
            channel,
            channels: RefCell::new(self.channels.take()),
            random: RefCell::new(self.random.borrow().clone()),
            iteration: Cell::new(self.iteration.get()),
            late_us: Cell::new(self.late_us.get()),
            missed: Cell::new(self.missed.get()),
            lag_us: Cell::new(self.lag_us.get()),
            in_set: Cell::new(self.in_set.get()),
            ending: RefCell::default(),
            open: RefCell::default(),
            streams: RefCell::default(),
            failed: Cell::new(self.failed.get()),
            is_listened: generation.program.listeners.is_some()
                && self.thread.parts.outbox.counts_requests,
            drops_value: Cell::new(false),
            is_listening: Cell::new(false),
            making: RefCell::default(),
        }
    }
}

/// The user's session with its host in another generation.
fn channel(user: &User, generation: &Generation, class: &Class) -> Rc<Channel> {
    let before = &user.generation.ways[user.class.index];
    let way = &generation.ways[class.index];
    let is_same = Rc::ptr_eq(&before.destination, &way.destination);
    let channel = if is_same && before.client.is(&way.client) {
        user.channel.clone()
    } else {
        let session = Session::new(&way.client);
        session.take_over(&user.channel.session);
        Channel::of(session, way.destination.clone())
    };
    if before.base != way.base {
        // Idle connections to the old host would only wait for its server to close them.
        channel.session.close_idle();
        for further in user.channels.borrow().iter().filter_map(Weak::upgrade) {
            if Rc::ptr_eq(&further.destination, &way.destination) {
                further.session.close_idle();
            }
        }
    }
    let (old, new) = (
        channel::headers_of(
            &user.class.headers,
            user.class.auth.as_ref(),
            before.base.as_ref(),
        ),
        channel::headers_of(&class.headers, class.auth.as_ref(), way.base.as_ref()),
    );
    let session = &channel.session;
    for (name, value) in &old {
        let is_kept = new.iter().any(|(other, _)| other == name);
        if !is_kept && session.header(name).as_ref() == Some(value) {
            session.remove_header(name);
        }
    }
    for (name, value) in new {
        let given = old.iter().find(|(other, _)| *other == name);
        // Headers that the user has set or removed itself stay that way.
        if session.header(&name).as_ref() == given.map(|(_, value)| value) {
            session.set_header(name, value);
        }
    }
    channel
}

/// Adapts a user's state to the edited script.
fn merge(this: &mut Map, old: &Map, new: &Map, migration: &Migration<'_>) {
    for (key, value) in this.iter_mut() {
        let is_replaced = |initial: &&Dynamic| {
            old.get(key).is_some_and(|before| {
                before.type_id() != initial.type_id() || is_that_closure(value, before)
            })
        };
        match new.get(key).filter(is_replaced) {
            Some(initial) => *value = initial.clone(),
            None => migration.carry_over(&key.as_str().into(), value),
        }
    }
    for (key, initial) in new {
        if !this.contains_key(key) {
            this.insert(key.clone(), initial.clone());
        }
    }
}

/// Whether a value is still the closure that the class declared; if so, the edited one replaces it.
fn is_that_closure(value: &Dynamic, declared: &Dynamic) -> bool {
    let (Some(value), Some(declared)) = (value.read_lock::<FnPtr>(), declared.read_lock::<FnPtr>())
    else {
        return false;
    };
    value.fn_name() == declared.fn_name()
}

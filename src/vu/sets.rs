//! Where a user is: the sets that it has entered, and which wait applies there.
//!
//! Owns the stack of sets, empty for a user whose class has none. The driver (`vu`) calls their
//! hooks and tasks.

use std::rc::Rc;

use super::pace::{AfterSet, Pace};
use crate::clock::Micros;
use crate::scenario::Function;
use crate::scenario::{Body, Class, Cursor, Random, Set, Wait};
use crate::script::Missed;

/// A user's place in the tasks of its class.
pub(super) struct Place {
    class: Rc<Class>,
    /// Of the class's own wait, and of sets that have none.
    pace: Pace,
    /// The sets entered, the innermost last.
    frames: Vec<Frame>,
    /// How late the next iteration is, and the slots missed before it.
    late: (u64, Option<Missed>),
    /// When that is due.
    due: Micros,
}

struct Frame {
    set: usize,
    cursor: Cursor,
    /// Of the set's own wait, new at each entry.
    pace: Option<Pace>,
}

impl Place {
    /// A user that begins at `now`, in no set.
    pub(super) fn new(class: Rc<Class>, now: Micros) -> Place {
        Place {
            pace: Pace::new(&class.wait, now),
            class,
            frames: Vec::new(),
            late: (0, None),
            due: now,
        }
    }

    /// What comes next.
    pub(super) fn next(&mut self, random: &mut Random) -> Body {
        match self.frames.last_mut() {
            None => self.class.tasks[self.class.pick(random)].body,
            Some(frame) => {
                let set = &self.class.sets[frame.set];
                set.tasks[frame.cursor.next(set, random)].body
            }
        }
    }

    /// How late the iteration that begins now is, and what was missed before it; told once.
    pub(super) fn take_late(&mut self) -> (u64, Option<Missed>) {
        std::mem::take(&mut self.late)
    }

    /// Enters a set; gives its `on_start`.
    pub(super) fn enter(&mut self, set: usize, now: Micros) -> Option<Function> {
        let plan = &self.class.sets[set];
        self.frames.push(Frame {
            set,
            cursor: Cursor::default(),
            pace: plan.wait.as_ref().map(|wait| Pace::new(wait, now)),
        });
        plan.on_start.map(Function::Task)
    }

    /// The `on_stop` of the innermost set.
    pub(super) fn on_stop(&self) -> Option<Function> {
        self.innermost()?.on_stop.map(Function::Task)
    }

    /// Leaves the innermost set.
    pub(super) fn leave(&mut self, now: Micros, next: AfterSet) {
        let frame = self.frames.pop();
        if frame.is_some_and(|frame| frame.pace.is_some()) {
            // Another wait applied meanwhile, so this pace missed none of the slots that passed.
            self.governing().pass(now, next);
        }
    }

    /// Whether an edited class has all the sets that the user is in, by the names on the way.
    pub(super) fn is_within(&self, class: &Class) -> bool {
        self.ways(class).len() == self.frames.len()
    }

    /// The indices in `class` of the sets that the user is in, as far as it has them.
    fn ways(&self, class: &Class) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for frame in &self.frames {
            let name = &self.class.sets[frame.set].name;
            let tasks = match found.last() {
                None => &class.tasks,
                Some(set) => &class.sets[*set].tasks,
            };
            let set = tasks.iter().find_map(|task| match task.body {
                Body::Set(set) if task.name == *name => Some(set),
                _ => None,
            });
            match set {
                Some(set) => found.push(set),
                None => break,
            }
        }
        found
    }

    /// Leaves the innermost set, which the edited class no longer has, before the next iteration.
    pub(super) fn leave_gone(&mut self, now: Micros) {
        self.leave(self.due.max(now), AfterSet::AtOnce);
    }

    /// Keeps its place in an edited class that still has all its sets: a sequence continues after
    /// the task of that name, and a pace keeps its slots.
    pub(super) fn renew(&mut self, class: Rc<Class>, now: Micros) {
        let start = self.due.max(now);
        let ways = self.ways(&class);
        for (frame, set) in self.frames.iter_mut().zip(ways) {
            let (before, after) = (&self.class.sets[frame.set], &class.sets[set]);
            frame.cursor.renew(before, after);
            let pace = frame.pace.take();
            frame.pace = after.wait.as_ref().map(|wait| {
                let mut pace = pace.unwrap_or_else(|| Pace::new(wait, start));
                pace.renew(wait, start);
                pace
            });
            frame.set = set;
        }
        self.pace.renew(&class.wait, start);
        self.class = class;
        self.go_on(now);
    }

    /// The next iteration starts when it is due, or now if that has passed. Slots that passed under
    /// another wait or during `on_reload` do not count as missed.
    pub(super) fn go_on(&mut self, now: Micros) {
        let start = self.due.max(now);
        self.governing().pass(start, AfterSet::AtOnce);
    }

    /// The next iteration begins this much late because the thread was busy.
    pub(super) fn begun_late(&mut self, lag_us: u64) {
        self.governing().begun_late(lag_us);
    }

    /// Whether the user is in a set.
    pub(super) fn is_in_set(&self) -> bool {
        !self.frames.is_empty()
    }

    /// The wait that applies here, and the function of a [`Wait::Script`].
    pub(super) fn wait(&self) -> (&Wait, Function) {
        if let Some(set) = self.innermost()
            && let Some(wait) = &set.wait
        {
            return (
                wait,
                set.wait_function.map_or(Function::Wait, Function::Task),
            );
        }
        (&self.class.wait, Function::Wait)
    }

    /// Plans the iteration after one that ended at `ended`; returns when it starts. `wait` is the
    /// wait that was drawn, `None` for a pacing.
    pub(super) fn plan(&mut self, ended: Micros, wait: Option<std::time::Duration>) -> Micros {
        let pace = self.governing();
        let due = pace.next(ended, wait);
        self.late = (pace.late_us(), pace.missed());
        self.due = due;
        due
    }

    fn governing(&mut self) -> &mut Pace {
        let own = self.frames.last_mut().and_then(|frame| frame.pace.as_mut());
        own.unwrap_or(&mut self.pace)
    }

    fn innermost(&self) -> Option<&Set> {
        Some(&self.class.sets[self.frames.last()?.set])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;
    use crate::scenario::{Order, Task};

    const S: Duration = Duration::from_secs(1);

    fn task(body: Body) -> Task {
        Task {
            name: "t".to_owned(),
            weight: 1,
            tags: Vec::new(),
            body,
        }
    }

    fn set(wait: Option<Wait>, body: Body) -> Set {
        Set {
            name: "s".to_owned(),
            order: Order::Sequence,
            wait,
            wait_function: None,
            on_start: None,
            on_stop: None,
            tasks: vec![task(body), task(Body::Function(7))],
        }
    }

    /// A user with a pace of 1 s, in whose only set, with this wait, stands another without one.
    fn place(wait: Option<Wait>, now: Micros) -> Place {
        let class = Class {
            name: "U".to_owned(),
            share: Default::default(),
            host: None,
            wait: Wait::Pacing(S),
            tasks: vec![task(Body::Set(0))],
            sets: vec![set(wait, Body::Set(1)), set(None, Body::Function(3))],
        };
        Place::new(Rc::new(class), now)
    }

    #[test]
    fn tasks_come_from_the_innermost_set_which_begins_anew_at_each_entry() {
        let now = clock::now();
        let mut random = Random::of_user(1, "U", 0);
        let mut place = place(None, now);
        for _ in 0..2 {
            assert_eq!(place.next(&mut random), Body::Set(0));
            place.enter(0, now);
            assert_eq!(place.next(&mut random), Body::Set(1));
            place.enter(1, now);
            assert_eq!(place.next(&mut random), Body::Function(3));
            assert_eq!(place.next(&mut random), Body::Function(7));
            assert_eq!(place.next(&mut random), Body::Function(3));
            place.leave(now, AfterSet::AtOnce);
            assert_eq!(place.next(&mut random), Body::Function(7));
            place.leave(now, AfterSet::AtOnce);
            assert!(!place.is_in_set());
        }
    }

    #[test]
    fn the_users_pace_spans_its_sets() {
        let start = clock::now();
        let mut place = place(None, start);
        place.enter(0, start);
        assert_eq!(place.plan(start + S.mul_f64(0.2), None), start + S);
        place.leave(start + S.mul_f64(1.1), AfterSet::AtOnce);
        assert_eq!(place.plan(start + S.mul_f64(1.2), None), start + 2 * S);
        // Overrun inside a set that has no wait of its own: that is the user's lateness.
        place.enter(0, start + 2 * S);
        assert_eq!(
            place.plan(start + S.mul_f64(3.5), None),
            start + S.mul_f64(3.5)
        );
        let missed = place.take_late();
        assert_eq!(missed.0, 500_000);
        assert_eq!(place.take_late(), (0, None));
    }

    #[test]
    fn a_sets_own_pace_is_new_at_each_entry_and_charges_the_users_with_nothing() {
        let start = clock::now();
        let mut place = place(Some(Wait::Pacing(3 * S)), start);
        place.enter(0, start + S.mul_f64(0.5));
        assert_eq!(place.plan(start + S, None), start + S.mul_f64(3.5));
        // The set within has no wait of its own: the user's holds, as in Locust.
        place.enter(1, start + S.mul_f64(3.5));
        assert_eq!(place.wait().0, &Wait::Pacing(S));
        place.leave(start + S.mul_f64(3.6), AfterSet::AtOnce);
        assert_eq!(place.wait().0, &Wait::Pacing(3 * S));
        place.leave(start + 10 * S, AfterSet::Wait);
        // Nine slots of the user's pace have passed; it goes on at once and missed none.
        assert_eq!(place.plan(start + 10 * S, None), start + 10 * S);
        assert_eq!(place.take_late(), (0, None));
        assert_eq!(place.plan(start + S.mul_f64(10.2), None), start + 11 * S);
        place.enter(0, start + 11 * S);
        assert_eq!(place.plan(start + S.mul_f64(11.5), None), start + 14 * S);
        // Left without waiting at 20 s: what starts then is in a slot that begins then.
        place.leave(start + 20 * S, AfterSet::AtOnce);
        assert_eq!(place.plan(start + S.mul_f64(20.3), None), start + 21 * S);
        assert_eq!(place.take_late(), (0, None));
    }

    /// A class with this wait whose only set, perhaps with a wait of its own, has another one: a
    /// sequence of these functions.
    fn nested(wait: Wait, own: Option<Wait>, names: [&str; 2], functions: &[&str]) -> Rc<Class> {
        let named = |name: &str, body| Task {
            name: name.to_owned(),
            ..task(body)
        };
        let [outer, inner] = names;
        let indices = 0..functions.len();
        let steps = functions.iter().zip(indices);
        let steps = steps.map(|(name, index)| named(name, Body::Function(index)));
        let sets = vec![
            Set {
                name: outer.to_owned(),
                tasks: vec![named(inner, Body::Set(1))],
                ..set(own, Body::Set(1))
            },
            Set {
                name: inner.to_owned(),
                tasks: steps.collect(),
                ..set(None, Body::Set(1))
            },
        ];
        Rc::new(Class {
            name: "U".to_owned(),
            share: Default::default(),
            host: None,
            wait,
            tasks: vec![named(outer, Body::Set(0))],
            sets,
        })
    }

    /// A user in both sets of such a class.
    fn within(class: &Rc<Class>, now: Micros) -> Place {
        let mut place = Place::new(class.clone(), now);
        place.enter(0, now);
        place.enter(1, now);
        place
    }

    #[test]
    fn a_place_is_kept_by_the_names_on_the_way_and_sets_that_are_gone_are_left() {
        let now = clock::now();
        let mut random = Random::of_user(1, "U", 0);
        let wait = || Wait::Constant(S);
        let old = nested(wait(), None, ["o", "i"], &["a", "b", "c"]);
        let mut place = within(&old, now);
        assert_eq!(place.next(&mut random), Body::Function(0));
        assert_eq!(place.next(&mut random), Body::Function(1));
        // The sequence goes on after `b`, wherever that stands now.
        let moved = nested(wait(), None, ["o", "i"], &["b", "a", "c"]);
        assert!(place.is_within(&moved));
        place.renew(moved.clone(), now);
        assert_eq!(place.next(&mut random), Body::Function(1));
        // Without the set within, and without the one around it: the innermost is left first.
        let other = nested(wait(), None, ["o", "j"], &["a"]);
        assert!(!place.is_within(&other));
        place.leave_gone(now);
        assert!(place.is_within(&other) && place.is_in_set());
        let outer = nested(wait(), None, ["p", "i"], &["a"]);
        let mut place = within(&moved, now);
        place.leave_gone(now);
        assert!(!place.is_within(&outer));
        place.leave_gone(now);
        assert!(place.is_within(&outer) && !place.is_in_set());
        // A task of that name that is no set is another thing.
        let mut plain = (*old).clone();
        plain.tasks[0].body = Body::Function(5);
        assert!(!within(&old, now).is_within(&plain));
    }

    #[test]
    fn what_passed_under_another_wait_is_not_missed_after_an_edit() {
        let start = clock::now();
        let (names, steps) = (["o", "i"], ["a"]);
        let class = |wait, own| nested(wait, own, names, &steps);
        let (constant, pacing) = (Wait::Constant(9 * S), Wait::Pacing(S));
        // The coming iteration is planned for 9.5 s and the edit comes at 1 s: wherever the pace
        // is that the user gets, its first slot begins with that iteration.
        let not_in_time = |before: &Rc<Class>, after: &Rc<Class>, is_in_set: bool| {
            let mut place = Place::new(before.clone(), start);
            if is_in_set {
                place.enter(0, start);
            }
            let wait = matches!(place.wait().0, Wait::Constant(_)).then_some(9 * S);
            let due = place.plan(start + S.mul_f64(0.5), wait);
            if !place.is_within(after) {
                place.leave_gone(start + S);
            }
            place.renew(after.clone(), start + S);
            assert_eq!(place.plan(due + S.mul_f64(0.2), None), due + S);
            assert_eq!(place.take_late(), (0, None));
        };
        let paced = class(pacing.clone(), None);
        let waits = class(constant.clone(), None);
        not_in_time(&waits, &paced, false);
        not_in_time(&waits, &paced, true);
        // The set's wait becomes a pace, or goes, or the set goes.
        not_in_time(&waits, &class(constant.clone(), Some(pacing.clone())), true);
        let own = class(pacing.clone(), Some(Wait::Pacing(9 * S)));
        not_in_time(&own, &paced, true);
        not_in_time(&own, &nested(pacing, None, ["gone", "i"], &steps), true);
    }

    #[test]
    fn a_shorter_pace_and_a_long_on_reload_miss_nothing() {
        let start = clock::now();
        let class = |period| nested(Wait::Pacing(period), None, ["o", "i"], &["a"]);
        let mut place = Place::new(class(20 * S), start);
        // It overran the long pace by 5 s: with the short one that would be five slots.
        let ended = start + 25 * S;
        assert_eq!(place.plan(ended, None), ended);
        place.renew(class(S), ended);
        place.take_late();
        assert_eq!(place.plan(ended + S.mul_f64(0.1), None), ended + S);
        assert_eq!(place.take_late(), (0, None));
        // `on_reload` took 7 s; the iteration after it is in a slot of its own.
        place.go_on(ended + 8 * S);
        assert_eq!(place.plan(ended + S.mul_f64(8.4), None), ended + 9 * S);
        assert_eq!(place.take_late(), (0, None));
    }
}

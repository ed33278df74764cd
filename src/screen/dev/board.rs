//! What `dev` shows while a script is written: the last iteration, earlier mistakes, what is wrong
//! with the last save.
//!
//! Owns what is kept of all that happens, and for how long; `frame` owns how it looks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::script::diagnostic::Diagnostics;
use crate::script::{Event, File, Level};

/// Events kept of one iteration: more than anyone reads.
const EVENTS: usize = 2_000;

/// Bytes of bodies kept of one iteration.
const BYTES: usize = 4 << 20;

/// Different mistakes that are counted.
const MISTAKES: usize = 12;

/// How many of the latest notes are kept.
const NOTES: usize = 6;

/// Scripts whose lines can be shown: an iteration may belong to one that has been replaced.
const SOURCES: usize = 4;

/// An iteration that takes longer than this is shown before its end.
const LONG: Duration = Duration::from_secs(1);

/// What one user did in an iteration, and between the previous one and this.
#[derive(Clone, Debug, Default)]
pub(crate) struct IterationTrace {
    user: u64,
    /// From 1; `None` outside iterations.
    pub(crate) number: Option<u64>,
    /// The generation of the script; 0 if no iteration has begun.
    pub(crate) generation: u16,
    pub(crate) events: Vec<Event>,
    /// Events for which there was no room.
    pub(crate) left_out: usize,
    bytes: usize,
    begun: Option<Instant>,
}

impl IterationTrace {
    fn of(user: u64, generation: u16) -> IterationTrace {
        IterationTrace {
            user,
            generation,
            ..IterationTrace::default()
        }
    }

    fn push(&mut self, event: Event, now: Instant) {
        let bytes = match &event {
            Event::Sends { body, .. }
            | Event::Over { body: Ok(body), .. }
            | Event::Read { body, .. } => body.len(),
            _ => 0,
        };
        self.begun.get_or_insert(now);
        // Mistakes are what one wants to see.
        let is_kept = matches!(event, Event::Failed(_)) && self.left_out < EVENTS
            || self.events.len() < EVENTS && self.bytes + bytes <= BYTES;
        if is_kept {
            self.bytes += bytes;
            self.events.push(event);
        } else {
            self.left_out += 1;
        }
    }

    fn is_long(&self, now: Instant) -> bool {
        self.begun
            .is_some_and(|begun| now.duration_since(begun) >= LONG)
    }

    /// What went wrong in it.
    fn mistakes(&self) -> impl Iterator<Item = String> {
        self.events.iter().filter_map(|event| match event {
            Event::Judged {
                row,
                failure: Some(why),
            } => Some(format!("{row}: {why}")),
            Event::Failed(failure) => Some(format!("{}: {}", failure.location(), failure.message)),
            _ => None,
        })
    }
}

/// Something that is wrong with a save.
#[derive(Clone, Debug)]
pub(crate) enum SaveProblem {
    /// In these files.
    Script(Vec<File>, Diagnostics),
    /// With the command line.
    Wrong(String, Option<String>),
}

/// Mistakes and how often each was made, in order of first appearance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) mistakes: Vec<(String, u64)>,
    /// Those for which there was no room.
    pub(crate) others: u64,
}

impl Ledger {
    /// How many mistakes there were.
    pub(crate) fn count(&self) -> u64 {
        let counts = self.mistakes.iter().map(|(_, count)| count);
        counts.sum::<u64>() + self.others
    }

    fn add(&mut self, trace: &IterationTrace) {
        for mistake in trace.mistakes() {
            let mut known = self.mistakes.iter_mut();
            if let Some((_, count)) = known.find(|(known, _)| *known == mistake) {
                *count += 1;
            } else if self.mistakes.len() < MISTAKES {
                self.mistakes.push((mistake, 1));
            } else {
                self.others += 1;
            }
        }
    }
}

/// Whether users run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunStatus {
    /// Nothing that could be run has been saved yet.
    Waits,
    /// Users run.
    Runs,
    /// A person has asked for the end.
    Stops,
    /// Users no longer run, as requested.
    Stopped,
    /// Users no longer run, for this reason.
    Over(Level, String),
}

/// A script that was handed to a run.
#[derive(Debug)]
struct SavedScript {
    hash: String,
    /// The class whose users run.
    class: String,
    files: Arc<[File]>,
    /// Its generation in this run, once it is in service.
    generation: Option<u16>,
}

/// Everything that there is to see.
pub(crate) struct Board {
    /// The path, as the person wrote it.
    pub(crate) script: String,
    pub(crate) class: String,
    pub(crate) hash: String,
    pub(crate) status: RunStatus,
    /// What is wrong with the last save, or odd about it.
    pub(crate) findings: Vec<SaveProblem>,
    pub(crate) is_broken: bool,
    /// What became of the last save, if it was valid.
    pub(crate) news: Option<String>,
    pub(crate) notes: Vec<(Level, String)>,
    /// The generation in service in this run.
    generation: u16,
    /// Generations of earlier runs.
    before: u16,
    users: HashMap<u64, IterationTrace>,
    /// The user that events are about.
    turn: Option<u64>,
    last: Option<(Arc<IterationTrace>, Instant)>,
    ledger: Ledger,
    sources: Vec<SavedScript>,
}

impl Board {
    pub(crate) fn new(script: String) -> Board {
        Board {
            script,
            class: String::new(),
            hash: String::new(),
            status: RunStatus::Waits,
            findings: Vec::new(),
            is_broken: false,
            news: None,
            notes: Vec::new(),
            generation: 0,
            before: 0,
            users: HashMap::new(),
            turn: None,
            last: None,
            ledger: Ledger::default(),
            sources: Vec::new(),
        }
    }

    /// Another run begins, with the script handed over last.
    pub(crate) fn begin(&mut self, hash: String) {
        self.before += self.generation;
        self.status = RunStatus::Runs;
        self.users.clear();
        self.turn = None;
        self.last = None;
        // Generations of the previous run have the same numbers.
        let latest = self.sources.pop();
        self.sources.clear();
        self.sources.extend(latest);
        self.serve(1, hash);
    }

    /// A script has been handed over, which will be in service at some point.
    pub(crate) fn source(&mut self, hash: String, class: String, files: Vec<File>) {
        if self.sources.len() == SOURCES {
            self.sources.remove(0);
        }
        self.sources.push(SavedScript {
            hash,
            class,
            files: files.into(),
            generation: None,
        });
    }

    /// A generation goes into service.
    pub(crate) fn serve(&mut self, generation: u16, hash: String) {
        self.generation = generation;
        let mut waiting = self.sources.iter_mut();
        let source = waiting.find(|source| source.hash == hash && source.generation.is_none());
        if let Some(source) = source {
            source.generation = Some(generation);
            self.class.clone_from(&source.class);
        }
        self.hash = hash;
        self.ledger = Ledger::default();
    }

    /// A save has mistakes.
    pub(crate) fn broken(&mut self, findings: Vec<SaveProblem>) {
        self.findings = findings;
        self.is_broken = true;
        self.news = None;
    }

    /// A save has no mistakes, or only warnings.
    pub(crate) fn good(&mut self, findings: Vec<SaveProblem>, news: Option<&str>) {
        self.findings = findings;
        self.is_broken = false;
        self.news = news.map(str::to_owned);
        self.notes.clear();
    }

    /// Something that a person should read until the next good save.
    pub(crate) fn note(&mut self, level: Level, text: String) {
        if self.notes.last() == Some(&(level, text.clone())) {
            return;
        }
        if self.notes.len() == NOTES {
            self.notes.remove(0);
        }
        self.notes.push((level, text));
    }

    /// The number in service, over all runs.
    pub(crate) fn generation(&self) -> u16 {
        self.before + self.generation
    }

    /// Users that are alive.
    pub(crate) fn users(&self) -> usize {
        self.users.len()
    }

    /// Takes what happened to a user; returns the iteration that this completes.
    pub(crate) fn take_event(&mut self, event: Event, now: Instant) -> Option<Arc<IterationTrace>> {
        if let Event::SwitchedTo { user } = event {
            self.turn = Some(user);
            self.users
                .entry(user)
                .or_insert_with(|| IterationTrace::of(user, 0));
            return None;
        }
        let turn = self.turn?;
        let trace = self.users.get_mut(&turn)?;
        match event {
            Event::IterationBegins { number, generation } => {
                trace.number = Some(number);
                trace.generation = generation;
                trace.begun = Some(now);
                None
            }
            Event::IterationEnds { is_whole } => {
                let next = IterationTrace::of(turn, trace.generation);
                let trace = std::mem::replace(trace, next);
                if is_whole || trace.is_long(now) {
                    Some(self.finish(trace, now))
                } else {
                    None
                }
            }
            Event::UserEnds => {
                let trace = self.users.remove(&turn)?;
                (!trace.events.is_empty()).then(|| self.end(trace, now))
            }
            event => {
                trace.push(event, now);
                None
            }
        }
    }

    /// An iteration is over.
    fn finish(&mut self, trace: IterationTrace, now: Instant) -> Arc<IterationTrace> {
        let trace = Arc::new(trace);
        if trace.generation < self.newest() {
            return trace;
        }
        if let Some((last, _)) = self.last.replace((trace.clone(), now))
            && last.generation == self.generation
        {
            self.ledger.add(&last);
        }
        trace
    }

    fn newest(&self) -> u16 {
        self.last.as_ref().map_or(0, |(last, _)| last.generation)
    }

    /// A user has ended, and this is what it did since its last iteration.
    fn end(&mut self, trace: IterationTrace, now: Instant) -> Arc<IterationTrace> {
        match &mut self.last {
            Some((last, _)) if last.user == trace.user => {
                Arc::make_mut(last).events.extend(trace.events.clone());
                Arc::new(trace)
            }
            // It never got to an iteration, which is worth showing.
            None => self.finish(trace, now),
            Some(_) if trace.mistakes().next().is_some() => self.finish(trace, now),
            Some(_) => Arc::new(trace),
        }
    }

    /// What to show of users: the iteration that ended last, or one that takes long.
    pub(crate) fn shown(&self, now: Instant) -> Option<(&IterationTrace, Ledger)> {
        let last = self.last.as_ref();
        let is_stale = last.is_none_or(|(_, at)| now.duration_since(*at) >= LONG);
        let going = self.users.values().filter(|trace| {
            let is_seen = trace.number.is_some() || last.is_none();
            is_stale && is_seen && !trace.events.is_empty() && trace.is_long(now)
        });
        let mut ledger = self.ledger.clone();
        if let Some(going) = going.min_by_key(|trace| trace.user) {
            if let Some((last, _)) = last
                && last.generation == self.generation
            {
                ledger.add(last);
            }
            return Some((going, ledger));
        }
        last.map(|(last, _)| (&**last, ledger))
    }

    /// The files of the script that a trace belongs to.
    pub(crate) fn files_of(&self, trace: &IterationTrace) -> Arc<[File]> {
        let exact = |source: &&SavedScript| source.generation == Some(trace.generation);
        let source = self.sources.iter().find(exact).or(self.sources.last());
        source.map_or_else(Arc::default, |source| source.files.clone())
    }

    /// The number of a trace's generation, if that is not the one in service.
    pub(crate) fn is_of_another(&self, trace: &IterationTrace) -> Option<u16> {
        let is_known = trace.generation != 0 && trace.generation != self.generation;
        is_known.then(|| self.before + trace.generation)
    }
}

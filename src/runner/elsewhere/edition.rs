//! An edition as it is sent: its files by content, and everything that was resolved.
//!
//! Owns what a worker gets of a person's machine: the script with its imports, the data,
//! certificates and uploads it names, its parameters, and those variables of the environment whose
//! names stand in it or that its top level has read. Never the rest of the environment, and no other
//! file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use regex::Regex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::{CountedRows, RationSource, Sources};
use crate::files::{self, Files};
use crate::load::{Classes, Division, Plan};
use crate::runner::edition::classes_of;
use crate::runner::{Edition, Options, Unable};
use crate::scenario::Scenario;
use crate::script::{Bundle, Environment, Inputs};
use crate::units;

/// The largest upload, as on one machine.
const LARGEST: u64 = 1 << 30;

/// What a file holds, by which it is asked for: its SHA-256.
pub type Content = [u8; 32];

/// Files by what they hold. What several editions have in common is there once.
pub type Contents = BTreeMap<Content, Bytes>;

/// Up to here a file is held for members that come later, whatever becomes of it meanwhile. Of a
/// larger one its bytes are read when they are wanted, so that it takes no memory here.
const HELD: u64 = 16 << 20;

/// What a file of an edition holds, as it is sent.
#[derive(Clone, Debug)]
pub enum Held {
    /// These bytes.
    Bytes(Bytes),
    /// What is on the disk there.
    File(PathBuf),
}

/// The files of an edition by what they hold, where they are sent from.
pub(super) type Holds = BTreeMap<Content, Held>;

impl Held {
    /// Gives its bytes in pieces of so many at most, until `take` wants no more. For a thread that
    /// may wait for the disk.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn give(&self, most: usize, mut take: impl FnMut(Bytes) -> bool) -> io::Result<()> {
        let mut file = match self {
            Held::Bytes(bytes) => {
                let mut starts = (0..bytes.len()).step_by(most);
                starts.all(|at| take(bytes.slice(at..bytes.len().min(at + most))));
                return Ok(());
            }
            Held::File(path) => files::open(path)?,
        };
        loop {
            let mut piece = Vec::with_capacity(most);
            (&mut file).take(most as u64).read_to_end(&mut piece)?;
            if piece.is_empty() || !take(piece.into()) {
                return Ok(());
            }
        }
    }
}

/// An edition without the contents of its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentEdition {
    /// What names it.
    hash: String,
    /// The script's path, which is the first of the files.
    main: PathBuf,
    files: Vec<(PathBuf, Content, u64)>,
    params: BTreeMap<String, String>,
    environment: BTreeMap<String, Option<String>>,
    counted: Vec<CountedRows>,
    appended_to: BTreeSet<Box<str>>,
    seed: u64,
    now_us: i64,
    user_memory: Option<u64>,
    declared: Scenario,
    scenario: Scenario,
    bases: Vec<Option<String>>,
    plan: Plan,
    iterations: Option<u64>,
    stop_timeout: Duration,
    on_stop_timeout: Duration,
}

/// What is wrong with a file that is not what it was.
pub const CHANGED: &str = "it has changed since the script was checked: save the script again";

/// A file of an edition that cannot be sent.
#[derive(Debug)]
pub struct Unsendable {
    pub(super) path: PathBuf,
    pub(super) why: String,
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "{path} cannot be sent to the workers: {}", self.why)
    }
}

impl std::error::Error for Unsendable {}

impl Default for SentEdition {
    /// Of a script without anything.
    fn default() -> SentEdition {
        SentEdition {
            hash: String::new(),
            main: PathBuf::new(),
            files: Vec::new(),
            params: BTreeMap::new(),
            environment: BTreeMap::new(),
            counted: Vec::new(),
            appended_to: BTreeSet::new(),
            seed: 0,
            now_us: 0,
            user_memory: None,
            declared: Scenario::default(),
            scenario: Scenario::default(),
            bases: Vec::new(),
            plan: Plan::idle(Division::Mixed),
            iterations: None,
            stop_timeout: Duration::ZERO,
            on_stop_timeout: Duration::ZERO,
        }
    }
}

impl SentEdition {
    /// What is sent of an edition, and what its files hold. Reads data files again, so it is for a
    /// thread that may wait for the disk.
    ///
    /// # Errors
    /// When a data file cannot be read any more, or holds something else than when the script was
    /// checked.
    pub(super) fn of(edition: &Edition) -> Result<(SentEdition, Holds), Unsendable> {
        let mut holds = Holds::new();
        let mut files = Vec::new();
        let mut add = |path: &Path, bytes: Bytes| {
            let content: Content = Sha256::digest(&bytes).into();
            files.push((path.to_owned(), content, bytes.len() as u64));
            holds.insert(content, Held::Bytes(bytes));
            content
        };
        for file in edition.bundle.files() {
            add(
                Path::new(&file.path),
                Bytes::copy_from_slice(file.text.as_bytes()),
            );
        }
        let mut large = Vec::new();
        for (path, stamp) in edition.inputs.sources.stamps() {
            let unsendable = |why: String| Unsendable {
                path: path.clone(),
                why,
            };
            if stamp.size > HELD {
                // Whoever gets it sees whether it is still the same.
                large.push((path, stamp));
                continue;
            }
            let read = edition.inputs.sources.files().read(&path, HELD);
            let bytes = read.map_err(|error| unsendable(error.to_string()))?;
            if add(&path, bytes) != stamp.sha256 {
                return Err(unsendable(CHANGED.to_owned()));
            }
        }
        for path in edition.bundle.files_named(&edition.inputs.params) {
            // What is not there is missing on all machines alike.
            if let Ok(bytes) = edition.inputs.sources.files().read(&path, LARGEST) {
                add(&path, bytes);
            }
        }
        for (path, stamp) in large {
            files.push((path.clone(), stamp.sha256, stamp.size));
            holds.insert(stamp.sha256, Held::File(path));
        }
        let Options {
            plan,
            iterations,
            stop_timeout,
            on_stop_timeout,
        } = &edition.options;
        let inputs = &edition.inputs;
        let sent = SentEdition {
            hash: edition.hash(),
            main: PathBuf::from(&edition.bundle.files()[0].path),
            files,
            params: inputs.params.clone(),
            environment: inputs.environment.asked_for(&names_of(&edition.bundle)),
            counted: inputs.sources.counted(),
            appended_to: appended_to(edition),
            seed: inputs.seed,
            now_us: inputs.now_us,
            user_memory: inputs.user_memory.map(|units::Bytes(most)| most),
            declared: edition.declared.clone(),
            scenario: edition.scenario.clone(),
            bases: edition.bases.clone(),
            plan: (**plan).clone(),
            iterations: *iterations,
            stop_timeout: *stop_timeout,
            on_stop_timeout: *on_stop_timeout,
        };
        Ok((sent, holds))
    }

    /// What names it.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// As [`Edition::classes`].
    #[must_use]
    pub fn classes(&self, mixed: u32) -> Classes {
        classes_of(&self.scenario, mixed)
    }

    /// What its files hold, each once, and how many bytes that is.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<Content, u64> {
        let files = self.files.iter();
        files.map(|(_, content, size)| (*content, *size)).collect()
    }

    /// The name of a file that holds that, for people.
    #[must_use]
    pub fn named(&self, content: &Content) -> String {
        let mut files = self.files.iter();
        let found = files.find(|(_, it, _)| it == content);
        found.map_or_else(String::new, |(path, ..)| path.display().to_string())
    }

    /// The rows whose turns are counted in the run's process.
    #[must_use]
    pub fn counted(&self) -> &[CountedRows] {
        &self.counted
    }

    /// What may be the path of a file that its users append to.
    #[must_use]
    pub fn appended_to(&self) -> &BTreeSet<Box<str>> {
        &self.appended_to
    }

    /// The edition again, from files of which none is opened here. `asks` counts the turns of its
    /// rows.
    ///
    /// # Errors
    /// When one of its files has not come.
    pub fn assembled(
        &self,
        contents: &Contents,
        asks: Option<Arc<dyn RationSource>>,
    ) -> Result<Edition, Unable> {
        let mut files = Vec::new();
        for (path, content, _) in &self.files {
            let bytes = contents.get(content).ok_or_else(|| {
                Unable::System(format!("{} has not come from the master", path.display()))
            })?;
            files.push((path.clone(), bytes.clone()));
        }
        let files = Files::sent(files);
        let bundle = Bundle::read_from(&files, &self.main);
        let bundle = bundle.map_err(|error| Unable::Script(error.to_string()))?;
        let sources = Sources::default().reading(files);
        let sources = match asks {
            Some(asks) => sources.asking(self.counted.clone(), asks),
            None => sources,
        };
        Ok(Edition {
            bundle,
            inputs: Inputs {
                params: self.params.clone(),
                environment: Environment::sent(&self.environment),
                seed: self.seed,
                now_us: self.now_us,
                sources: Arc::new(sources),
                user_memory: self.user_memory.map(units::Bytes),
            },
            declared: self.declared.clone(),
            scenario: self.scenario.clone(),
            bases: self.bases.clone(),
            options: Options {
                plan: Arc::new(self.plan.clone()),
                iterations: self.iterations,
                stop_timeout: self.stop_timeout,
                on_stop_timeout: self.on_stop_timeout,
            },
        })
    }
}

/// The names of the values that are sent with an edition, and that may be secret: parameters, and
/// variables of the environment.
#[must_use]
pub fn values_sent(edition: &Edition) -> Vec<String> {
    let Inputs {
        params,
        environment,
        ..
    } = &edition.inputs;
    let asked_for = environment.asked_for(&names_of(&edition.bundle));
    params
        .keys()
        .cloned()
        .chain(asked_for.into_keys())
        .collect()
}

/// What users may append to, if they append to anything: what stands in the script as text.
fn appended_to(edition: &Edition) -> BTreeSet<Box<str>> {
    let mut texts = edition.bundle.files().iter().map(|file| &*file.text);
    if !texts.any(|text| text.contains("append")) {
        return BTreeSet::new();
    }
    let texts = edition.bundle.texts(&edition.inputs.params).into_iter();
    texts.map(String::into_boxed_str).collect()
}

/// The names that a script gives to `env` as text.
fn names_of(bundle: &Bundle) -> BTreeSet<String> {
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"\benv\s*\(\s*["`]([^"`\\]+)["`]"#).expect("it is a pattern")
    });
    let texts = bundle.files().iter().map(|file| &*file.text);
    let names = texts.flat_map(|text| CALL.captures_iter(text));
    names.map(|call| call[1].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_script_names_is_sent_of_the_environment() {
        let script = r#"
            let a = env("HOME"); let b = env ( `SHELL`, "x"); let c = dotenv("PATH");
            let d = env("MISSING"); let e = env("A" + "B");"#;
        let environment = ["HOME", "SHELL", "PATH", "AB", "SECRET"];
        let environment = environment.map(|name| (name.to_owned(), "1".to_owned()));
        let names = names_of(&Bundle::from_text("a.rhai", script));
        let sent = Environment::from(environment).asked_for(&names);
        let set = sent.into_iter().filter(|(_, value)| value.is_some());
        let set: Vec<_> = set.map(|(name, _)| name).collect();
        assert_eq!(set, ["HOME", "SHELL"]);
    }
}

//! An edition as it is sent: its files by content, and everything that was resolved.
//!
//! Owns what a worker gets of a person's machine: the script with its imports, the data,
//! certificates and uploads it names, its parameters, and those variables of the environment whose
//! names stand in it or that its top level has read. Never the rest of the environment, and no other
//! file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::{CountedRows, RationSource, Sources};
use crate::files::Files;
use crate::load::{Division, Plan};
use crate::runner::{Edition, Options, Unable};
use crate::scenario::Scenario;
use crate::script::{Bundle, Environment, Inputs};
use crate::units::Bytes;

/// The largest upload, as on one machine.
const LARGEST: u64 = 1 << 30;

/// What a file holds, by which it is asked for: its SHA-256.
pub type Content = [u8; 32];

/// Files by what they hold. What several editions have in common is there once.
pub type Contents = BTreeMap<Content, Arc<[u8]>>;

/// An edition without the contents of its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentEdition {
    /// The script's path, which is the first of the files.
    main: PathBuf,
    files: Vec<(PathBuf, Content)>,
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

/// A file of an edition that cannot be sent.
#[derive(Debug)]
pub struct Unsendable {
    path: PathBuf,
    why: String,
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
    pub fn of(edition: &Edition) -> Result<(SentEdition, Contents), Unsendable> {
        let mut contents = Contents::new();
        let mut files = Vec::new();
        let mut add = |path: &Path, bytes: Arc<[u8]>| {
            let content: Content = Sha256::digest(&bytes).into();
            contents.insert(content, bytes);
            files.push((path.to_owned(), content));
            content
        };
        for file in edition.bundle.files() {
            add(Path::new(&file.path), file.text.as_bytes().into());
        }
        for (path, stamp) in edition.inputs.sources.stamps() {
            let unsendable = |why: String| Unsendable {
                path: path.clone(),
                why,
            };
            let read = edition.inputs.sources.files().read(&path, u64::MAX);
            let bytes = read.map_err(|error| unsendable(error.to_string()))?;
            if add(&path, bytes.into()) != stamp.sha256 {
                let changed = "it has changed since the script was checked: save the script again";
                return Err(unsendable(changed.to_owned()));
            }
        }
        for path in edition.bundle.files_named(&edition.inputs.params) {
            // What is not there is missing on all machines alike.
            if let Ok(bytes) = edition.inputs.sources.files().read(&path, LARGEST) {
                add(&path, bytes.into());
            }
        }
        let Options {
            plan,
            iterations,
            stop_timeout,
            on_stop_timeout,
        } = &edition.options;
        let inputs = &edition.inputs;
        let sent = SentEdition {
            main: PathBuf::from(&edition.bundle.files()[0].path),
            files,
            params: inputs.params.clone(),
            environment: inputs.environment.asked_for(&names_of(&edition.bundle)),
            counted: inputs.sources.counted(),
            appended_to: appended_to(edition),
            seed: inputs.seed,
            now_us: inputs.now_us,
            user_memory: inputs.user_memory.map(|Bytes(most)| most),
            declared: edition.declared.clone(),
            scenario: edition.scenario.clone(),
            bases: edition.bases.clone(),
            plan: (**plan).clone(),
            iterations: *iterations,
            stop_timeout: *stop_timeout,
            on_stop_timeout: *on_stop_timeout,
        };
        Ok((sent, contents))
    }

    /// What its files hold, each once.
    #[must_use]
    pub fn contents(&self) -> BTreeSet<Content> {
        self.files.iter().map(|(_, content)| *content).collect()
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
        for (path, content) in &self.files {
            let bytes = contents.get(content).ok_or_else(|| {
                Unable::System(format!("{} has not come from the master", path.display()))
            })?;
            files.push((path.clone(), bytes.to_vec()));
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
                user_memory: self.user_memory.map(Bytes),
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

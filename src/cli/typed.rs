//! What a person has typed, as opposed to what the environment says.
//!
//! Owns telling them apart. A variable holds for every process of a container or a pod, whatever its
//! role, so one that means nothing here is passed over; an option that was typed and means nothing is
//! a mistake.

use std::collections::BTreeSet;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};

/// The options on the command line.
#[derive(Debug, Default)]
pub(super) struct Typed(BTreeSet<String>);

impl Typed {
    /// Those of these matches, without those of a subcommand.
    pub(super) fn of(matches: &ArgMatches) -> Typed {
        let all = matches.ids().map(clap::Id::as_str);
        let is_typed = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        Typed(all.filter(is_typed).map(str::to_owned).collect())
    }

    /// The first of these options that was typed, as it is written.
    pub(super) fn first(&self, options: &[&'static str]) -> Option<&'static str> {
        let is_typed = |option: &&&str| {
            let id = option.trim_start_matches('-').replace('-', "_");
            self.0.contains(&id)
        };
        options.iter().find(is_typed).copied()
    }

    /// Whether any option of this group was.
    pub(super) fn has_any_of<A: Args>(&self) -> bool {
        let command = A::augment_args(Command::new("group"));
        let mut options = command.get_arguments();
        options.any(|option| self.0.contains(option.get_id().as_str()))
    }
}

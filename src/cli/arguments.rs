//! The command line as it is written: options, environment variables, subcommands.
//!
//! Mirrors what a person types and nothing else; what it comes to together with the script's own
//! options is worked out in `resolve`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::cluster_arguments::ClusterArgs;
use super::health::{Ask, HealthArgs};
use super::typed::Typed;
use super::web_arguments::WebArgs;
use crate::control::{Changes, Selection, WatchChoice, Wish};
use crate::units::{self, Bytes, Rate};
use crate::watch::WatchMode;

/// Load test with user scenarios written in Rhai.
#[derive(Debug, Parser)]
#[command(
    name = "katydid",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Exit codes: 0 all went well; 1 requests failed or the script threw (another with \
                  --exit-code-on-error); 2 wrong usage or a script that does not load; 3 the run \
                  or a report could not be completed; 130 ended at once by a second Ctrl-C."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) run: Run,
}

impl Arguments {
    /// Those of this process.
    ///
    /// # Errors
    /// What is wrong with them, as clap says it.
    pub(super) fn typed() -> Result<Arguments, clap::Error> {
        let matches = Arguments::command().try_get_matches()?;
        let format = |error: clap::Error| error.format(&mut Arguments::command());
        let mut arguments = Arguments::from_arg_matches(&matches).map_err(format)?;
        arguments.run.typed = Typed::of(&matches);
        Ok(arguments)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check a script without running it; exits with 0 or 2.
    Check(Check),
    /// Run one user of a script and show each of its requests.
    Debug(Debug),
    /// Run a user of a script while you write it: each request shown, each save taken up.
    Dev(Dev),
    /// Write a commented starter script.
    New(New),
    /// Start the embedded demo server and run the coupon shop on it for 20 s, to be watched in a
    /// browser.
    Demo(Demo),
    /// Start the embedded demo server.
    #[command(after_help = TARGET_ROUTES)]
    Target(Target),
    /// Ask a Katydid on this machine whether it works; exits with 0 or 1.
    Health(Ask),
    /// Print the reference of the scenario language, or what it has about a word.
    Docs(Docs),
    /// Write definitions for Rhai's language server: completion and help in editors.
    Definitions(Definitions),
    /// Print a script that completes this command line in a shell.
    Completions(Completions),
}

/// What the embedded server answers.
const TARGET_ROUTES: &str = "\
Routes:
  GET  /hello               a line of text
  POST /login               {\"user\": any, \"password\": \"secret\"} gives {\"token\": …}; else 401
  POST /logout              with `Authorization: Bearer TOKEN`
  GET  /coupons             {\"coupons\": [{\"id\": 1, \"name\": …, \"left\": …}, …]}
  POST /coupons/ID/issue    with the token: 201 {\"serial\": …}, 409 when sold out, 401 without
  GET  /form                a log-in page with a CSRF token; POST it back
       /anything, /echo     the request as JSON; its body as it is
       /headers, /cookies   what came; /cookies/set?name=value
       /status/N, /bytes/N, /delay/MS, /redirect/N, /stream/N?delay=MS, /text
       /cut/N, /stall       half an answer; none at all
  GET  /requests            how many requests each route has had; POST /reset";

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Keep the shop running behind the web UI until Ctrl-C.
    #[arg(long)]
    pub(super) ui: bool,
    #[command(flatten)]
    pub(super) web: WebArgs,
}

/// Everything about a run.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The script to run.
    #[arg(
        short = 'f',
        long = "script",
        value_name = "FILE",
        env = "KATYDID_SCRIPT",
        default_value = "katydid.rhai"
    )]
    pub(super) script: PathBuf,
    /// Base URL of the target; wins over `host` in the script.
    #[arg(short = 'H', long, value_name = "URL", env = "KATYDID_HOST")]
    pub(super) host: Option<String>,
    /// The most users at once [default: 1].
    #[arg(short, long, value_name = "N", env = "KATYDID_USERS")]
    pub(super) users: Option<u32>,
    /// Users started per second [default: 1].
    #[arg(short = 'r', long, value_name = "RATE", env = "KATYDID_SPAWN_RATE", value_parser = rate)]
    pub(super) spawn_rate: Option<Rate>,
    /// How long to run: 300, 20s, 3m, 1h30m [default: until stopped].
    #[arg(short = 't', long, value_name = "TIME", env = "KATYDID_RUN_TIME", value_parser = length)]
    pub(super) run_time: Option<Duration>,
    /// Run exactly so many iterations over all users, then end.
    #[arg(short = 'i', long, value_name = "N", env = "KATYDID_ITERATIONS",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) iterations: Option<u64>,
    /// What a running task gets to finish when its user is stopped [default: 0].
    #[arg(short = 's', long, value_name = "TIME", env = "KATYDID_STOP_TIMEOUT",
          value_parser = length)]
    pub(super) stop_timeout: Option<Duration>,
    /// What all `on_stop` together get [default: 5].
    #[arg(long, value_name = "TIME", env = "KATYDID_ON_STOP_TIMEOUT", value_parser = length)]
    pub(super) on_stop_timeout: Option<Duration>,
    /// A value for `param(name, …)` in the script; repeatable.
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(super) params: Vec<(String, String)>,
    /// Seed of all random choices, to repeat a run [default: a new one each time].
    #[arg(long, value_name = "N", env = "KATYDID_SEED")]
    pub(super) seed: Option<u64>,
    /// Load threads [default: the cores this process may use].
    #[arg(long, value_name = "N", env = "KATYDID_THREADS",
          value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(super) threads: Option<u32>,
    /// What the variables of one user may hold, such as `64MB` [default: 256MiB].
    #[arg(long, value_name = "SIZE", env = "KATYDID_USER_MEMORY")]
    pub(super) user_memory: Option<Bytes>,
    /// What the bodies of all responses may take together: 500MB, 2GiB [default: a quarter of the
    /// memory].
    #[arg(long, value_name = "SIZE", env = "KATYDID_BODY_MEMORY")]
    pub(super) body_memory: Option<Bytes>,
    /// Start at once, without the web UI.
    #[arg(long, env = "KATYDID_HEADLESS", value_parser = FalseyValueParser::new())]
    pub(super) headless: bool,
    /// Print the tables only at the end.
    #[arg(long, env = "KATYDID_ONLY_SUMMARY", value_parser = FalseyValueParser::new())]
    pub(super) only_summary: bool,
    /// Print the result as one JSON document on stdout.
    #[arg(long)]
    pub(super) json: bool,
    /// Write PREFIX_stats.csv, _stats_history.csv, _failures.csv and _exceptions.csv.
    #[arg(long, value_name = "PREFIX", env = "KATYDID_CSV")]
    pub(super) csv: Option<PathBuf>,
    /// A row per name and second in the history, not only the total.
    #[arg(long, requires = "csv", env = "KATYDID_CSV_FULL_HISTORY",
          value_parser = FalseyValueParser::new())]
    pub(super) csv_full_history: bool,
    /// Write a report with charts, one HTML file, when the run has ended.
    #[arg(long, value_name = "FILE", env = "KATYDID_HTML")]
    pub(super) html: Option<PathBuf>,
    /// Exit code when requests failed or the script threw.
    #[arg(
        long,
        value_name = "N",
        env = "KATYDID_EXIT_CODE_ON_ERROR",
        default_value_t = 1
    )]
    pub(super) exit_code_on_error: u8,
    #[command(flatten)]
    pub(super) health: HealthArgs,
    #[command(flatten)]
    pub(super) following: FollowArgs,
    #[command(flatten)]
    pub(super) selection: SelectionArgs,
    #[command(flatten)]
    pub(super) web: WebArgs,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    #[arg(skip)]
    pub(super) typed: Typed,
}

impl Run {
    /// What is asked of the run.
    pub(super) fn wish(&self) -> Wish {
        Wish {
            host: self.host.clone(),
            users: self.users,
            spawn_rate: self.spawn_rate,
            run_time: self.run_time.map(Some),
            iterations: self.iterations.map(Some),
            stop_timeout: self.stop_timeout,
            on_stop_timeout: self.on_stop_timeout,
            params: self.params.clone(),
            seed: self.seed,
            threads: self.threads,
            user_memory: self.user_memory,
            body_memory: self.body_memory,
            selection: Selection {
                classes: self.selection.classes.clone(),
                changes: self.selection.changes.changes(),
            },
            ignores_shape: false,
            label: String::new(),
        }
    }
}

/// Arguments about classes and tasks.
#[derive(Debug, Default, Args)]
pub(super) struct SelectionArgs {
    /// The user classes to run, after all options [default: all].
    #[arg(
        value_name = "CLASS",
        env = "KATYDID_USER_CLASSES",
        value_delimiter = ' '
    )]
    pub(super) classes: Vec<String>,
    #[command(flatten)]
    pub(super) changes: ChangeArgs,
    /// List the user classes of the script and end.
    #[arg(short = 'l', long)]
    pub(super) list: bool,
    /// Show how likely each task is and end.
    #[arg(long)]
    pub(super) show_task_ratio: bool,
    /// The same as JSON.
    #[arg(long)]
    pub(super) show_task_ratio_json: bool,
}

impl SelectionArgs {
    /// True if something is to be shown instead of a run.
    pub(super) fn only_shows(&self) -> bool {
        self.list || self.show_task_ratio || self.show_task_ratio_json
    }
}

/// Arguments that change what the classes of a script are.
#[derive(Debug, Default, Args)]
pub(super) struct ChangeArgs {
    /// Only tasks with one of these tags.
    #[arg(short = 'T', long, value_name = "TAG", num_args = 1.., env = "KATYDID_TAGS")]
    pub(super) tags: Vec<String>,
    /// No tasks with one of these tags; wins over --tags.
    #[arg(short = 'E', long, value_name = "TAG", num_args = 1.., env = "KATYDID_EXCLUDE_TAGS")]
    pub(super) exclude_tags: Vec<String>,
    /// All classes and all tasks equally likely, whatever the script's weights.
    #[arg(long, env = "KATYDID_EQUAL_WEIGHTS", value_parser = FalseyValueParser::new())]
    pub(super) equal_weights: bool,
    /// Other attributes for classes: `[{"user_class_name": "A", "fixed_count": 3}]`, or a file
    /// with that; repeatable.
    #[arg(long, value_name = "JSON|FILE", env = "KATYDID_CONFIG_USERS")]
    pub(super) config_users: Vec<String>,
}

impl ChangeArgs {
    /// What is asked for.
    pub(super) fn changes(&self) -> Changes {
        Changes {
            tags: self.tags.clone(),
            exclude_tags: self.exclude_tags.clone(),
            equal_weights: self.equal_weights,
            config_users: self.config_users.clone(),
        }
    }
}

/// How an edited script is noticed.
#[derive(Debug, Args)]
pub(super) struct FollowArgs {
    /// Go on with the script when it is edited, even without a terminal.
    #[arg(long, env = "KATYDID_WATCH", value_parser = FalseyValueParser::new())]
    pub(super) watch: bool,
    /// Run the script as it is; only SIGHUP has it read again.
    #[arg(long, env = "KATYDID_NO_WATCH", conflicts_with_all = ["watch", "watch_poll"],
          value_parser = FalseyValueParser::new())]
    pub(super) no_watch: bool,
    /// Look for edits twice a second, for file systems that do not tell of them.
    #[arg(long, env = "KATYDID_WATCH_POLL", value_parser = FalseyValueParser::new())]
    pub(super) watch_poll: bool,
}

impl FollowArgs {
    /// A person at a terminal edits; a pipeline does not, and its files may be swept away.
    pub(super) fn watching(&self) -> WatchChoice {
        if self.watch_poll {
            WatchChoice::Files(WatchMode::Poll)
        } else if self.watch || !self.no_watch && std::io::stderr().is_terminal() {
            WatchChoice::Files(WatchMode::Auto)
        } else {
            WatchChoice::No
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The script to check.
    pub(super) script: PathBuf,
    /// Print the findings as JSON, for editors.
    #[arg(long)]
    pub(super) json: bool,
    /// A value for `param(name, …)` in the script; repeatable.
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(super) params: Vec<(String, String)>,
}

/// Of a few users at whom a person looks.
#[derive(Debug, Args)]
pub(super) struct DisplayArgs {
    /// How many bytes of each body are shown.
    #[arg(long, value_name = "BYTES", default_value_t = 400)]
    pub(super) body: usize,
    /// Base URL of the target; wins over `host` in the script.
    #[arg(short = 'H', long, value_name = "URL", env = "KATYDID_HOST")]
    pub(super) host: Option<String>,
    /// A value for `param(name, …)` in the script; repeatable.
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(super) params: Vec<(String, String)>,
    /// Seed of all random choices, to repeat a run [default: a new one each time].
    #[arg(long, value_name = "N", env = "KATYDID_SEED")]
    pub(super) seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Debug {
    /// The script to run.
    pub(super) script: PathBuf,
    /// The user class to run one user of [default: the first that has users].
    pub(super) class: Option<String>,
    #[command(flatten)]
    pub(super) changes: ChangeArgs,
    /// How many iterations it runs.
    #[arg(short = 'i', long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) iterations: u64,
    #[command(flatten)]
    pub(super) shown: DisplayArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "On a terminal the screen shows the last iteration: its requests, responses, \
                  verdicts and mistakes, and how often earlier ones went wrong. A save with \
                  mistakes is shown and the script before it goes on. When all users have ended, \
                  the next save starts anew. Ctrl-C ends."
)]
pub(super) struct Dev {
    /// The script to run, and to follow while it is edited.
    pub(super) script: PathBuf,
    /// The user class to run [default: the first that has users].
    pub(super) class: Option<String>,
    #[command(flatten)]
    pub(super) changes: ChangeArgs,
    /// How many users of it.
    #[arg(short, long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) users: u32,
    #[command(flatten)]
    pub(super) shown: DisplayArgs,
    /// Look for edits twice a second, for file systems that do not tell of them.
    #[arg(long, env = "KATYDID_WATCH_POLL", value_parser = FalseyValueParser::new())]
    pub(super) watch_poll: bool,
}

impl Dev {
    /// Whoever starts this edits.
    pub(super) fn watching(&self) -> WatchChoice {
        WatchChoice::Files(if self.watch_poll {
            WatchMode::Poll
        } else {
            WatchMode::Auto
        })
    }
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// The file to write; an existing one is left alone.
    pub(super) script: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Target {
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(super) host: std::net::IpAddr,
    /// The port to listen on; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub(super) port: u16,
    /// Threads that serve [default: the cores this process may use].
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Coupons of each kind.
    #[arg(long, value_name = "N", default_value_t = crate::target::Options::default().stock)]
    pub(super) stock: u64,
    #[command(flatten)]
    pub(super) health: HealthArgs,
}

#[derive(Debug, Args)]
pub(super) struct Docs {
    /// A word of the language, such as `between` or `r.json`.
    pub(super) word: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Definitions {
    /// The folder to write to; it is made if it is missing.
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    pub(super) shell: clap_complete::Shell,
}

fn length(text: &str) -> Result<Duration, units::Invalid> {
    units::parse_duration(text)
}

fn rate(text: &str) -> Result<Rate, units::Invalid> {
    text.parse::<Rate>()?.of_users(text)
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as `language=ko`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_run_is_written_as_with_locust() {
        let line = "katydid -f a.rhai -H http://h -u 100 -r 10 -t 1m30s -s 2 --headless -p a=b=c";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let run = arguments.run;
        assert_eq!(
            (run.users, run.run_time),
            (Some(100), Some(Duration::from_secs(90)))
        );
        assert_eq!(run.spawn_rate.map(Rate::per_sec), Some(10.0));
        assert_eq!(run.params, [("a".to_owned(), "b=c".to_owned())]);
    }

    #[test]
    fn a_wrong_option_is_answered_with_the_right_one() {
        let wrong = Arguments::try_parse_from(["katydid", "--user", "5"]).unwrap_err();
        assert!(wrong.to_string().contains("--users"), "{wrong}");
        let wrong = Arguments::try_parse_from(["katydid", "-t", "fast"]).unwrap_err();
        assert!(wrong.to_string().contains("1m30s"), "{wrong}");
    }
}

//! Everything that shows the results of one run.
//!
//! Owns which outputs there are and where their files lie; what is in them is `output`'s and `web`'s.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::arguments;
use crate::control::{RunView, View, Wish};
use crate::output::{Console, Csv, HistoryRows, Json, Output, OutputError, RunInfo, Tables};
use crate::screen::show;
use crate::stats::Summary;
use crate::web::Html;

/// The outputs of a run.
pub(super) struct Outputs {
    all: Vec<Box<dyn Output>>,
    html: Option<Html>,
}

impl Outputs {
    /// Of run `number` of the process, counted from 1: from the second on, files get the number before
    /// their ending.
    pub(super) fn new(arguments: &arguments::Run, wish: &Wish, number: u32) -> Outputs {
        let tables = if arguments.only_summary {
            Tables::Final
        } else {
            Tables::Periodic
        };
        let console = Console::new(std::io::stderr(), show::width(), tables);
        let mut all: Vec<Box<dyn Output>> = vec![Box::new(console)];
        if let Some(prefix) = &arguments.csv {
            let rows = if arguments.csv_full_history {
                HistoryRows::All
            } else {
                HistoryRows::Total
            };
            let mut prefix = prefix.clone().into_os_string();
            if number > 1 {
                prefix.push(format!("-{number}"));
            }
            all.push(Box::new(Csv::new(prefix, rows)));
        }
        if arguments.json {
            all.push(Box::new(Json::new(std::io::stdout())));
        }
        let html = arguments.html.as_deref();
        let html = html.map(|path| Html::new(&numbered(&filled(path, wish), number)));
        Outputs { all, html }
    }

    pub(super) fn start(&mut self, run: &RunInfo) {
        self.each(|output| output.start(run));
    }

    pub(super) fn tick(&mut self, summary: &Summary) {
        self.each(|output| output.tick(summary));
    }

    /// False if an output is incomplete.
    pub(super) fn finish(&mut self, summary: &Summary, view: &View) -> bool {
        let is_complete = self.each(|output| output.finish(summary));
        let run = view.run.as_ref();
        let Some((html, run)) = self.html.as_ref().zip(run) else {
            return is_complete;
        };
        self.write(html, view, run) && is_complete
    }

    fn write(&self, html: &Html, view: &View, run: &Arc<RunView>) -> bool {
        match html.write(view, run) {
            Ok(()) => true,
            Err(error) => {
                let message = format!(
                    "can't write the report `{}`: {error}",
                    html.path().display()
                );
                show::error(&message, Some("give `--html` a place where you may write"));
                false
            }
        }
    }

    fn each(&mut self, mut work: impl FnMut(&mut dyn Output) -> Result<(), OutputError>) -> bool {
        let mut complete = true;
        for output in &mut self.all {
            if let Err(error) = work(output.as_mut()) {
                complete = false;
                show::error(&error.to_string(), None);
            }
        }
        complete
    }
}

/// The path with users, rate and run time for `{u}`, `{r}` and `{t}`, as in Locust.
fn filled(path: &Path, wish: &Wish) -> PathBuf {
    let Some(text) = path.to_str().filter(|text| text.contains('{')) else {
        return path.to_owned();
    };
    let users = wish.users.unwrap_or(1).to_string();
    let rate = wish
        .spawn_rate
        .map_or(1.0, |rate| rate.per_sec())
        .to_string();
    let run_time = wish
        .run_time
        .flatten()
        .map_or(0, |time| time.as_secs())
        .to_string();
    let filled = text
        .replace("{u}", &users)
        .replace("{r}", &rate)
        .replace("{t}", &run_time);
    filled.into()
}

/// The path of run `number`: `report.html`, `report-2.html`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let mut name: OsString = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::units::Rate;

    #[test]
    fn reports_are_named_after_the_run() {
        let wish = Wish {
            users: Some(50),
            spawn_rate: Rate::from_per_sec(2.5).ok(),
            run_time: Some(Some(Duration::from_secs(90))),
            ..Wish::default()
        };
        let path = filled(Path::new("out/{u}x{r}_{t}.html"), &wish);
        assert_eq!(path, Path::new("out/50x2.5_90.html"));
        assert_eq!(numbered(&path, 1), path);
        assert_eq!(numbered(&path, 2), Path::new("out/50x2.5_90-2.html"));
        assert_eq!(numbered(Path::new("r"), 3), Path::new("r-3"));
    }
}

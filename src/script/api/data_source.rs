//! Data sources in scripts: `csv(…)` and the like, and what tasks do with them.
//!
//! Owns rows as script values and the methods of a data source. `data` reads files and gives out
//! rows; `declare` has the declarations.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use rhai::{Array, Dynamic, Engine, Identifier, ImmutableString, Map, NativeCallContext};

use super::functions::draw;
use super::json;
use crate::coroutine::{self, NotAwaited};
use crate::data::{Cell, Mode, Row, Source, Table};
use crate::language::DATA_SOURCE;
use crate::script::diagnostic::{Diagnostic, found};
use crate::script::load::declare::Declarations;
use crate::script::plain;
use crate::script::results::Result;
use crate::script::run::failure::{Control, EvaluationStop};
use crate::script::run::listeners::cannot_wait;
use crate::script::run::user::User;

/// A data source as scripts of one thread see it. Cloning copies no row and touches nothing that
/// threads share.
#[derive(Clone)]
pub(crate) struct DataSource(Rc<SourceHandle>);

struct SourceHandle {
    /// `None` if it could not be read: that was noted, and the rest of the top level is evaluated
    /// to find what else is wrong.
    source: Option<Arc<Source>>,
    /// The columns of a table.
    names: Vec<Identifier>,
    mode: Mode,
    seed: u64,
}

impl DataSource {
    pub(crate) fn new(source: Option<Arc<Source>>, mode: Mode, seed: u64) -> DataSource {
        let table = source.as_ref().and_then(|source| source.rows.table());
        let names = table.map_or(&[][..], Table::names).iter();
        DataSource(Rc::new(SourceHandle {
            names: names.map(|name| name.as_ref().into()).collect(),
            source,
            mode,
            seed,
        }))
    }

    fn source(&self) -> Result<&Arc<Source>> {
        self.0
            .source
            .as_ref()
            .ok_or_else(|| EvaluationStop::NotLoaded.into())
    }

    fn count(&self) -> Result<usize> {
        Ok(self.source()?.rows.count())
    }

    /// A row as a value of the script's own.
    fn row(&self, index: usize) -> Result<Dynamic> {
        let source = self.source()?;
        match source.rows.get(index) {
            Some(Row::Of(table, row)) => {
                let columns = self.0.names.iter().enumerate();
                let cells = columns.map(|(column, name)| (name.clone(), cell(table, row, column)));
                Ok(Dynamic::from_map(cells.collect()))
            }
            Some(Row::Text(text)) => Ok(ImmutableString::from(text).into()),
            Some(Row::Json(text)) => {
                // What could not be had as it is was refused when the file was read.
                let read = json::read(text.as_bytes())?;
                let read = read.map_err(|error| format!("row {index}: {error}"))?;
                Ok(read.value)
            }
            Some(Row::Value(value)) => Ok(plain::dynamic(value)),
            None => Err(format!("there is no row {index}").into()),
        }
    }

    /// The row whose turn it is; `None` when all are used up.
    ///
    /// The only place that asks for a turn. Within one process that is an atomic addition without a
    /// wait; where a master has the count the user may wait for it, so callers must not hold a
    /// borrow. The open verdict stays open, wait or no wait.
    fn turn(&self, context: &NativeCallContext) -> Result<Option<usize>> {
        let source = self.source()?;
        if self.0.mode == Mode::Random {
            return self.any(context).map(Some);
        }
        let seed = self.0.seed;
        let row = match source.turns.at_once(seed) {
            Poll::Ready(row) => row,
            Poll::Pending => {
                let waited = coroutine::await_in(source.turns.take(seed));
                waited.map_err(|not| match not {
                    NotAwaited::Cancelled => Control::Cancelled.into(),
                    NotAwaited::Outside => cannot_wait(&format!("`{}`", context.fn_name())),
                })?
            }
        };
        Ok(row.and_then(|row| usize::try_from(row).ok()))
    }

    /// Any row, drawn from the caller's random stream.
    fn any(&self, context: &NativeCallContext) -> Result<usize> {
        let rows = self.count()? as u64;
        let row = draw(context, |random| random.below(rows))?;
        Ok(usize::try_from(row).unwrap_or(0))
    }

    /// An array with a value for each row, if it may be that large.
    fn array(
        &self,
        context: &NativeCallContext,
        value: impl Fn(usize) -> Result<Dynamic>,
    ) -> Result<Dynamic> {
        let rows = self.count()?;
        let most = context.engine().max_array_size();
        if rows > most {
            return Err(format!(
                "{rows} rows are more than an array may have ({most}): `for row in …`, `[i]` and \
                 `.random()` copy none"
            )
            .into());
        }
        let values: Result<Array> = (0..rows).map(value).collect();
        Ok(values?.into())
    }
}

fn cell(table: &Table, row: usize, column: usize) -> Dynamic {
    match table.cell(row, column) {
        Some(Cell::Int(number)) => number.into(),
        Some(Cell::Float(number)) => number.into(),
        Some(Cell::Text(text)) => ImmutableString::from(text).into(),
        Some(Cell::Missing) | None => Dynamic::UNIT,
    }
}

/// Registers the methods of data sources.
pub(crate) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<DataSource>(DATA_SOURCE)
        .register_fn(
            "next",
            |context: NativeCallContext, data: &mut DataSource| next(&context, data),
        )
        .register_fn(
            "try_next",
            |context: NativeCallContext, data: &mut DataSource| try_next(&context, data),
        )
        .register_fn(
            "random",
            |context: NativeCallContext, data: &mut DataSource| data.row(data.any(&context)?),
        )
        .register_fn("len", |data: &mut DataSource| length(data))
        .register_get("len", |data: &mut DataSource| length(data))
        .register_indexer_get(|data: &mut DataSource, index: i64| at(data, index))
        .register_fn(
            "to_array",
            |context: NativeCallContext, data: &mut DataSource| {
                data.array(&context, |row| data.row(row))
            },
        )
        .register_fn(
            "column",
            |context: NativeCallContext, data: &mut DataSource, name: &str| {
                column(&context, data, name)
            },
        )
        .register_iterator_result::<DataSource, Dynamic>();
}

/// The next row; for users only, since at the top level each evaluation would take one.
fn next(context: &NativeCallContext, data: &DataSource) -> Result<Dynamic> {
    if let Some(row) = at_top_level(context, data)? {
        return Ok(row);
    }
    let data = data.clone();
    match data.turn(context)? {
        Some(row) => data.row(row),
        None => Err(User::of(context)?.end(Control::StopUser)),
    }
}

fn try_next(context: &NativeCallContext, data: &DataSource) -> Result<Dynamic> {
    if let Some(row) = at_top_level(context, data)? {
        return Ok(row);
    }
    let data = data.clone();
    match data.turn(context)? {
        Some(row) => data.row(row),
        None => Ok(Dynamic::UNIT),
    }
}

/// At the top level, notes an error and returns some row to continue with.
fn at_top_level(context: &NativeCallContext, data: &DataSource) -> Result<Option<Dynamic>> {
    let Some(declarations) = Declarations::of(context) else {
        return Ok(None);
    };
    let name = context.fn_name();
    if declarations.moment.get().is_some() {
        return Err(format!("`{name}` takes a row for a user, and here is none").into());
    }
    let message = format!("`{name}` at the top level, where there is no user to take a row");
    let file = context.call_source().unwrap_or_default();
    let finding: Diagnostic = found(file, context.call_position(), message);
    declarations.problems.borrow_mut().push(finding.hint(
        "take it in a task or in `on_start`; `[0]`, `for` and `.column(…)` read without taking",
    ));
    data.row(0).map(Some)
}

fn length(data: &DataSource) -> Result<i64> {
    Ok(i64::try_from(data.count()?).unwrap_or(i64::MAX))
}

fn at(data: &DataSource, index: i64) -> Result<Dynamic> {
    let rows = data.count()?;
    match usize::try_from(index) {
        Ok(row) if row < rows => data.row(row),
        _ => Err(format!(
            "there is no row {index}: they are numbered from 0 to {}",
            rows - 1
        )
        .into()),
    }
}

fn column(context: &NativeCallContext, data: &DataSource, name: &str) -> Result<Dynamic> {
    if let Some(table) = data.source()?.rows.table() {
        let Some(column) = table.names().iter().position(|known| **known == *name) else {
            let names = table.names().join("`, `");
            return Err(format!("there is no column `{name}`: there are `{names}`").into());
        };
        return data.array(context, |row| Ok(cell(table, row, column)));
    }
    data.array(context, |index| {
        let row = data.row(index)?;
        let value = row.read_lock::<Map>().map(|row| row.get(name).cloned());
        value.map(Option::unwrap_or_default).ok_or_else(|| {
            let kind = crate::script::value::kind(&row);
            format!("row {index} has no columns: it is {kind}").into()
        })
    })
}

/// `for row in data`.
pub(crate) struct Each {
    data: DataSource,
    next: usize,
}

impl Iterator for Each {
    type Item = Result<Dynamic>;

    fn next(&mut self) -> Option<Result<Dynamic>> {
        match self.data.count() {
            Ok(rows) if self.next < rows => {
                self.next += 1;
                Some(self.data.row(self.next - 1))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl IntoIterator for DataSource {
    type Item = Result<Dynamic>;
    type IntoIter = Each;

    fn into_iter(self) -> Each {
        Each {
            data: self,
            next: 0,
        }
    }
}

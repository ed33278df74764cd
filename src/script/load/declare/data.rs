//! `csv`, `json_file`, `lines` and `rows`: data that all users share.
//!
//! Owns reading the declarations and their options. `data` reads the files; `data_source` is what
//! tasks do with rows.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};

use super::Declarations;
use crate::data::{CsvFormat, Declared, Fault, Format, Mode, Origin, Source, TextColumns, Value};
use crate::language::{self, Kind};
use crate::scenario::names::did_you_mean;
use crate::script::api::data_source::DataSource;
use crate::script::results::Result;
use crate::script::{plain, value};

/// Registers what this file owns.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("csv", |context: NativeCallContext, path: &str| {
            csv(&context, path, &Map::new())
        })
        .register_fn(
            "csv",
            |context: NativeCallContext, path: &str, options: Map| csv(&context, path, &options),
        )
        .register_fn("json_file", |context: NativeCallContext, path: &str| {
            file(&context, path, &Map::new(), Format::Json)
        })
        .register_fn(
            "json_file",
            |context: NativeCallContext, path: &str, options: Map| {
                file(&context, path, &options, Format::Json)
            },
        )
        .register_fn("lines", |context: NativeCallContext, path: &str| {
            file(&context, path, &Map::new(), Format::Lines)
        })
        .register_fn(
            "lines",
            |context: NativeCallContext, path: &str, options: Map| {
                file(&context, path, &options, Format::Lines)
            },
        )
        .register_fn("rows", |context: NativeCallContext, array: Array| {
            rows(&context, &array, &Map::new())
        })
        .register_fn(
            "rows",
            |context: NativeCallContext, array: Array, options: Map| {
                rows(&context, &array, &options)
            },
        );
}

fn csv(context: &NativeCallContext, path: &str, options: &Map) -> Result<DataSource> {
    let declarations = Declarations::required(context)?;
    match csv_format(options) {
        Ok(format) => file(context, path, options, Format::Csv(format)),
        Err(fault) => Ok(not_loaded(context, &declarations, &fault)),
    }
}

fn file(
    context: &NativeCallContext,
    path: &str,
    options: &Map,
    format: Format,
) -> Result<DataSource> {
    let declarations = Declarations::required(context)?;
    let importer = context.call_source().unwrap_or_default();
    let source = mode(context, options).and_then(|mode| {
        let origin = Origin::File(beside(importer, path), format);
        let repeated = declarations.repeated(&origin, mode);
        let source = declarations.inputs.sources.file(Declared {
            origin,
            mode,
            repeated,
        })?;
        Ok((source, mode))
    });
    Ok(made(context, &declarations, source))
}

fn rows(context: &NativeCallContext, array: &Array, options: &Map) -> Result<DataSource> {
    let declarations = Declarations::required(context)?;
    let source = mode(context, options).and_then(|mode| {
        let values = array.iter().enumerate().map(|(index, value)| {
            plain::plain(value).map_err(|wrong| Fault {
                message: format!("row {index}: {wrong}"),
                hint: Some("rows are data: numbers, text, arrays and maps".to_owned()),
            })
        });
        let values = values.collect::<Result<Vec<Value>, Fault>>()?;
        let repeated = |origin: &Origin| declarations.repeated(origin, mode);
        let source = declarations.inputs.sources.array(values, mode, repeated)?;
        Ok((source, mode))
    });
    Ok(made(context, &declarations, source))
}

fn made(
    context: &NativeCallContext,
    declarations: &Declarations,
    source: Result<(Arc<Source>, Mode), Fault>,
) -> DataSource {
    match source {
        Ok((source, mode)) => DataSource::new(Some(source), mode, declarations.inputs.seed),
        Err(fault) => not_loaded(context, declarations, &fault),
    }
}

/// Notes what is wrong, and continues without the data.
fn not_loaded(
    context: &NativeCallContext,
    declarations: &Declarations,
    fault: &Fault,
) -> DataSource {
    declarations.problem(context, &fault.message, fault.hint.as_deref());
    DataSource::new(None, Mode::Circular, 0)
}

/// The path of the file that a script means: beside the script, unless it is absolute.
fn beside(script: &str, path: &str) -> PathBuf {
    let folder = Path::new(script).parent().unwrap_or_else(|| Path::new(""));
    let mut whole = PathBuf::new();
    for component in folder.join(path).components() {
        if component != Component::CurDir {
            whole.push(component);
        }
    }
    whole
}

/// The option `mode`; and whether all others are options of that function.
fn mode(context: &NativeCallContext, options: &Map) -> Result<Mode, Fault> {
    let function = context.fn_name();
    let kind = match function {
        "csv" => Kind::CsvOption,
        _ => Kind::DataOption,
    };
    let known: Vec<_> = language::of_kind(kind).map(|word| word.name).collect();
    if let Some(unknown) = options.keys().find(|key| !known.contains(&key.as_str())) {
        let hint = did_you_mean(unknown, known.iter().copied())
            .unwrap_or_else(|| format!("`{function}` takes {}", known.join(", ")));
        return Err(Fault {
            message: format!("unknown option `{unknown}` of `{function}`"),
            hint: Some(hint),
        });
    }
    let Some(value) = options.get("mode") else {
        return Ok(Mode::Circular);
    };
    let name = value::text(value).ok_or_else(|| expected("mode", "text", value))?;
    let mode = Mode::ALL.iter().find(|(known, _)| *known == name);
    mode.map(|(_, mode)| *mode).ok_or_else(|| {
        let names = || Mode::ALL.iter().map(|(name, _)| *name);
        Fault {
            message: format!("unknown mode `{name}`"),
            hint: Some(did_you_mean(&name, names()).unwrap_or_else(|| {
                format!(
                    "a mode is one of {}",
                    names().collect::<Vec<_>>().join(", ")
                )
            })),
        }
    })
}

fn csv_format(options: &Map) -> Result<CsvFormat, Fault> {
    let mut format = CsvFormat::default();
    if let Some(value) = options.get("delimiter") {
        format.delimiter = delimiter(value)?;
    }
    if let Some(value) = options.get("columns") {
        let names = names("columns", value)?;
        if names.is_empty() {
            return Err(wrong(
                "`columns` is empty",
                "it names the columns in their order",
            ));
        }
        format.columns = Some(names);
        format.header = false;
    }
    if let Some(value) = options.get("header") {
        let is_there = value.as_bool();
        format.header = is_there.map_err(|_| expected("header", "true or false", value))?;
        if !format.header && format.columns.is_none() {
            return Err(wrong(
                "`header: false` leaves the columns without names",
                "name them: `columns: [\"id\", \"name\"]`",
            ));
        }
    }
    if let Some(value) = options.get("text") {
        format.text = match value.as_bool() {
            Ok(true) => TextColumns::All,
            Ok(false) => TextColumns::Named(Vec::new()),
            Err(_) => TextColumns::Named(names("text", value)?),
        };
    }
    Ok(format)
}

fn delimiter(value: &Dynamic) -> Result<u8, Fault> {
    let text = match value.as_char() {
        Ok(letter) => letter.to_string(),
        Err(_) => value::text(value).ok_or_else(|| expected("delimiter", "text", value))?,
    };
    match text.as_bytes() {
        [b'"' | b'\n' | b'\r'] => Err(wrong(
            "`delimiter` cannot be a quote or the end of a line",
            "it separates the values of one line: `\",\"`, `\";\"`, `\"\\t\"`",
        )),
        [byte] => Ok(*byte),
        _ => Err(Fault {
            message: format!(
                "`delimiter` is one ASCII character, not `{}`",
                text.escape_debug()
            ),
            hint: Some("tabs are written `\"\\t\"`".to_owned()),
        }),
    }
}

fn names(option: &str, value: &Dynamic) -> Result<Vec<String>, Fault> {
    let array = value.read_lock::<Array>();
    let array = array.ok_or_else(|| expected(option, "an array of names", value))?;
    let name = |value: &Dynamic| {
        let name = value.read_lock::<ImmutableString>();
        let name = name.ok_or_else(|| expected(option, "an array of names", value))?;
        Ok(name.to_string())
    };
    array.iter().map(name).collect()
}

fn expected(option: &str, what: &str, value: &Dynamic) -> Fault {
    Fault {
        message: format!("`{option}` is {what}, not {}", value::kind(value)),
        hint: None,
    }
}

fn wrong(message: &str, hint: &str) -> Fault {
    Fault {
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_to_the_script_that_names_it() {
        let beside = |script, path| beside(script, path).display().to_string();
        assert_eq!(beside("scripts/shop.rhai", "a.csv"), "scripts/a.csv");
        assert_eq!(beside("shop.rhai", "./data/a.csv"), "data/a.csv");
        assert_eq!(beside("shop.rhai", "../a.csv"), "../a.csv");
        assert_eq!(beside("scripts/shop.rhai", "/tmp/a.csv"), "/tmp/a.csv");
    }
}

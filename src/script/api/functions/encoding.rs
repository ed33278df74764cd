//! From values to text and back: JSON, Base64, URLs; joining, picking, the environment.
//!
//! Pure functions of their arguments, but for `env`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rhai::{Array, Blob, Dynamic, Engine, Map, NativeCallContext};

use crate::script::api::json;
use crate::script::api::response::tell_changed;
use crate::script::load::declare::Declarations;
use crate::script::load::environment::NotSent;
use crate::script::results::Result;
use crate::script::run::user::User;
use crate::script::value;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("parse_json", |context: NativeCallContext, text: &str| -> Result<Dynamic> {
            let read = json::read(text.as_bytes())?;
            let read = read.map_err(|error| format!("this is not JSON: {error}"))?;
            tell_changed(&context, read.changed);
            Ok(read.value)
        })
        .register_fn("to_json", |value: Dynamic| json::text(&value))
        // A method of maps in Rhai, which would write what has no JSON form in its own way.
        .register_fn("to_json", |map: &mut Map| json::text(&Dynamic::from_map(map.clone())))
        .register_fn("base64_encode", |text: &str| STANDARD.encode(text))
        .register_fn("base64_encode", |bytes: Blob| STANDARD.encode(bytes))
        .register_fn("base64_decode", |text: &str| -> Result<Dynamic> {
            let bytes = STANDARD
                .decode(text)
                .map_err(|error| format!("this is not Base64: {error}"))?;
            Ok(match String::from_utf8(bytes) {
                Ok(text) => text.into(),
                Err(error) => Dynamic::from_blob(error.into_bytes()),
            })
        })
        .register_fn("url_encode", |text: &str| {
            url::form_urlencoded::byte_serialize(text.as_bytes())
                .collect::<String>()
                .replace('+', "%20")
        })
        .register_fn("join", |array: Array, separator: &str| {
            let texts: Vec<_> = array.iter().map(value::shown).collect();
            texts.join(separator)
        })
        .register_fn("get", |map: &mut Map, key: &str, default: Dynamic| {
            map.get(key).cloned().unwrap_or(default)
        })
        .register_fn("env", |context: NativeCallContext, name: &str| -> Result<String> {
            env(&context, name)?.ok_or_else(|| {
                format!("the environment variable `{name}` is not set: `env(\"{name}\", \"…\")` takes a default")
                    .into()
            })
        })
        .register_fn("env", |context: NativeCallContext, name: &str, default: Dynamic| -> Result<Dynamic> {
            Ok(env(&context, name)?.map_or(default, Dynamic::from))
        });
}

fn env(context: &NativeCallContext, name: &str) -> Result<Option<String>> {
    let (value, secrets) = if let Some(declarations) = Declarations::of(context) {
        let value = declarations.inputs.environment.read(name);
        (value, declarations.secrets.clone())
    } else {
        let user = User::of(context)?;
        let value = user.class.environment.get(name);
        (value, user.class.secrets.clone())
    };
    let value = value.map_err(|NotSent| {
        format!(
            "the environment variable `{name}` is not on this worker: those are sent whose names \
             stand in the script, as in `env(\"{name}\")`, or that the top level reads"
        )
    })?;
    if let Some(value) = &value {
        secrets.add_if_long(value);
    }
    Ok(value)
}

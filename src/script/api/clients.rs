//! `http_client(#{ host, … })`: additional clients of a user, each with a session of its own.
//!
//! Owns their options. What clients with the same options share is made once per load thread;
//! connections, cookies and headers are separate. Samples count under the same user.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use rhai::{Engine, Map, NativeCallContext};
use rustc_hash::FxBuildHasher;

use super::fields::header;
use super::fields::pairs;
use super::headers;
use crate::http::{self, Session};
use crate::language;
use crate::script::api::channel::{Channel, Client};
use crate::script::load::class::credentials;
use crate::script::load::http_options;
use crate::script::results::Result;
use crate::script::run::routes::Destination;
use crate::script::run::user::User;
use crate::script::value;

/// How many different options are cached; a script that uses more gets uncached clients.
const KEPT: usize = 64;

/// Registers what this file owns.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_fn(
        "http_client",
        |context: NativeCallContext, options: Map| -> Result<Client> {
            let user = User::of(&context)?;
            let source = context.call_source().unwrap_or_default();
            let made = user.generation.client_cache.of(&user, &options, source)?;
            let channel = Channel::new(
                Session::new(&made.client),
                made.destination.clone(),
                &made.headers,
                made.auth.as_ref(),
            );
            user.add_channel(&channel);
            Ok(Client { user, channel })
        },
    );
}

/// What additional clients of one generation share on one thread, by their options.
#[derive(Default)]
pub(crate) struct ClientCache(RefCell<HashMap<String, Rc<SharedClient>, FxBuildHasher>>);

/// What clients with the same options share.
struct SharedClient {
    client: http::Client,
    destination: Rc<Destination>,
    headers: Vec<(String, String)>,
    auth: Option<(String, String)>,
}

impl ClientCache {
    fn of(&self, user: &User, options: &Map, source: &str) -> Result<Rc<SharedClient>, String> {
        // The default host comes from the class, and certificates are found beside the script.
        let key = format!("{} {source} {options:?}", user.class.index);
        if let Some(known) = self.0.borrow().get(&key) {
            return Ok(known.clone());
        }
        let made = Rc::new(SharedClient::read(user, options, source)?);
        let mut all = self.0.borrow_mut();
        if all.len() < KEPT {
            all.insert(key, made.clone());
        }
        Ok(made)
    }
}

impl SharedClient {
    fn read(user: &User, options: &Map, source: &str) -> Result<SharedClient, String> {
        let mut http = http::Options {
            files: user.generation.program.files.clone(),
            ..http::Options::default()
        };
        let mut destination = user.channel.destination.clone();
        let (mut given_headers, mut auth) = (Vec::new(), None);
        for (key, value) in options {
            let wrong = |what: &str| {
                let kind = value::kind(value);
                format!("`{key}` of `http_client` is {what}, not {kind}")
            };
            match key.as_str() {
                "host" => {
                    let text = value::text(value).ok_or_else(|| wrong("text"))?;
                    let parsed = http::Base::parse(&text);
                    let base = parsed.map_err(|wrong| format!("`host`: {wrong}"))?;
                    destination = Rc::new(Destination::new(Some(base)));
                }
                "headers" => {
                    given_headers = pairs(value).map_err(|bad| bad.said(key, || wrong("a map")))?;
                    headers::within(&given_headers)
                        .map_err(|wrong| format!("`headers`: {wrong}"))?;
                    for (name, value) in &given_headers {
                        header(name, value)?;
                    }
                }
                "auth" => {
                    let given = credentials(value);
                    auth = Some(given.ok_or_else(|| wrong("`[\"user\", \"password\"]`"))?);
                }
                other => {
                    let known = http_options::set(&mut http, other, value);
                    if !known.map_err(|(problem, _)| problem)? {
                        return Err(unknown(other));
                    }
                }
            }
        }
        let directory = Path::new(source).parent().unwrap_or(Path::new(""));
        http_options::find_files(&mut http, directory)?;
        let client = http::Client::new(http, user.thread.parts.timers.clone());
        let client = client.map_err(|error| error.to_string())?;
        if let Some(tracer) = &user.thread.tracer {
            client.tap(tracer.clone());
        }
        Ok(SharedClient {
            client,
            destination,
            headers: given_headers,
            auth,
        })
    }
}

fn unknown(option: &str) -> String {
    let known: Vec<_> = language::of_kind(language::Kind::ClientOption)
        .map(|word| format!("`{}`", word.name))
        .collect();
    format!(
        "`http_client` has no option `{option}`: it takes {}",
        known.join(", ")
    )
}

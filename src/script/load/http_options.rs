//! How requests are made, as a script says it: the options that a class and a client of its own
//! have in common.
//!
//! Owns their names and values. Who uses them, and all other attributes of a class, are
//! elsewhere.

use std::path::{Path, PathBuf};

use rhai::Dynamic;

use crate::http::{Options, Protocol, Proxy};
use crate::script::results::Problem;
use crate::script::value;

/// The most requests that a user may have under way at once.
const MAX_CONCURRENCY: u32 = 1_000;

/// Sets one option; `false` if `key` is none.
///
/// # Errors
/// What is wrong with its value.
pub(crate) fn set(options: &mut Options, key: &str, value: &Dynamic) -> Result<bool, Problem> {
    let wrong = |what: &str| {
        let found = match value::whole(value) {
            Some(number) => number.to_string(),
            None => value::kind(value).to_owned(),
        };
        (format!("`{key}` is {what}, not {found}"), None)
    };
    let length = || value::duration(value).map_err(|wrong| (format!("`{key}`: {wrong}"), None));
    let count = || {
        value::whole(value)
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| wrong("a whole number from 0"))
    };
    let text = || value::text(value).ok_or_else(|| wrong("text"));
    let file = || text().map(|path| Some(PathBuf::from(path)));
    match key {
        "connection_timeout" => options.connection_timeout = length()?,
        "network_timeout" => options.network_timeout = length()?,
        "max_redirects" => options.max_redirects = count()?,
        "max_retries" => options.max_retries = count()?,
        "insecure" => {
            options.insecure = value.as_bool().map_err(|_| wrong("true or false"))?;
        }
        "concurrency" => match count()? {
            count @ 1..=MAX_CONCURRENCY => options.concurrency = count,
            _ => {
                let message = format!("`concurrency` is a number from 1 to {MAX_CONCURRENCY}");
                return Err((message, None));
            }
        },
        "http" => options.protocol = protocol(&text()?)?,
        "proxy" => {
            let proxy = Proxy::parse(&text()?);
            options.proxy = Some(proxy.map_err(|wrong| (format!("`proxy`: {wrong}"), None))?);
        }
        "ca" => options.ca = file()?,
        "client_cert" => options.client_cert = file()?,
        "client_key" => options.client_key = file()?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// What `http: "…"` stands for.
pub(crate) fn protocol(text: &str) -> Result<Protocol, Problem> {
    match text {
        "auto" => Ok(Protocol::Auto),
        "1.1" => Ok(Protocol::Http1),
        "2" => Ok(Protocol::Http2),
        other => {
            let message = format!("`{other}` is no version of HTTP that Katydid speaks");
            let hint = "write `http: \"auto\"`, `http: \"1.1\"` or `http: \"2\"`";
            Err((message, Some(hint.to_owned())))
        }
    }
}

/// Looks for the files of certificates beside the script, and reads them once.
///
/// # Errors
/// Which file is wrong, and why.
pub(crate) fn find_files(options: &mut Options, directory: &Path) -> Result<(), String> {
    let files = [
        &mut options.ca,
        &mut options.client_cert,
        &mut options.client_key,
    ];
    for path in files.into_iter().flatten() {
        *path = directory.join(&*path);
    }
    options.check().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(key: &str, value: impl Into<Dynamic>) -> String {
        let result = set(&mut Options::default(), key, &value.into());
        result.unwrap_err().0
    }

    #[test]
    fn options_are_read_and_others_left_alone() {
        let mut options = Options::default();
        for (key, value) in [
            ("http", Dynamic::from("2")),
            ("proxy", "http://localhost:3128".into()),
            ("concurrency", 3_i64.into()),
            ("network_timeout", "250ms".into()),
            ("client_key", "key.pem".into()),
        ] {
            assert_eq!(set(&mut options, key, &value), Ok(true), "{key}");
        }
        assert_eq!(set(&mut options, "host", &Dynamic::UNIT), Ok(false));
        assert_eq!(options.protocol, Protocol::Http2);
        assert_eq!(options.concurrency, 3);
        assert_eq!(options.network_timeout.as_millis(), 250);
        assert!(options.proxy.is_some());
        // The file is looked for beside the script, and the key without its certificate refused.
        let error = find_files(&mut options, Path::new("/scripts")).unwrap_err();
        assert_eq!(
            options.client_key.as_deref(),
            Some(Path::new("/scripts/key.pem"))
        );
        assert!(
            error.contains("`client_key` needs `client_cert`"),
            "{error}"
        );
    }

    #[test]
    fn wrong_values_are_named() {
        assert_eq!(
            problem("insecure", 1_i64),
            "`insecure` is true or false, not 1"
        );
        assert_eq!(
            problem("http", "3"),
            "`3` is no version of HTTP that Katydid speaks"
        );
        assert!(problem("proxy", "localhost:1").contains("did you mean"));
        assert_eq!(
            problem("concurrency", 0_i64),
            "`concurrency` is a number from 1 to 1000"
        );
        assert_eq!(
            problem("max_retries", -1_i64),
            "`max_retries` is a whole number from 0, not -1"
        );
    }
}

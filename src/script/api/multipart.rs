//! Bodies of several parts (`multipart/form-data`, RFC 7578), and the files that are uploaded.
//!
//! Owns the option `multipart` of a request. A file is read once per load thread, at its first
//! use, and kept; a script that uploads ever new files would fill the memory, so what is kept has
//! a bound.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hyper::header::HeaderValue;
use rhai::{Array, Blob, Dynamic, Map};

use super::fields::sendable;
use crate::files::Files;
use crate::script::value;

/// Bytes of files that a thread keeps; files beyond that are read again each time.
const KEPT_BYTES: usize = 256 << 20;

/// The largest file that can be uploaded.
const LARGEST: u64 = 1 << 30;

/// The type of a file of unknown kind.
const UNKNOWN: &str = "application/octet-stream";

/// Files that were read for uploads, of one thread.
#[derive(Default)]
pub(crate) struct Uploads {
    read: RefCell<HashMap<PathBuf, Bytes>>,
    bytes: std::cell::Cell<usize>,
}

impl Uploads {
    fn read(&self, files: &Files, path: &Path) -> Result<Bytes, String> {
        if let Some(content) = self.read.borrow().get(path) {
            return Ok(content.clone());
        }
        let unreadable = |error: std::io::Error| format!("the file `{}`: {error}", path.display());
        let content = files.read(path, LARGEST).map_err(unreadable)?;
        let bytes = self.bytes.get() + content.len();
        if bytes <= KEPT_BYTES {
            self.bytes.set(bytes);
            self.read
                .borrow_mut()
                .insert(path.to_owned(), content.clone());
        }
        Ok(content)
    }
}

/// The body that `multipart: …` asks for, and its type. Files are beside the script `source`.
pub(crate) fn body(
    parts: &Dynamic,
    uploads: &Uploads,
    files: &Files,
    source: &str,
) -> Result<(Bytes, HeaderValue), String> {
    let reader = Reader {
        uploads,
        files,
        folder: Path::new(source).parent().unwrap_or(Path::new("")),
    };
    let mut all = Vec::new();
    if let Some(map) = parts.read_lock::<Map>() {
        for (name, value) in map.iter() {
            reader.add(&mut all, name, value)?;
        }
    } else if let Some(pairs) = parts.read_lock::<Array>() {
        for pair in pairs.iter() {
            let pair = pair.read_lock::<Array>();
            match pair.as_deref().map(Vec::as_slice) {
                Some([name, value]) if sendable(name).is_some() => {
                    reader.add(&mut all, &name.to_string(), value)?;
                }
                _ => return Err(format!("each part is `[\"name\", value]`, {HOW}")),
            }
        }
    } else {
        return Err(format!("it is a map, not {}: {HOW}", value::kind(parts)));
    }
    Ok(encoded(&all))
}

const HOW: &str = "as in `multipart: #{ title: \"A\", photo: #{ file: \"a.png\" } }`";

/// One part of a body.
struct Part {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
    content: Bytes,
}

struct Reader<'a> {
    uploads: &'a Uploads,
    files: &'a Files,
    /// Where relative paths begin.
    folder: &'a Path,
}

impl Reader<'_> {
    /// Adds the part of that name; several for an array, none for `()`.
    fn add(&self, all: &mut Vec<Part>, name: &str, value: &Dynamic) -> Result<(), String> {
        if let Some(values) = value.read_lock::<Array>() {
            for value in values.iter().filter(|value| !value.is_unit()) {
                all.push(self.part(name, value)?);
            }
        } else if !value.is_unit() {
            all.push(self.part(name, value)?);
        }
        Ok(())
    }

    fn part(&self, name: &str, value: &Dynamic) -> Result<Part, String> {
        let mut part = Part {
            name: name.to_owned(),
            file_name: None,
            content_type: None,
            content: Bytes::new(),
        };
        let Some(map) = value.read_lock::<Map>() else {
            part.content = content(value)
                .ok_or_else(|| format!("the part `{name}` is {}: {HOW}", value::kind(value)))?;
            if value.is_blob() {
                part.file_name = Some(name.to_owned());
                part.content_type = Some(UNKNOWN.to_owned());
            }
            return Ok(part);
        };
        let (mut file, mut body) = (None, None);
        for (key, value) in map.iter() {
            let text = || {
                let kind = value::kind(value);
                let wrong = format!("`{key}` of the part `{name}` is text, not {kind}");
                value::text(value).ok_or(wrong)
            };
            match key.as_str() {
                "file" => file = Some(PathBuf::from(text()?)),
                "name" => part.file_name = Some(text()?),
                "type" => part.content_type = Some(text()?),
                "body" => {
                    let kind = value::kind(value);
                    let wrong =
                        || format!("`body` of the part `{name}` is text or bytes, not {kind}");
                    body = Some(content(value).ok_or_else(wrong)?);
                }
                other => {
                    return Err(format!(
                        "the part `{name}` has no `{other}`: it takes `file`, `name`, `type`, `body`"
                    ));
                }
            }
        }
        match (file, body) {
            (Some(file), None) => {
                part.content = self.uploads.read(self.files, &self.folder.join(&file))?;
                let file_name = file.file_name().unwrap_or_default().to_string_lossy();
                part.file_name.get_or_insert_with(|| file_name.into_owned());
            }
            (None, Some(body)) => part.content = body,
            _ => {
                return Err(format!(
                    "the part `{name}` has a `file` or a `body`, one of the two"
                ));
            }
        }
        if part.content_type.is_none()
            && let Some(file_name) = &part.file_name
        {
            part.content_type = Some(type_of(file_name).to_owned());
        }
        let written = [part.file_name.as_deref(), part.content_type.as_deref()];
        if written
            .into_iter()
            .flatten()
            .any(|text| text.contains(['\r', '\n']))
        {
            return Err(format!(
                "the part `{name}` has a line break in `name` or `type`"
            ));
        }
        Ok(part)
    }
}

/// What text, a number, true, false or bytes are sent as.
fn content(value: &Dynamic) -> Option<Bytes> {
    if let Some(bytes) = value.read_lock::<Blob>() {
        return Some(Bytes::copy_from_slice(&bytes));
    }
    sendable(value).map(Bytes::from)
}

/// The parts between boundaries, and the header's value that names the boundary.
fn encoded(parts: &[Part]) -> (Bytes, HeaderValue) {
    // 128 random bits are in no part. Not the user's random stream: it would shift.
    let random = || RandomState::new().build_hasher().finish();
    let boundary = format!("katydid-{:016x}{:016x}", random(), random());
    let content: usize = parts.iter().map(|part| part.content.len() + 256).sum();
    let mut body = Vec::with_capacity(content + 64);
    for part in parts {
        let mut head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
            escaped(&part.name)
        );
        if let Some(file_name) = &part.file_name {
            head.push_str(&format!("; filename=\"{}\"", escaped(file_name)));
        }
        if let Some(content_type) = &part.content_type {
            head.push_str(&format!("\r\nContent-Type: {content_type}"));
        }
        head.push_str("\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&part.content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let value = format!("multipart/form-data; boundary={boundary}");
    let value = HeaderValue::try_from(value).expect("it is visible ASCII");
    (body.into(), value)
}

/// As browsers write a name (the HTML standard, "multipart form data").
fn escaped(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The type that a file of this name most likely has.
fn type_of(file_name: &str) -> &'static str {
    let ending = file_name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "txt" | "log" => "text/plain",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" | "mjs" => "text/javascript",
        "json" => "application/json",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body with `X` for the boundary.
    fn encoded(parts: &str, source: &str) -> Result<String, String> {
        let parts = rhai::Engine::new().eval::<Dynamic>(parts).unwrap();
        let (body, content_type) = body(&parts, &Uploads::default(), &Files::default(), source)?;
        let content_type = content_type.to_str().unwrap();
        let boundary = content_type
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap();
        Ok(String::from_utf8(body.to_vec())
            .unwrap()
            .replace(boundary, "X"))
    }

    #[test]
    fn parts_are_written_as_rfc_7578_says() {
        let parts = r#"[
            ["title", "A \"B\""],
            ["n", [1, 2.5, true]],
            ["none", ()],
            ["b\"c", #{ body: "hi", name: "d.txt" }],
            ["raw", blob(2, 65)],
            ["j", #{ body: "{}", type: "application/json" }],
        ]"#;
        let part = |head: &str, content: &str| {
            format!("--X\r\nContent-Disposition: form-data; name={head}\r\n\r\n{content}\r\n")
        };
        let expected = [
            part("\"title\"", "A \"B\""),
            part("\"n\"", "1"),
            part("\"n\"", "2.5"),
            part("\"n\"", "true"),
            part(
                "\"b%22c\"; filename=\"d.txt\"\r\nContent-Type: text/plain",
                "hi",
            ),
            part(
                "\"raw\"; filename=\"raw\"\r\nContent-Type: application/octet-stream",
                "AA",
            ),
            part("\"j\"\r\nContent-Type: application/json", "{}"),
            "--X--\r\n".to_owned(),
        ];
        assert_eq!(encoded(parts, "").as_deref(), Ok(&*expected.concat()));
    }

    #[test]
    fn files_are_beside_the_script_and_read_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.PNG"), "one").unwrap();
        let source = folder.path().join("script.rhai");
        let source = source.to_str().unwrap();
        let body = encoded("#{ photo: #{ file: \"a.PNG\" } }", source).unwrap();
        assert!(
            body.contains(
                "name=\"photo\"; filename=\"a.PNG\"\r\nContent-Type: image/png\r\n\r\none\r\n"
            ),
            "{body}"
        );
        let (uploads, files) = (Uploads::default(), Files::default());
        let path = folder.path().join("a.PNG");
        assert_eq!(uploads.read(&files, &path).unwrap(), "one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(uploads.read(&files, &path).unwrap(), "one");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (parts, said) in [
            ("7", "not a whole number"),
            ("#{ a: || 1 }", "the part `a` is a closure"),
            (
                "#{ a: #{ file: \"none.txt\" } }",
                "the file `none.txt`: No such file",
            ),
            ("#{ a: #{} }", "a `file` or a `body`"),
            (
                "#{ a: #{ file: \"x\", body: \"y\" } }",
                "a `file` or a `body`",
            ),
            ("#{ a: #{ path: \"x\" } }", "has no `path`: it takes `file`"),
            ("#{ a: #{ file: 7 } }", "`file` of the part `a` is text"),
            (
                "#{ a: #{ body: \"\", type: \"a\\r\\nb: c\" } }",
                "a line break",
            ),
            ("[[\"a\"]]", "each part is `[\"name\", value]`"),
        ] {
            let error = encoded(parts, "script.rhai").unwrap_err();
            assert!(error.contains(said), "{parts}: {error}");
        }
    }
}

//! Builds the web UI from `web/` with npm, and has it embedded; and the messages between master and
//! workers from their description.
//!
//! Where the UI comes from, in this order: a folder with a built page that `KATYDID_WEB_DIST` names; `web/dist` of a package
//! that has no `web/src`; nothing, where `KATYDID_NO_WEB` or `DOCS_RS` is set or npm is missing
//! (which `KATYDID_WEB=require` makes an error); else the build, in a copy below `target/web` that is
//! named after the sources: once for each change, whatever the number of profiles. npm that is there
//! but fails is an error: a page that is missing in silence is worse.

use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// What the build needs besides its sources.
const OLDEST_NODE: u32 = 18;

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    for name in [
        "KATYDID_WEB_DIST",
        "KATYDID_NO_WEB",
        "KATYDID_WEB",
        "DOCS_RS",
        "PATH",
    ] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    for name in [
        "src",
        "build.mjs",
        "package.json",
        "package-lock.json",
        "dist",
    ] {
        let path = root.join("web").join(name);
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(variable("OUT_DIR"));
    let dist = match find_dist(&root, &out) {
        Ok(dist) => dist,
        Err(why) => {
            eprintln!("{why}");
            exit(1);
        }
    };
    let table = match &dist {
        Some(dist) => table(dist).unwrap_or_else(|why| {
            eprintln!("the web UI in {} cannot be used: {why}", dist.display());
            exit(1);
        }),
        None => "static ASSETS: &[Asset] = &[];\npub(super) const REPORT_POLICY: &str = \"\";\n"
            .to_owned(),
    };
    fs::write(out.join("assets.rs"), table).expect("cargo's own folder can be written");
    compile_messages(&root);
    fs::write(out.join("source_hash"), hash_of_sources(&root))
        .expect("cargo's own folder can be written");
}

/// Makes Rust of the messages between master and workers.
fn compile_messages(root: &Path) {
    let folder = root.join("src/cluster");
    let described = protox::compile([folder.join("wire.proto")], [&folder]);
    let described = described.unwrap_or_else(|why| {
        eprintln!("{why}");
        exit(1);
    });
    let made = tonic_prost_build::configure().compile_fds(described);
    made.expect("cargo's own folder can be written");
}

/// SHA-256 over all that a worker's behaviour depends on: a master takes only workers that have the
/// same.
fn hash_of_sources(root: &Path) -> [u8; 32] {
    let mut files = vec![root.join("Cargo.lock")];
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        println!("cargo:rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => files.push(path),
            }
        }
    }
    files.sort();
    let mut hasher = Sha256::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file);
        hasher.update(name.as_os_str().as_encoded_bytes());
        // A package may come without a lock file.
        let text = fs::read(&file).unwrap_or_default();
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    hasher.finalize().into()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
}

/// The folder with the built page; `None` where there is to be none.
fn find_dist(root: &Path, out: &Path) -> Result<Option<PathBuf>, String> {
    if let Some(dist) = env::var_os("KATYDID_WEB_DIST").filter(|dist| !dist.is_empty()) {
        return Ok(Some(dist.into()));
    }
    let web = root.join("web");
    if !web.join("src").exists() && web.join("dist").exists() {
        return Ok(Some(web.join("dist")));
    }
    if is_set("KATYDID_NO_WEB") || is_set("DOCS_RS") {
        return Ok(None);
    }
    if let Err(missing) = look_for_npm() {
        let text = format!("the web UI is left out: {missing}");
        if env::var("KATYDID_WEB").is_ok_and(|value| value == "require") {
            return Err(text);
        }
        println!("cargo:warning={text}; install Node.js {OLDEST_NODE} or later with npm for it");
        return Ok(None);
    }
    build(&web, out).map(Some)
}

fn look_for_npm() -> Result<(), String> {
    let version = |program: &str| {
        let output = Command::new(program).arg("--version").output();
        let output = output.map_err(|error| format!("`{program}` does not run: {error}"))?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    version("npm")?;
    let node = version("node")?;
    let major = node.trim_start_matches('v').split('.').next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= OLDEST_NODE => Ok(()),
        _ => Err(format!(
            "Node.js {OLDEST_NODE} or later is needed, and this is {node}"
        )),
    }
}

/// Builds the page in a copy of its sources, unless that has been done.
fn build(web: &Path, out: &Path) -> Result<PathBuf, String> {
    let sources = sources(web).map_err(|error| format!("cannot read web/: {error}"))?;
    // OUT_DIR is target/PROFILE/build/NAME/out.
    let target = out.ancestors().nth(4).unwrap_or(out);
    let copy = target.join("web").join(fingerprint(&sources));
    let failed =
        |error: io::Error| format!("cannot build the web UI in {}: {error}", copy.display());
    fs::create_dir_all(&copy).map_err(failed)?;
    let lock = File::create(copy.join("lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let dist = copy.join("dist");
    if dist.join("manifest.json").exists() {
        return Ok(dist);
    }
    for (path, content) in &sources {
        let to = copy.join(path);
        fs::create_dir_all(to.parent().unwrap_or(&copy)).map_err(failed)?;
        fs::write(to, content).map_err(failed)?;
    }
    let install = [
        "ci",
        "--omit=dev",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ];
    step(Command::new("npm").args(install).current_dir(&copy))?;
    let made = copy.join("dist.new");
    step(
        Command::new("node")
            .arg("build.mjs")
            .arg(&made)
            .current_dir(&copy),
    )?;
    fs::rename(&made, &dist).map_err(failed)?;
    Ok(dist)
}

/// Runs a program; its last lines are the error.
fn step(command: &mut Command) -> Result<(), String> {
    let name = format!("{command:?}");
    let output = command
        .output()
        .map_err(|error| format!("{name} does not run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(20)..].join("\n");
    Err(format!(
        "the web UI could not be built: {name} failed:\n{last}\nhint: KATYDID_NO_WEB=1 builds \
         Katydid without it"
    ))
}

/// The files that the page is made of, sorted.
fn sources(web: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    for name in ["build.mjs", "package.json", "package-lock.json", ".npmrc"] {
        let path = web.join(name);
        if path.exists() {
            found.push((PathBuf::from(name), fs::read(path)?));
        }
    }
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(web.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                found.push((path, fs::read(entry.path())?));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn fingerprint(sources: &[(PathBuf, Vec<u8>)]) -> String {
    let mut hasher = DefaultHasher::new();
    sources.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Rust for the files that the build made.
fn table(dist: &Path) -> Result<String, String> {
    let dist = dist.canonicalize().map_err(|error| error.to_string())?;
    let manifest = fs::read(dist.join("manifest.json")).map_err(|error| error.to_string())?;
    let manifest: Value = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
    let files = manifest["files"]
        .as_array()
        .ok_or("manifest.json has no `files`")?;
    let mut policy = "";
    let mut rust = "static ASSETS: &[Asset] = &[\n".to_owned();
    for file in files {
        let text = |name: &str| {
            let value = file[name].as_str();
            value.ok_or_else(|| format!("a file in manifest.json has no `{name}`"))
        };
        let (path, kind, hash) = (text("path")?, text("type")?, text("hash")?);
        let bytes = |ending: &str| {
            let name = dist.join(format!("{path}{ending}"));
            format!("include_bytes!({:?})", name.display().to_string())
        };
        rust += &format!(
            "    Asset {{ path: {path:?}, content_type: {kind:?}, etag: {:?}, plain: {}, gzip: {}, \
             brotli: {} }},\n",
            format!("\"{hash}\""),
            bytes(""),
            bytes(".gz"),
            bytes(".br"),
        );
        if path == "report.html" {
            policy = text("csp")?;
        }
    }
    rust += &format!("];\npub(super) const REPORT_POLICY: &str = {policy:?};\n");
    Ok(rust)
}

//! Builds the console and writes the table of its files.
//!
//! Where the files come from, in this order: the folder that `OPENFRAME_CONSOLE_DIST` names (for
//! packagers); nothing if `OPENFRAME_CONSOLE=skip`; `npm` and vite; otherwise one page that says how
//! to get the rest.

#![expect(clippy::disallowed_methods, reason = "cargo tells a build by variables")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

/// What the build depends on; never `node_modules`, which it changes itself.
const SOURCES: [&str; 5] =
    ["src", "index.html", "package.json", "package-lock.json", "vite.config.ts"];
const PLACEHOLDER: &str = "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
<title>OpenFrame</title></head>\n<body>\n<h1>OpenFrame</h1>\n<p>The server runs, but this build has \
no console. Install Node.js 20.19 or later and build again.</p>\n</body>\n</html>\n";

fn main() -> anyhow::Result<()> {
    let web = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("web");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for name in SOURCES {
        println!("cargo:rerun-if-changed=web/{name}");
    }
    // The console's types are made from these.
    for name in ["auth", "devices", "monitoring", "platform"] {
        println!("cargo:rerun-if-changed=../api/{name}-api/openapi.json");
    }
    println!("cargo:rerun-if-env-changed=OPENFRAME_CONSOLE_DIST");
    println!("cargo:rerun-if-env-changed=OPENFRAME_CONSOLE");
    let dist = match env::var("OPENFRAME_CONSOLE_DIST") {
        Ok(folder) => PathBuf::from(folder),
        Err(_) => built(&web, &out)?,
    };
    let mut files = Vec::new();
    list(&dist, &dist, &mut files)?;
    files.sort();
    fs::write(out.join("files.rs"), table(&dist, &out, &files)?)?;
    Ok(())
}

/// The folder with the console that npm builds, or with the placeholder.
fn built(web: &Path, out: &Path) -> anyhow::Result<PathBuf> {
    let dist = out.join("dist");
    let skipped = env::var("OPENFRAME_CONSOLE").is_ok_and(|value| value == "skip");
    if skipped || !node_is_new_enough() {
        if env::var("CARGO_FEATURE_REQUIRED").is_ok() {
            bail!("the console cannot be built; install Node.js 20.19 or later");
        }
        println!(
            "cargo:warning=the console is left out: Node.js 20.19 or later is not there, or it was asked for"
        );
        fs::create_dir_all(&dist)?;
        fs::write(dist.join("index.html"), PLACEHOLDER)?;
        return Ok(dist);
    }
    let changed = |path: PathBuf| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let fetched = changed(web.join("node_modules/.package-lock.json"));
    if fetched.is_none() || fetched < changed(web.join("package-lock.json")) {
        npm_run(web, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
    }
    let folder = dist.to_string_lossy().into_owned();
    npm_run(web, &["run", "build", "--", "--outDir", &folder, "--emptyOutDir"])?;
    Ok(dist)
}

/// Whether Node.js is there, as new as vite needs it, and npm with it.
fn node_is_new_enough() -> bool {
    let version = |program| {
        let output = Command::new(program).arg("--version").output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Some(node) = version("node") else { return false };
    let mut parts = node.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    let mut part = || parts.next().and_then(Result::ok).unwrap_or_default();
    (part(), part()) >= (20, 19) && version("npm").is_some()
}

fn npm_run(web: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("npm").args(arguments).current_dir(web).output()?;
    if !output.status.success() {
        let (said, errors) = (output.stdout, output.stderr);
        bail!(
            "`npm {}` failed:\n{}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&said),
            String::from_utf8_lossy(&errors)
        );
    }
    Ok(())
}

fn list(root: &Path, folder: &Path, files: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            list(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root)?.to_str().context("a file name is no text")?;
            files.push(name.to_owned());
        }
    }
    Ok(())
}

/// The text of `FILES`, with each file compressed beside it.
fn table(dist: &Path, out: &Path, files: &[String]) -> anyhow::Result<String> {
    let packed = out.join("packed");
    fs::create_dir_all(&packed)?;
    let mut text = format!("/// Every file.\npub static FILES: [File; {}] = [\n", files.len());
    for (number, name) in files.iter().enumerate() {
        let path = dist.join(name);
        let content = fs::read(&path)?;
        let small = packed.join(format!("{number}.br"));
        let mut writer = brotli::CompressorWriter::new(fs::File::create(&small)?, 1 << 16, 9, 22);
        writer.write_all(&content)?;
        drop(writer);
        let smaller = fs::metadata(&small)?.len() < content.len() as u64;
        let brotli = if smaller {
            format!("Some(include_bytes!({:?}))", text_of(&small)?)
        } else {
            "None".into()
        };
        let hash = Sha256::digest(&content);
        let tag = hash.iter().take(8).fold(0_u64, |tag, byte| tag << 8 | u64::from(*byte));
        let kind = media_type(name);
        // vite puts a hash into the names of everything but the page.
        let immutable = name.starts_with("assets/");
        writeln!(
            text,
            "File {{ path: {:?}, body: include_bytes!({:?}), brotli: {brotli}, \
             content_type: {kind:?}, etag: \"\\\"{tag:016x}\\\"\", immutable: {immutable} }},",
            format!("/{name}"),
            text_of(&path)?
        )?;
    }
    text.push_str("];\n");
    Ok(text)
}

fn text_of(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path is no text")
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

//! Files of this machine, with the bounds of what is read.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::shipped::{names, shipped};
use crate::document::{self, Source, limits};
use crate::scenario::{self, FlowFile, Loader};

/// The text of a scenario.
pub(crate) fn scenario_source(folder: &Path, name: &str) -> Result<Source, String> {
    if let Some(shipped) = shipped(name) {
        return Ok(Source { name: format!("{name}.yaml"), text: shipped.text.to_owned() });
    }
    let path = folder.join(name);
    read(&path).map_err(|why| {
        let near = document::nearest(name, names());
        match near.filter(|_| !path.exists()) {
            Some(near) => format!("{why}; did you mean the shipped scenario `{near}`?"),
            None => format!("{why} (`mock-kestra list` shows the shipped ones)"),
        }
    })
}

/// The text of any file.
pub(crate) fn file(path: &str) -> Result<Source, String> {
    read(Path::new(path))
}

fn read(path: &Path) -> Result<Source, String> {
    let text = String::from_utf8(bytes(path)?).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok(Source { name: path.display().to_string(), text })
}

/// A flow file: where it is not UTF-8, the others are read all the same.
fn read_flow(path: &Path) -> Result<FlowFile, String> {
    let source = |text: String| Arc::new(Source { name: path.display().to_string(), text });
    Ok(match String::from_utf8(bytes(path)?) {
        Ok(text) => FlowFile::Whole(source(text)),
        Err(wrong) => {
            let valid = wrong.as_bytes().get(..wrong.utf8_error().valid_up_to()).unwrap_or_default();
            FlowFile::NotUtf8(source(String::from_utf8_lossy(valid).into_owned()))
        }
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    // Not all that can be read has an end.
    file.take(limits::FILE as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > limits::FILE {
        return Err(format!("it is larger than {} MiB", limits::FILE >> 20));
    }
    Ok(bytes)
}

/// Opens a file. A pipe that has a name is opened only by who finds a writer there: it might never come. What the shell makes
/// of `<(...)` and `/dev/stdin` has one already.
fn open(path: &Path) -> Result<std::fs::File, String> {
    let failed = |error: std::io::Error| error.to_string();
    let kind = std::fs::metadata(path).map_err(failed)?.file_type();
    let inherited = ["/dev/fd/", "/dev/stdin", "/proc/self/fd/"].iter().any(|begin| path.starts_with(begin));
    if pipe(kind) && !inherited {
        return Err(
            "it is a named pipe, and whoever opens it waits until something is written: write a file, or use <(...)"
                .into(),
        );
    }
    std::fs::File::open(path).map_err(failed)
}

#[cfg(unix)]
fn pipe(kind: std::fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_fifo()
}

#[cfg(not(unix))]
fn pipe(_: std::fs::FileType) -> bool {
    false
}

/// Files beside the one that names them, and more.
#[derive(Default)]
pub(crate) struct Files {
    /// Flows beside those that the scenario names.
    pub(crate) more: Vec<FlowFile>,
}

impl Loader for Files {
    fn flows(&self, from: &str, path: &str) -> Result<Vec<FlowFile>, String> {
        flow_files(&scenario::beside(from, path))
    }

    fn more_flows(&self) -> &[FlowFile] {
        &self.more
    }

    fn scenario(&self, from: &str, name: &str) -> Result<Source, String> {
        scenario_source(Path::new(from).parent().unwrap_or(Path::new("")), name)
    }
}

/// The flow files that a path means: one, all of a folder and of those below it, or those that fit a pattern.
pub(crate) fn flow_files(path: &Path) -> Result<Vec<FlowFile>, String> {
    let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']) && !path.exists());
    if let Some(pattern) = pattern {
        return flows_of(fitting(pattern)?);
    }
    if !path.is_dir() {
        return Ok(vec![read_flow(path)?]);
    }
    flows_of(in_folder(path, YAML)?)
}

/// The files that fit a pattern, in the order of their paths.
pub(crate) fn fitting(pattern: &str) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in glob::glob(pattern).map_err(|why| why.to_string())?.take(ENTRIES) {
        let path = path.map_err(|why| why.to_string())?;
        if !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err("no file fits it".into()) } else { Ok(files) }
}

/// What files of YAML are called.
pub(crate) const YAML: &[&str] = &["yml", "yaml"];

/// The files of a folder and of those in it whose names end in one of some ways, in the order of their paths, so that nothing
/// depends on the order of the disk.
pub(crate) fn in_folder(path: &Path, endings: &'static [&'static str]) -> Result<Vec<PathBuf>, String> {
    let mut folder = Folder { endings, ..Folder::default() };
    folder.walk(path, 0)?;
    folder.files.sort();
    let none = || format!("the folder holds no .{} file", endings.join(" or ."));
    if folder.files.is_empty() { Err(none()) } else { Ok(folder.files) }
}

/// Folders in folders.
const DEPTH: usize = 32;
/// Entries of all folders together, whatever they are.
const ENTRIES: usize = 100_000;
/// Bytes of all flow files together.
const BYTES: usize = 256 << 20;

/// The files of a folder and of those in it.
#[derive(Default)]
struct Folder {
    /// How the names of files end that are looked for.
    endings: &'static [&'static str],
    files: Vec<PathBuf>,
    entries: usize,
    /// Folders as they are without links: one that leads to a folder above it does not end.
    seen: BTreeSet<PathBuf>,
}

impl Folder {
    /// Looks for files. What begins with a dot is not looked at: it belongs to tools.
    fn walk(&mut self, folder: &Path, depth: usize) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        if !self.seen.insert(folder.canonicalize().map_err(failed)?) {
            return Ok(());
        }
        if depth > DEPTH {
            return Err(format!("folders lie more than {DEPTH} deep"));
        }
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            self.entries += 1;
            if self.entries > ENTRIES {
                return Err(format!("the folder holds more than {ENTRIES} files and folders"));
            }
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            if path.is_dir() {
                self.walk(&path, depth + 1)?;
            } else if path.extension().is_some_and(|ext| self.endings.iter().any(|it| ext == *it)) {
                self.files.push(path);
            }
        }
        Ok(())
    }
}

/// The texts of flow files.
fn flows_of(files: Vec<PathBuf>) -> Result<Vec<FlowFile>, String> {
    if files.len() > scenario::limits::FLOWS {
        return Err(format!("the folder holds more than {} flow files", scenario::limits::FLOWS));
    }
    let (mut sources, mut bytes) = (Vec::new(), 0);
    for path in &files {
        let file = read_flow(path).map_err(|why| format!("{}: {why}", path.display()))?;
        bytes += file.source().text.len();
        if bytes > BYTES {
            return Err(format!("the flow files are larger than {} MiB together", BYTES >> 20));
        }
        sources.push(file);
    }
    Ok(sources)
}

//! Files of alert rules: one, or all of a folder.

use std::path::{Path, PathBuf};

use super::file;
use crate::document::Source;
use crate::monitor;

/// Files of one folder of rules.
pub(crate) const RULE_FILES: usize = 10_000;
/// Folders inside folders.
const DEPTH: usize = 20;

/// The rules that ship.
pub(crate) fn shipped_rules() -> Source {
    Source { name: "kestra.yml".to_owned(), text: include_str!("../../scenarios/rules/kestra.yml").to_owned() }
}

/// A file, or a folder, that cannot be read.
#[derive(Debug)]
pub(crate) struct CannotRead {
    /// Which.
    pub(crate) file: String,
    /// Why not.
    pub(crate) why: String,
}

/// A file of rules, or all of a folder. What of a folder is passed over is noted.
pub(crate) fn rule_sources(path: &Path, notes: &mut Vec<String>) -> Result<Vec<Source>, CannotRead> {
    let folder = path.is_dir();
    let failed = |why: String| CannotRead { file: path.display().to_string(), why };
    let mut files = vec![path.to_owned()];
    if folder {
        files.clear();
        in_folder(path, DEPTH, &mut files, notes).map_err(failed)?;
        files.sort();
        if files.is_empty() {
            return Err(failed("the folder holds no .yml, .yaml or .json file".to_owned()));
        }
    }
    let read = |file_of: PathBuf| {
        let name = file_of.display().to_string();
        file(&name).map_err(|why| CannotRead { file: name, why })
    };
    let mut sources: Vec<Source> = files.into_iter().map(read).collect::<Result<_, _>>()?;
    if folder {
        sources.retain(|source| {
            let kept = !source.name.ends_with(".json") || monitor::provisions(&source.text);
            if !kept {
                notes.push(format!("{}: neither rules nor provisioning of Grafana: it is passed over", source.name));
            }
            kept
        });
        if sources.is_empty() {
            return Err(failed("the folder holds no rules".to_owned()));
        }
    }
    Ok(sources)
}

/// The YAML and JSON files of a folder and of those in it. What begins with a dot is hidden: so are the copies that Kubernetes keeps
/// beside the files of a ConfigMap.
fn in_folder(folder: &Path, depth: usize, files: &mut Vec<PathBuf>, notes: &mut Vec<String>) -> Result<(), String> {
    if depth == 0 {
        return Err(format!("`{}` lies too deep", folder.display()));
    }
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            in_folder(&path, depth - 1, files, notes)?;
        } else if path.extension().is_some_and(|ext| ext == "yml" || ext == "yaml" || ext == "json") {
            files.push(path);
        } else if path
            .extension()
            .is_some_and(|ext| ["rules", "rule", "yml", "yaml", "json"].iter().any(|it| ext.eq_ignore_ascii_case(it)))
        {
            notes
                .push(format!("{}: passed over: of a folder the .yml, .yaml and .json files are read", path.display()));
        }
        if files.len() > RULE_FILES {
            return Err(format!("there are more than {RULE_FILES} files"));
        }
    }
    Ok(())
}

//! Dashboards: those inside the binary, and files of them.

use std::path::Path;

use super::{file, in_folder};
use crate::document::Source;

macro_rules! shipped {
    ($($name:literal),*) => { &[$(($name, include_str!(concat!("../../scenarios/dashboards/", $name)))),*] };
}

/// Names and texts.
const SHIPPED: &[(&str, &str)] =
    shipped!["overview.json", "executions.json", "workers.json", "runtime.json", "alerting.json"];

/// The dashboards that ship.
pub(crate) fn shipped_dashboards() -> Vec<Source> {
    let source = |(name, text): &(&str, &str)| Source { name: (*name).to_owned(), text: (*text).to_owned() };
    SHIPPED.iter().map(source).collect()
}

/// One file, or the JSON files of a folder and of those in it.
pub(crate) fn dashboards(path: &Path) -> Result<Vec<Source>, String> {
    if !path.is_dir() {
        return Ok(vec![file(&path.display().to_string())?]);
    }
    let read = |path: &std::path::PathBuf| {
        let name = path.display().to_string();
        file(&name).map_err(|why| format!("{name}: {why}"))
    };
    in_folder(path, &["json"])?.iter().map(read).collect()
}

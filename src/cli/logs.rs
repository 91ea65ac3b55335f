//! `--logs`: the lines of the members' logs, in files or on standard output.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::print;
use crate::simulator::{Line, Simulation};

/// Where lines go, and how far they are written.
pub(super) struct Logs {
    folder: Option<PathBuf>,
    files: BTreeMap<String, [BufWriter<File>; 2]>,
    next: u64,
    /// Lines that made room for others before they were written.
    pub(super) lost: u64,
}

impl Logs {
    /// Into a folder, which is made if it is not there; `-` is standard output.
    ///
    /// # Errors
    /// The folder cannot be made: why.
    pub(super) fn to(place: &Path) -> Result<Logs, String> {
        let folder = (place != Path::new("-")).then(|| place.to_owned());
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder)
                .map_err(|why| format!("--logs: cannot make the folder {}: {why}", folder.display()))?;
        }
        Ok(Logs { folder, files: BTreeMap::new(), next: 0, lost: 0 })
    }

    /// Writes what came since the last time.
    ///
    /// # Errors
    /// A file cannot be written: why.
    pub(super) fn follow(&mut self, simulation: &Simulation) -> Result<(), String> {
        let Some(lines) = simulation.lines() else { return Ok(()) };
        if lines.next() < self.next {
            self.next = 0; // it has begun anew
        }
        self.lost += lines.dropped().saturating_sub(self.next);
        for line in lines.since(self.next).filter_map(|event| simulation.line(event)) {
            self.write(&line)?;
        }
        self.next = lines.next();
        self.files.values_mut().flatten().try_for_each(|file| file.flush()).map_err(|why| format!("--logs: {why}"))
    }

    fn write(&mut self, line: &Line<'_>) -> Result<(), String> {
        let Some(folder) = &self.folder else {
            print(&format!("{}\n", line.json()));
            return Ok(());
        };
        if !self.files.contains_key(line.member) {
            let open = |extension: &str| {
                let path = folder.join(format!("{}.{extension}", line.member));
                let file = File::create(&path).map_err(|why| format!("--logs: cannot write {}: {why}", path.display()));
                file.map(BufWriter::new)
            };
            self.files.insert(line.member.to_owned(), [open("log")?, open("jsonl")?]);
        }
        let Some([console, json]) = self.files.get_mut(line.member) else { return Ok(()) };
        let written = writeln!(console, "{}", line.console(true)).and_then(|()| writeln!(json, "{}", line.json()));
        written.map_err(|why| format!("--logs: {why}"))
    }
}

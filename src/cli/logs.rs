//! `--logs`: the lines of the members' logs, in files or on standard output.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{complain, print};
use crate::scenario::Plan;
use crate::simulator::{LogEvent, Simulation};
use crate::time::Instant;

/// Where lines go, and how far they are written.
pub(super) struct Logs {
    /// None is standard output.
    folder: Option<PathBuf>,
    /// By member.
    files: Vec<Files>,
    /// By member: the number of its next line.
    next: Vec<u64>,
    /// When it was looked last.
    seen: Instant,
    /// Lines that made room for others before they were written, and were not told of yet.
    lost: u64,
}

/// The two forms of a member's log.
struct Files {
    console: (PathBuf, BufWriter<File>),
    json: (PathBuf, BufWriter<File>),
}

/// What came since the last look, in words: at most what is kept of all members.
pub(super) struct News {
    lines: Vec<(usize, String, String)>,
    anew: bool,
}

impl Logs {
    /// Into a folder, which is made if it is not there, a file of each form for each member; `-` is standard output.
    ///
    /// # Errors
    /// The folder or a file cannot be made: why.
    pub(super) fn to(place: &Path, plan: &Plan) -> Result<Logs, String> {
        let folder = (place != Path::new("-")).then(|| place.to_owned());
        let members = &plan.cluster.members;
        let next = vec![0; members.len()];
        let mut logs = Logs { folder, files: Vec::new(), next, seen: Instant::START, lost: 0 };
        if let Some(folder) = &logs.folder {
            std::fs::create_dir_all(folder)
                .map_err(|why| format!("--logs: cannot make the folder {}: {why}", folder.display()))?;
            logs.files = members.iter().map(|member| files(folder, &member.name)).collect::<Result<_, _>>()?;
        }
        Ok(logs)
    }

    /// What came since the last look. Where time has gone back, all that is kept has come.
    pub(super) fn news(&mut self, simulation: &Simulation) -> News {
        let anew = simulation.now() < self.seen;
        self.seen = simulation.now();
        if anew {
            self.next.fill(0);
        }
        let mut events: Vec<&LogEvent> = Vec::new();
        for (member, next) in self.next.iter_mut().enumerate() {
            let Some(lines) = simulation.lines().and_then(|lines| lines.of(member)) else { continue };
            self.lost += lines.dropped().saturating_sub(*next);
            events.extend(lines.since(*next));
            *next = lines.next();
        }
        if self.folder.is_none() {
            events.sort_by_key(|event| event.at);
        }
        let names_member = self.folder.is_none();
        let in_words = |event: &LogEvent| {
            let line = simulation.line(event)?;
            let console = if names_member { String::new() } else { line.console(true) };
            Some((event.member, console, line.json(names_member)))
        };
        News { lines: events.into_iter().filter_map(in_words).collect(), anew }
    }

    /// Writes what came, and tells what was lost.
    ///
    /// # Errors
    /// A file cannot be written: which, and why.
    pub(super) fn write(&mut self, news: &News) -> Result<(), String> {
        if self.folder.is_none() {
            let text: String = news.lines.iter().flat_map(|(_, _, json)| [json.as_str(), "\n"]).collect();
            if !text.is_empty() {
                print(&text);
            }
        }
        for files in self.files.iter_mut().filter(|_| news.anew) {
            files.begin()?;
        }
        for (member, console, json) in &news.lines {
            if let Some(files) = self.files.get_mut(*member) {
                files.write(console, json)?;
            }
        }
        self.files.iter_mut().try_for_each(Files::flush)?;
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            complain(&format!("warning: --logs: {lost} lines came faster than they were written, and are lost\n"));
        }
        Ok(())
    }
}

fn cannot(path: &Path, why: &std::io::Error) -> String {
    format!("--logs: cannot write {}: {why}", path.display())
}

fn files(folder: &Path, member: &str) -> Result<Files, String> {
    let open = |extension: &str| {
        let path = folder.join(format!("{member}.{extension}"));
        let file = File::create(&path).map_err(|why| cannot(&path, &why))?;
        Ok::<_, String>((path, BufWriter::new(file)))
    };
    Ok(Files { console: open("log")?, json: open("jsonl")? })
}

impl Files {
    fn both(&mut self) -> [&mut (PathBuf, BufWriter<File>); 2] {
        [&mut self.console, &mut self.json]
    }

    /// Empties them.
    fn begin(&mut self) -> Result<(), String> {
        self.both().into_iter().try_for_each(|(path, writer)| {
            *writer = BufWriter::new(File::create(&*path).map_err(|why| cannot(path, &why))?);
            Ok(())
        })
    }

    fn write(&mut self, console: &str, json: &str) -> Result<(), String> {
        let lines = [console, json];
        self.both()
            .into_iter()
            .zip(lines)
            .try_for_each(|((path, writer), line)| writeln!(writer, "{line}").map_err(|why| cannot(path, &why)))
    }

    fn flush(&mut self) -> Result<(), String> {
        self.both().into_iter().try_for_each(|(path, writer)| writer.flush().map_err(|why| cannot(path, &why)))
    }
}

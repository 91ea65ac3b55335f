//! `export tsdb`: promtool makes blocks of OpenMetrics, two hours at a time, so that what lies on the disk beside them does not
//! grow with the history.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use super::{Exit, History, Stop, cannot, complain, interrupted, left_out, locked};
use crate::history::{END, OpenMetrics};
use crate::time::{Duration, Instant};

/// How long a block of Prometheus is, in milliseconds: they begin at multiples of it since 1970.
const BLOCK: i64 = 2 * 3_600_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Tsdb {
    #[command(flatten)]
    history: History,
    /// The folder for the blocks: `--storage.tsdb.path` of a Prometheus that does not run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Texts that are not finished yet, by block.
#[derive(Debug, Default)]
struct Open {
    files: BTreeMap<i64, Text>,
    blocks: u64,
    /// Number of the last one that is made, in blocks since 1970.
    closed: Option<i64>,
}

/// A text beside the blocks: it goes when nobody needs it any more.
#[derive(Debug)]
struct Text {
    path: PathBuf,
    file: File,
}

impl Drop for Text {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Tsdb {
    pub(in crate::cli) fn run(&self) -> Exit {
        if let Err(why) = promtool(&["--version"]) {
            return cannot(&why);
        }
        let Some(sound) = self.history.read() else { return Exit::Input };
        if let Err(error) = std::fs::create_dir_all(&self.out) {
            return cannot(&format!("cannot make {}: {error}", self.out.display()));
        }
        let stop = Stop::listen();
        let (past, sink) = sound.past(OpenMetrics::windows(sound.first, BLOCK));
        let mut open = Open::default();
        // A sample comes when its scrape is over, which is an interval later at most.
        let late = sound.watch.scrape_intervals(&sound.plan).into_iter().max().unwrap_or(Duration::ZERO);
        let calendar = sound.calendar;
        let exit = sound.go(past, &stop, |now: Instant, last| {
            let texts = locked(&sink).take();
            let done = calendar.date(now.before(late)).as_millisecond().div_euclid(BLOCK);
            let written = open.write(&self.out, &texts).and_then(|()| open.close(&self.out, done, last));
            written.map_err(|why| cannot(&why))
        });
        let (out, blocks) = (self.out.display(), open.blocks);
        match exit {
            Exit::Ok => {
                left_out(locked(&sink).markers());
                complain(&format!("{out}: {} samples in {blocks} blocks\n", locked(&sink).samples()));
            }
            Exit::Interrupted => {
                let until = open.closed.and_then(|block| jiff::Timestamp::from_millisecond((block + 1) * BLOCK).ok());
                interrupted(&match until {
                    Some(until) => format!("{out} has {blocks} blocks, which are whole, up to {until}"),
                    None => format!("no block is in {out}"),
                });
            }
            _ => {}
        }
        exit
    }
}

impl Open {
    fn write(&mut self, folder: &Path, texts: &BTreeMap<i64, Vec<u8>>) -> Result<(), String> {
        for (block, text) in texts {
            let it = match self.files.entry(*block) {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(new) => {
                    let path = folder.join(format!("mock-kestra-{}-{block}.om", std::process::id()));
                    let file = File::options().write(true).create_new(true).open(&path);
                    let file = file.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
                    new.insert(Text { path, file })
                }
            };
            it.file.write_all(text).map_err(|error| format!("cannot write {}: {error}", it.path.display()))?;
        }
        Ok(())
    }

    /// Makes blocks of what lies before one, of everything at the end.
    fn close(&mut self, folder: &Path, before: i64, last: bool) -> Result<(), String> {
        while let Some(first) = self.files.first_entry()
            && (last || *first.key() < before)
        {
            let (block, mut text) = first.remove_entry();
            let ended = text.file.write_all(END.as_bytes());
            ended.map_err(|error| format!("cannot write {}: {error}", text.path.display()))?;
            let (from, to) = (text.path.display().to_string(), folder.display().to_string());
            promtool(&["tsdb", "create-blocks-from", "openmetrics", &from, &to])?;
            self.blocks += 1;
            self.closed = Some(block);
        }
        Ok(())
    }
}

/// Runs promtool.
fn promtool(arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::null());
    // Ctrl-C is not for it: a block that it has begun becomes whole.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            let told: Vec<&str> = told.split_whitespace().collect();
            let told: String = told.join(" ").chars().take(1_000).collect();
            Err(format!("promtool {} failed ({}): {told}", arguments.join(" "), output.status))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err("there is no promtool on the PATH: install that of \
             Prometheus, or take `export openmetrics` or `export remote-write`"
            .to_owned()),
        Err(error) => Err(format!("cannot run promtool: {error}")),
    }
}

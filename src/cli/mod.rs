//! The command line: one file a command.
//!
//! Exit codes: 0 all is well; 1 an expectation of the scenario was not met, with `--strict` also that something was warned of,
//! a server is not healthy, or differs from its profile; 2 the input or the command line is wrong; 3 it cannot be done (a port is taken, a limit is
//! reached); 130 it was interrupted in the middle of a work that nobody has any part of.

mod access;
mod alertmanager;
mod arrange;
mod beside;
mod check;
mod contract;
mod dashboard;
mod demo;
mod documents;
mod explain;
mod fuzz;
mod github;
mod healthcheck;
mod history;
mod judge;
mod lab;
mod load;
mod logs;
mod matrix;
mod places;
mod record;
mod rules;
mod sensitivity;
mod serve;
mod shell;
mod simulate;
mod stop;
mod told;
mod watched;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::ErrorKind::BrokenPipe;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::files::{shipped_dashboards, shipped_rules};
use crate::profile::Profile;
use crate::random::Seed;
use crate::scenario::{self, Plan};
use crate::time::Calendar;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Ok = 0,
    /// Something was found: an expectation not met, a server not healthy.
    Found = 1,
    /// The input is wrong.
    Input = 2,
    /// It cannot be done here and now.
    Cannot = 3,
    /// It was interrupted, and has put away what was not finished.
    Interrupted = 130,
}

/// A fake Kestra for testing: a simulated cluster behind the real management port, that fails on cue.
///
/// Without a command it serves the scenario `healthy`.
#[derive(Debug, Parser)]
#[command(
    name = "mock-kestra",
    version,
    max_term_width = 110,
    after_help = "Exit codes: 0 well, 1 an expectation was not met (with --strict: or a warning), 2 wrong input, 3 cannot (port taken, limit reached), 130 interrupted."
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a scenario: the ports of its members, and a control port
    #[command(after_long_help = beside::text())]
    Serve(Box<serve::Serve>),
    /// A cluster with a morning behind it and a failure to come, and a Prometheus beside it where one is installed
    Demo(demo::Demo),
    /// Run a scenario in virtual time to its end, as fast as it goes
    Run(simulate::Run),
    /// Run scenarios against alert rules: which alert fires when, and whether that is what is expected
    Test(judge::Test),
    /// Why an alert fires or does not: what each part of its expression comes to over time
    Explain(explain::Explain),
    /// Run a scenario with many seeds: how often does each alert fire, and how long after the fault
    Sweep(lab::Sweep),
    /// Every scenario against every rule: which failures would be noticed and how soon, which by nobody, which rules cry wolf
    #[command(after_long_help = matrix::MEANING)]
    Matrix(matrix::Matrix),
    /// How little of a fault an alert still notices: the fewest members, the smallest amount, the shortest time
    #[command(after_long_help = sensitivity::MEANING)]
    Sensitivity(sensitivity::Sensitivity),
    /// What the rules do not see: clusters and faults by chance, of which executions come to harm and no alert fires
    #[command(after_long_help = fuzz::MEANING)]
    Fuzz(fuzz::Fuzz),
    /// Which panels of Grafana's dashboards have data over scenarios, which expressions fail or stay empty, and why
    #[command(after_long_help = dashboard::MEANING)]
    Dashboard(dashboard::Dashboard),
    /// A live Kestra beside the profile of a version: what differs, and which of your rules would go quiet on it
    #[command(after_long_help = contract::MEANING)]
    Contract(contract::Contract),
    /// Carry a run out of here, for other tools
    Export(lab::Export),
    /// Write a scenario of a cluster that is there: from its management ports, or from what a Prometheus has stored
    #[command(after_long_help = record::MEANING)]
    Record(record::Record),
    /// Check scenario files, and say what was understood
    Check(check::Check),
    /// List the shipped scenarios
    List,
    /// Print a shipped scenario, the shipped rules or a shipped dashboard
    Show {
        /// A scenario as `list` names it, `kestra.yml` for the rules, or the file of a dashboard such as `overview.json`
        name: String,
    },
    /// Print the JSON Schema of scenario files
    Schema,
    /// Print the OpenAPI document of the control port
    Openapi,
    /// Print what completes commands and options in a shell
    #[command(after_help = shell::EXAMPLES)]
    Completions(shell::Completions),
    /// Print the manual page, or write those of all commands
    Man(shell::Man),
    /// Ask a server for its health; exit code 0 when it is well
    Healthcheck(healthcheck::Healthcheck),
}

#[cfg(feature = "internals")]
pub use beside::markdown as beside_markdown;

/// The command line as those see it who ask for help: with references that are made of tables, which nobody else pays for.
fn with_references() -> clap::Command {
    Arguments::command().mut_subcommands(|command| match command.get_name() {
        "test" | "check" => command.after_long_help(scenario::expectations()),
        _ => command,
    })
}

/// Forms of a report.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Format {
    /// Prints what was found: for people, or as one value.
    fn print(self, found: &impl Serialize, text: impl FnOnce() -> String) {
        match self {
            Format::Text => print(&text()),
            Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(found).unwrap_or_default())),
        }
    }
}

/// Runs the command line.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = arrange::arranged(arguments, arrange::is_rules);
    let arguments = match Arguments::try_parse_from(&arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let error = match error.kind() {
                ErrorKind::DisplayHelp => with_references().try_get_matches_from(&arguments).err().unwrap_or(error),
                _ => error,
            };
            // Help and version are no errors.
            let _ = error.print();
            return if error.use_stderr() { Exit::Input } else { Exit::Ok };
        }
    };
    let command = arguments.command.unwrap_or_else(|| Command::Serve(Box::default()));
    match guarded(|| run(command)) {
        Exit::Ok | Exit::Found if UNWRITTEN.load(Ordering::Relaxed) => Exit::Cannot,
        exit => exit,
    }
}

/// A panic is a mistake of ours, and has said so: its exit code must not be taken for anything that was found.
fn guarded(run: impl FnOnce() -> Exit) -> Exit {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|_| {
        complain("error: this is a mistake of mock-kestra itself, not of its input\n");
        Exit::Cannot
    })
}

fn run(command: Command) -> Exit {
    match command {
        Command::Serve(serve) => serve.run(),
        Command::Demo(demo) => demo.run(),
        Command::Run(run) => run.run(),
        Command::Test(test) => test.run(),
        Command::Explain(explain) => explain.run(),
        Command::Sweep(sweep) => sweep.run(),
        Command::Matrix(matrix) => matrix.run(),
        Command::Sensitivity(sensitivity) => sensitivity.run(),
        Command::Fuzz(fuzz) => fuzz.run(),
        Command::Dashboard(dashboard) => dashboard.run(),
        Command::Contract(contract) => contract.run(),
        Command::Export(export) => export.run(),
        Command::Record(record) => record.run(),
        Command::Check(check) => check.run(),
        Command::List => list(),
        Command::Show { name } => show(&name),
        Command::Schema => {
            print(&format!("{:#}\n", scenario::schema()));
            Exit::Ok
        }
        Command::Openapi => {
            print(crate::server::openapi());
            Exit::Ok
        }
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
        Command::Healthcheck(healthcheck) => healthcheck.run(),
    }
}

/// The shipped scenarios, family by family.
fn list() -> Exit {
    let (mut text, mut family) = (String::new(), "");
    for shipped in load::SHIPPED {
        let (plan, _) = scenario::read(&format!("{}.yaml", shipped.name), shipped.text, &scenario::NoFiles);
        let summary = plan.map(|plan| plan.summary).unwrap_or_default();
        if shipped.family != family {
            text += &format!("{}{}:\n", if family.is_empty() { "" } else { "\n" }, shipped.family);
            family = shipped.family;
        }
        text += &format!("  {:<24} {summary}\n", shipped.name);
    }
    print(&text);
    Exit::Ok
}

/// A file that ships inside the binary, to begin one's own with.
fn show(name: &str) -> Exit {
    let scenarios = load::SHIPPED.iter().map(|it| (it.name.to_owned(), it.text.to_owned()));
    let others = std::iter::once(shipped_rules()).chain(shipped_dashboards());
    let all: Vec<(String, String)> = scenarios.chain(others.map(|it| (it.name, it.text))).collect();
    let wanted = if name == rules::SHIPPED { "kestra.yml" } else { name.strip_suffix(".yaml").unwrap_or(name) };
    match all.iter().find(|(own, _)| own == wanted) {
        Some((_, text)) => {
            print(text);
            Exit::Ok
        }
        None => {
            let instead = crate::document::instead(name, all.iter().map(|(own, _)| own.as_str()));
            complain(&format!("error: nothing that ships is called `{name}`: {instead}\n"));
            Exit::Input
        }
    }
}

/// Whether something could not be written to standard output.
static UNWRITTEN: AtomicBool = AtomicBool::new(false);

/// Writes to standard output. Whoever reads it may leave early; that it cannot be written (a full disk) is told, and makes
/// the command fail.
fn print(text: &str) {
    let text = plain(text);
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = written.or_else(|error| if error.kind() == BrokenPipe { Ok(()) } else { Err(error) })
        && !UNWRITTEN.swap(true, Ordering::Relaxed)
    {
        complain(&format!("error: cannot write to standard output: {error}\n"));
    }
}

/// Writes to standard error.
fn complain(text: &str) {
    let text = plain(text);
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What a terminal would not show but obey, as `\u001b`: names and labels come from files that others wrote. JSON and quoted
/// YAML say the same with it.
fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for it in text.chars() {
        match obeyed(it) {
            true => out += &format!("\\u{:04x}", u32::from(it)),
            false => out.push(it),
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal moves, colours or turns round its text by a character.
fn obeyed(it: char) -> bool {
    let turns_round =
        matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
    it.is_control() && !matches!(it, '\n' | '\t') || turns_round
}

/// `--seed`: a number, or `random`.
fn seed(text: &str) -> Result<Seed, String> {
    if text == "random" {
        use rand::TryRng;
        use rand::rngs::SysRng;
        // 32 bits are easy to read and to type again.
        return SysRng.try_next_u32().map(|drawn| Seed(drawn.into())).map_err(|error| error.to_string());
    }
    text.parse().map(Seed).map_err(|_| "write a whole number, or `random`".to_owned())
}

/// Seeds from one to another, both included.
#[derive(Clone, Copy, Debug)]
struct Seeds {
    first: u64,
    last: u64,
}

/// Runs of one command.
const MAX_RUNS: u64 = 100_000;

impl Seeds {
    fn one(seed: Seed) -> Seeds {
        Seeds { first: seed.0, last: seed.0 }
    }
    fn all(self) -> impl Iterator<Item = Seed> {
        (self.first..=self.last).map(Seed)
    }
    fn first(self) -> u64 {
        self.first
    }
    fn count(self) -> u64 {
        self.last - self.first + 1
    }
}

/// `--seeds`: `A..B`, or the number of seeds from 1 on.
fn seeds(text: &str) -> Result<Seeds, String> {
    let wrong = || format!("write for example 1..20, or 20; at most {MAX_RUNS} of them");
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    let seeds = match text.split_once("..") {
        Some((first, last)) => Seeds { first: number(first)?, last: number(last.trim_start_matches('='))? },
        None => Seeds { first: 1, last: number(text)? },
    };
    let fits = seeds.last >= seeds.first && seeds.last - seeds.first < MAX_RUNS;
    if fits { Ok(seeds) } else { Err(wrong()) }
}

/// Options of commands that run many times.
#[derive(Debug, Args)]
struct Runs {
    /// Threads [default: as many as there are processors]
    #[arg(long)]
    jobs: Option<usize>,
}

impl Runs {
    fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).clamp(1, 256)
    }

    /// Tells on a terminal how far it is, when it takes longer than a second.
    fn progress(&self, count: usize) -> impl FnMut(usize) + Send + use<> {
        self.telling(Some(count))
    }

    /// The same where nobody knows how many runs it takes.
    fn counting(&self) -> impl FnMut(usize) + Send + use<> {
        self.telling(None)
    }

    #[allow(clippy::disallowed_methods, reason = "people wait by the wall clock")]
    fn telling(&self, count: Option<usize>) -> impl FnMut(usize) + Send + use<> {
        let terminal = std::io::stderr().is_terminal();
        let (mut next, second) = (std::time::Instant::now(), std::time::Duration::from_secs(1));
        next += second;
        let mut shown = false;
        move |done| {
            if !terminal {
                return;
            }
            if Some(done) == count && shown {
                // Leaves no trace.
                told_enough();
            } else if std::time::Instant::now() >= next {
                let of = count.map(|count| format!(" of {count}")).unwrap_or_default();
                to_terminal(&format!("\r{done}{of} runs "));
                shown = true;
                next += second / 5;
            }
        }
    }
}

/// Takes away how far it is.
fn told_enough() {
    to_terminal("\r\x1b[K");
}

/// Moves on the terminal of who waits, if there is one: only words of ours.
fn to_terminal(text: &str) {
    let mut out = std::io::stderr().lock();
    if out.is_terminal() {
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// Adds a text to the end of a file, which may be there or not.
fn append(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::options().append(true).create(true).open(path)?;
    file.write_all(plain(text).as_bytes())
}

/// Writes a file that is not there yet.
fn write_new(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::options().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// The versions that ship, for `--kestra`.
fn versions() -> impl TypedValueParser<Value = &'static Profile> {
    PossibleValuesParser::new(Profile::NAMES).try_map(|name| Profile::named(&name))
}

/// The calendar of a plan: from its own start, or the usual Monday.
fn calendar(plan: &Plan) -> Calendar {
    plan.start.map_or(Calendar::default(), Calendar::starting)
}

/// `--start`: a date, or `now`.
#[allow(clippy::disallowed_methods, reason = "only the command line may ask for the date")]
fn start(text: &str) -> Result<jiff::Timestamp, String> {
    if text == "now" {
        return Ok(jiff::Timestamp::now());
    }
    text.parse().map_err(|_| "write `now`, or a date with its zone such as 2026-01-05T08:00:00Z".to_owned())
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test that cannot go on panics")]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_command_is_exit_3() {
        assert_eq!(guarded(|| panic!("boom")), Exit::Cannot);
        assert_eq!(guarded(|| Exit::Found), Exit::Found);
    }

    #[test]
    fn a_terminal_is_told_nothing_that_it_would_obey() {
        assert!(matches!(plain("a name,\twith a tab\nand `\u{e9}\u{4e2d}`"), Cow::Borrowed(_)));
        let hostile = "a\u{1b}[2Jb\rc\u{7}\u{9b}31m\u{202e}d\u{7f}";
        assert_eq!(plain(hostile), "a\\u001b[2Jb\\u000dc\\u0007\\u009b31m\\u202ed\\u007f");
        // In JSON it stays the same text.
        let json = serde_json::to_string(hostile).unwrap_or_default();
        assert_eq!(serde_json::from_str::<String>(&plain(&json)).ok().as_deref(), Some(hostile));
    }
}

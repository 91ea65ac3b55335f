//! `contract`: a live Kestra beside the profile of a version, and which rules would go quiet on it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use futures_util::{StreamExt, stream};

use super::access::{Access, Failed};
use super::places::Places;
use super::rules::Rules;
use super::told::Told;
use super::{Exit, complain};
use crate::contract::{self, Answered, Contract as Compared, RulesReport, Server, Standing};
use crate::document::Severity;
use crate::profile::Profile;
use crate::server::{Outside, Reply};

/// What the words of its reports mean.
pub(super) const MEANING: &str = "\
Each difference says in which direction it goes:
  version   the server is of another version than it is held against
  renamed   the server has the family under another name
  lacks     the profile has the family, or the endpoint, and the server has not
  more      the server has it, and the profile has not
  type, help, labels   a family of both is another one
  values    a label whose values the code fixes (pools, queues, memory) has not all of them
  status, shape        an endpoint answers with another status, or with a body of another shape

A server is asked with GET only: /prometheus, /version, and every endpoint that a version has, but none that changes \
anything. What comes with its first event and is not there yet is no difference. With several servers each role is \
judged by all servers that have it. With --rules nothing but the rules is judged.

Exit codes: 0 no difference and no rule that goes quiet, but such as --allow knows; 1 there is one; 2 wrong input, or servers \
of several versions without --kestra; 3 a server does not answer, lets nobody in, or is no Kestra.

Examples:
  mock-kestra contract http://kestra-0:8081
  mock-kestra contract http://kestra-0:8081 http://kestra-1:8081 --kestra 1.3 --junit contract.xml
  mock-kestra contract http://kestra-0:8081 --allow 'jvm_*' --allow 'more:*'
  MOCK_KESTRA_USER=prom:secret mock-kestra contract https://staging/management --rules alerts.yml";

/// Servers that are asked at once.
const AT_ONCE: usize = 8;

#[derive(Debug, Args)]
pub(super) struct Contract {
    /// Management ports, such as http://kestra-0:8081, with what is set as endpoints.all.path behind it
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
    /// Version whose profile they are held against [default: the one that they say they are]
    #[arg(long, value_parser = super::versions())]
    kestra: Option<&'static Profile>,
    /// Instead: which of these rules would go quiet there; a rule file of Prometheus, manifests, a provisioning file of
    /// Grafana, or a folder of them; more may follow
    #[arg(long, value_name = "FILE", conflicts_with = "kestra")]
    rules: Vec<String>,
    /// What is known: a family, `GET /path`, a rule, or a pattern of them such as `jvm_*`, with a kind of differences in front
    /// if need be, as in `more:*`; it is told and does not count
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    allow: Vec<glob::Pattern>,
    #[command(flatten)]
    access: Access,
    /// Name also what was not seen yet, what is not judged, and why
    #[arg(long)]
    all: bool,
    /// Form of the report; github adds annotations to the text, which point at lines of rules, for GitHub Actions
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// Write a JUnit report to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Json,
    Markdown,
    Github,
}

fn pattern(text: &str) -> Result<glob::Pattern, String> {
    glob::Pattern::new(text).map_err(|why| format!("{why}; write a name, or a pattern such as jvm_* or more:*"))
}

impl Contract {
    pub(super) fn run(&self) -> Exit {
        let (mut told, mut report) = (Told::default(), String::new());
        let exit = self.judge(&mut told, &mut report).unwrap_or_else(|(exit, why)| {
            if !why.is_empty() {
                complain(&format!("error: {why}\n"));
                told.annotate(None, Severity::Error, &why);
            }
            exit
        });
        told.closing(&report, self.format == Form::Github, false, exit)
    }

    fn judge(&self, told: &mut Told, report: &mut String) -> Result<Exit, Failed> {
        // All input is read before anybody is asked.
        let rules = match self.rules.is_empty() {
            true => None,
            false => Some(Rules::of(self.rules.clone(), None).watch(told).ok_or_else(|| (Exit::Input, String::new()))?),
        };
        let outsides = self.access.ports(&self.urls)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|why| (Exit::Cannot, why.to_string()))?;
        let servers = runtime.block_on(ask(&outsides, rules.is_none()))?;
        let allowed = |subject: &str| self.allow.iter().any(|pattern| pattern.matches(subject));
        match rules {
            Some((watch, files)) => {
                let judged = contract::judge_rules(&watch.rules, &servers, allowed);
                annotate_rules(&judged, &files, told);
                *report = self.form(&judged, || judged.text(self.all), || judged.markdown());
                self.write(|| judged.junit())?;
                Ok(if judged.found() { Exit::Found } else { Exit::Ok })
            }
            None => {
                let profile = self.kestra.map_or_else(|| one_version(&servers), Ok)?;
                let compared = contract::compare(profile, &servers, allowed);
                annotate(&compared, told);
                *report = self.form(&compared, || compared.text(self.all), || compared.markdown());
                self.write(|| compared.junit())?;
                Ok(if compared.differs() { Exit::Found } else { Exit::Ok })
            }
        }
    }

    fn form(
        &self,
        report: &impl serde::Serialize,
        text: impl FnOnce() -> String,
        markdown: impl FnOnce() -> String,
    ) -> String {
        match self.format {
            Form::Text | Form::Github => text(),
            Form::Markdown => markdown(),
            Form::Json => format!("{}\n", serde_json::to_string_pretty(report).unwrap_or_default()),
        }
    }

    fn write(&self, junit: impl FnOnce() -> String) -> Result<(), Failed> {
        let Some(path) = &self.junit else { return Ok(()) };
        let told = |error| (Exit::Cannot, format!("cannot write {}: {error}", path.display()));
        std::fs::write(path, junit()).map_err(told)
    }
}

/// Asks all servers. What is wrong with any of them is told, each on a line of its own.
async fn ask(outsides: &[Outside], whole: bool) -> Result<Vec<Server>, Failed> {
    let asked = stream::iter(outsides.iter().map(|outside| ask_one(outside, whole)));
    let asked: Vec<Result<Server, String>> = asked.buffered(AT_ONCE).collect().await;
    let (mut servers, mut wrong) = (Vec::new(), Vec::new());
    for server in asked {
        match server {
            Ok(server) => servers.push(server),
            Err(why) => wrong.push(why),
        }
    }
    if wrong.is_empty() { Ok(servers) } else { Err((Exit::Cannot, wrong.join("\nerror: "))) }
}

async fn ask_one(outside: &Outside, whole: bool) -> Result<Server, String> {
    let prometheus = outside.get("prometheus").await.map_err(|why| why.to_string())?;
    let version = outside.get("version").await.ok().map(answered);
    let read = Server::read(outside.shown(), &answered(prometheus), version.as_ref());
    let server = read.map_err(|why| format!("{}: {why}", outside.shown()))?;
    if !whole {
        return Ok(server);
    }
    let mut answers = Vec::new();
    // One after the other: whoever is asked has work to do.
    for path in contract::paths() {
        let reply = outside.get(path.trim_start_matches('/')).await;
        answers.push((path, reply.map(answered).map_err(|why| why.to_string())));
    }
    Ok(server.answering(answers))
}

fn answered(reply: Reply) -> Answered {
    let content_type = reply.header("content-type").map(str::to_owned);
    Answered { status: reply.status, content_type, body: reply.body }
}

/// The profile of all servers.
fn one_version(servers: &[Server]) -> Result<&'static Profile, Failed> {
    let Some(first) = servers.first() else { return Err((Exit::Input, "no server was named".to_owned())) };
    match servers.iter().find(|server| server.profile() != first.profile()) {
        None => Ok(first.profile()),
        Some(other) => {
            let said = |it: &Server| format!("{} is Kestra {}", it.url(), it.version().unwrap_or(it.profile().name()));
            let (first, other) = (said(first), said(other));
            Err((Exit::Input, format!("{first}, {other}: say with --kestra which version they are held against")))
        }
    }
}

/// Differences stand nowhere: on GitHub they are told of the job.
fn annotate(compared: &Compared, told: &mut Told) {
    for it in &compared.differences {
        let severity = if it.allowed { Severity::Note } else { Severity::Error };
        told.annotate(None, severity, &format!("{}: {}", it.kind.name(), it.line(compared.servers.len())));
    }
}

/// Rules stand in a file.
fn annotate_rules(judged: &RulesReport, files: &[String], told: &mut Told) {
    let places = Places::of(&[], files);
    for rule in &judged.rules {
        let severity = match rule.standing {
            Standing::Quiet | Standing::Always if rule.allowed => Severity::Note,
            Standing::Quiet | Standing::Always => Severity::Error,
            Standing::Partly => Severity::Warning,
            _ => continue,
        };
        let what = format!("{}: {}: {}", rule.rule, rule.standing.name(), rule.told);
        told.annotate(places.rule(&rule.rule, Some(&rule.group)), severity, &what);
    }
}

//! How a mock is made: what it is made of is read, and every mistake in it told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Core, MockError, MockKestra};
use crate::document::{self, Diagnostic, Severity, Source};
use crate::files::{self, CannotRead, Files};
use crate::monitor::{self, Outside, RuleSet};
use crate::profile::Profile;
use crate::promql::Semantics;
use crate::random::Seed;
use crate::run::{Session, Watch};
use crate::scenario::{self, Plan};
use crate::server::{self, Clock, Options};
use crate::time::Calendar;

/// What a [`MockKestra`] is made of: [`MockKestra::builder`]. Nothing is read before [`start`](MockBuilder::start).
#[derive(Clone, Debug)]
#[must_use = "it does nothing before it is started"]
pub struct MockBuilder {
    scenario: Which,
    flows: Vec<PathBuf>,
    secrets: Vec<(String, String)>,
    kestra: Option<String>,
    seed: Seed,
    rules: Option<Vec<Given>>,
    clock: Option<Clock>,
    options: Options,
    verifies: bool,
}

/// Which scenario.
#[derive(Clone, Debug)]
enum Which {
    Shipped(String),
    File(PathBuf),
    Text(String),
}

/// Where rules are.
#[derive(Clone, Debug)]
enum Given {
    File(PathBuf),
    Text(String),
}

impl Default for MockBuilder {
    fn default() -> MockBuilder {
        MockBuilder {
            scenario: Which::Shipped("healthy".to_owned()),
            flows: Vec::new(),
            secrets: Vec::new(),
            kestra: None,
            seed: Seed(1),
            rules: Some(Vec::new()),
            clock: None,
            options: Options::default(),
            verifies: true,
        }
    }
}

impl MockBuilder {
    /// A scenario that ships, by its name: `worker-killed` (`mock-kestra list` shows all). Without one it is `healthy`.
    pub fn scenario(mut self, name: impl Into<String>) -> MockBuilder {
        self.scenario = Which::Shipped(name.into());
        self
    }

    /// A scenario of a file; flows that it names lie beside it.
    pub fn scenario_file(mut self, path: impl Into<PathBuf>) -> MockBuilder {
        self.scenario = Which::File(path.into());
        self
    }

    /// A scenario as text, in the form of a file. `extends: worker-killed` makes another one of one that ships.
    pub fn scenario_text(mut self, text: impl Into<String>) -> MockBuilder {
        self.scenario = Which::Text(text.into());
        self
    }

    /// More flows, in Kestra's own syntax: a file, a folder with all below it, or a pattern. May be said several times.
    pub fn flows(mut self, path: impl Into<PathBuf>) -> MockBuilder {
        self.flows.push(path.into());
        self
    }

    /// A secret that templates of flows ask for, as it is (not in base64). The environment is not asked.
    pub fn secret(mut self, name: impl Into<String>, value: impl Into<String>) -> MockBuilder {
        self.secrets.push((name.into(), value.into()));
        self
    }

    /// The version of Kestra, instead of that of the scenario: `0.20`, `1.3`, `2.0` and those between.
    pub fn kestra(mut self, version: impl Into<String>) -> MockBuilder {
        self.kestra = Some(version.into());
        self
    }

    /// The seed of all chance: the same seed and the same calls give the same answers. Without one it is 1.
    pub fn seed(mut self, seed: u64) -> MockBuilder {
        self.seed = Seed(seed);
        self
    }

    /// Alert rules that are evaluated as time goes on: a rule file of Prometheus, manifests, a provisioning file of Grafana, or
    /// a folder of them. May be said several times; without any the shipped rules are taken.
    pub fn rules(mut self, path: impl Into<PathBuf>) -> MockBuilder {
        self.rules.get_or_insert_default().push(Given::File(path.into()));
        self
    }

    /// The same as text.
    pub fn rules_text(mut self, text: impl Into<String>) -> MockBuilder {
        self.rules.get_or_insert_default().push(Given::Text(text.into()));
        self
    }

    /// No rules are evaluated, and nothing is scraped: quicker where nobody asks for alerts.
    pub fn without_rules(mut self) -> MockBuilder {
        self.rules = None;
        self
    }

    /// How virtual time follows real time. Without this it does not: it moves only when the test moves it. With
    /// `Clock::wall()` it runs by itself, for what watches the mock in real time.
    pub fn clock(mut self, clock: Clock) -> MockBuilder {
        self.clock = Some(clock);
        self
    }

    /// Where it listens, and what it really sends. Without this it listens on any free ports of this machine and sends nothing:
    /// receivers answer as the scenario says.
    pub fn options(mut self, options: Options) -> MockBuilder {
        self.options = options;
        self
    }

    /// Whether the end of the mock panics when an expectation of the scenario is not met and nobody has called
    /// [`verify`](MockKestra::verify): it does unless this says no. It never does while a panic is under way.
    pub fn verify_on_drop(mut self, verifies: bool) -> MockBuilder {
        self.verifies = verifies;
        self
    }

    /// Starts it: all ports are open when this is back.
    ///
    /// # Errors
    /// What is wrong with the scenario or the rules, each thing with its place and what to write instead; or no port is free.
    pub fn start(self) -> Result<MockKestra, MockError> {
        let mut warnings = String::new();
        let plan = Arc::new(self.plan(&mut warnings)?);
        let watch = self.watch(&plan, &mut warnings)?;
        let calendar = plan.start.map_or(Calendar::default(), Calendar::starting);
        let session = Session::new(plan.clone(), self.seed, calendar);
        let session = watch.iter().fold(session, |it, watch| it.watched(&Watch { live: true, ..watch.clone() }));
        let by_hand = || {
            let (clock, _) = Clock::by_hand();
            clock
        };
        let running = server::start(session, self.options, self.clock.unwrap_or_else(by_hand))?;
        let core = Core { inside: running.inside(), plan, watch };
        // What boots is refused from the beginning.
        core.inside.settle();
        Ok(MockKestra::new(running, core, warnings, self.verifies))
    }

    /// The same in async code: nothing of the caller's runtime is blocked, whichever it is.
    ///
    /// # Errors
    /// As [`start`](MockBuilder::start).
    pub async fn start_async(self) -> Result<MockKestra, MockError> {
        server::aside(|_| self.start()).await?
    }

    /// The scenario as it is run.
    fn plan(&self, warnings: &mut String) -> Result<Plan, MockError> {
        let source = self.source()?;
        let mut files = Files::default();
        for path in &self.flows {
            let cannot = |why| MockError::Scenario(format!("cannot read the flows `{}`: {why}", path.display()));
            files.more.extend(files::flow_files(path).map_err(cannot)?);
        }
        let (plan, told) = scenario::read(&source.name, &source.text, &files);
        let (plan, told) = match &self.kestra {
            None => (plan, told),
            Some(version) => {
                let kestra = Profile::named(version).map_err(MockError::Scenario)?;
                let members = plan.iter().flat_map(|plan| &plan.cluster.members);
                if let Some(unfit) = members.filter_map(|member| member.unfit(kestra)).next() {
                    let name = &source.name;
                    return Err(MockError::Scenario(format!(
                        "{unfit}, and {name} asks for one: leave it out, or take a version that has it"
                    )));
                }
                scenario::read_as(&source.name, &source.text, &files, kestra)
            }
        };
        *warnings += &document::render(&told);
        let Some(mut plan) = plan else {
            let told =
                if told.is_empty() { format!("{} is no scenario", source.name) } else { document::render(&told) };
            return Err(MockError::Scenario(told.trim_end().to_owned()));
        };
        for file in &plan.left_out {
            *warnings += &format!("warning: {file} is left out: Kestra {} refuses it\n", plan.kestra.name());
        }
        for (name, value) in &self.secrets {
            plan.secrets.insert(name.clone(), value.clone());
        }
        for (secret, who) in scenario::missing_secrets(&plan) {
            *warnings += &format!("warning: there is no secret `{secret}`, so {who} always fails\n");
        }
        Ok(plan)
    }

    fn source(&self) -> Result<Source, MockError> {
        let name = match &self.scenario {
            Which::Text(text) => return Ok(Source { name: "scenario.yaml".to_owned(), text: text.clone() }),
            Which::File(path) => {
                let name = path.display().to_string();
                return files::file(&name)
                    .map_err(|why| MockError::Scenario(format!("cannot read the scenario `{name}`: {why}")));
            }
            Which::Shipped(name) => name,
        };
        if files::shipped(name).is_some() {
            return files::scenario_source(Path::new(""), name).map_err(MockError::Scenario);
        }
        let advice = match Path::new(name).exists() || name.contains('/') || name.ends_with(".yaml") {
            true => "a file is given by `scenario_file`".to_owned(),
            false if name.contains('\n') => "a text is given by `scenario_text`".to_owned(),
            false => match document::nearest(name, files::names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("those that ship are {}", files::names().collect::<Vec<_>>().join(", ")),
            },
        };
        Err(MockError::Scenario(format!("no scenario ships as `{name}`; {advice}")))
    }

    /// How it is watched, if it is.
    fn watch(&self, plan: &Plan, warnings: &mut String) -> Result<Option<Watch>, MockError> {
        let Some(given) = &self.rules else { return Ok(None) };
        let sources = if given.is_empty() { vec![files::shipped_rules()] } else { sources(given, warnings)? };
        let rules = read_rules(&sources, warnings)?;
        let newer = rules.refused_by(Semantics::V3);
        if newer.iter().any(|it| it.severity == Severity::Error) {
            return Err(MockError::Rules(document::render(&newer).trim_end().to_owned()));
        }
        *warnings += &document::render(&newer);
        // What ships expects alerts of the rules that ship.
        let lenient = matches!(self.scenario, Which::Shipped(_)) && !given.is_empty();
        let watch = Watch { rules, lenient, nearest: true, ..Watch::default() };
        for remark in watch.notes(plan) {
            let level = if remark.severity == Severity::Note { "note" } else { "warning" };
            *warnings += &format!("{level}: {}\n", remark.told);
        }
        let boundless = watch.boundless();
        if !boundless.is_empty() {
            return Err(MockError::Rules(format!(
                "while time goes on, rules must not look back without a bound, or ahead: {}; take `@`, negative offsets and \
                 queries made in templates out of them",
                boundless.join(", ")
            )));
        }
        Ok(Some(watch))
    }
}

/// The texts of rules.
fn sources(given: &[Given], warnings: &mut String) -> Result<Vec<Source>, MockError> {
    let mut sources = Vec::new();
    for (number, it) in given.iter().enumerate() {
        match it {
            Given::Text(text) => {
                sources.push(Source { name: format!("rules-{}.yml", number + 1), text: text.clone() });
            }
            Given::File(path) => {
                let mut notes = Vec::new();
                let read = files::rule_sources(path, &mut notes);
                notes.iter().for_each(|note| *warnings += &format!("note: {note}\n"));
                let cannot =
                    |CannotRead { file, why }| MockError::Rules(format!("cannot read the rules `{file}`: {why}"));
                sources.extend(read.map_err(cannot)?);
            }
        }
    }
    Ok(sources)
}

/// All rules of these texts. The environment is not asked for variables of Grafana's files.
fn read_rules(sources: &[Source], warnings: &mut String) -> Result<RuleSet, MockError> {
    let data_sources = sources.iter().flat_map(|source| monitor::data_sources(&source.text)).collect();
    let outside = Outside { data_sources: &data_sources, ..Outside::default() };
    let (mut rules, mut wrong) = (RuleSet::default(), Vec::<Diagnostic>::new());
    let mut uids: BTreeMap<String, &str> = BTreeMap::new();
    for source in sources {
        let (found, told) = match monitor::read_rules_with(&source.name, &source.text, &outside) {
            Ok(read) => read,
            Err(told) => {
                wrong.extend(told);
                continue;
            }
        };
        *warnings += &document::render(&told);
        for uid in found.deleted.iter().map(|(uid, _)| uid) {
            uids.remove(uid);
        }
        for rule in found.grafana.iter().flat_map(|group| &group.rules) {
            if let Some(other) = uids.insert(rule.uid.clone(), &source.name) {
                let (uid, name) = (&rule.uid, &source.name);
                return Err(MockError::Rules(format!(
                    "{name}: the rule `{uid}` is in {other} too: each uid is of one rule"
                )));
            }
        }
        *warnings += &document::render(&rules.extend(found));
    }
    match wrong.is_empty() {
        true => Ok(rules),
        false => Err(MockError::Rules(document::render(&wrong).trim_end().to_owned())),
    }
}

//! A mock for tests in Rust: a cluster on ports of its own, moved by the test, that judges its scenario at its end.

mod builder;
mod error;
mod told;
mod until;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::Value;

use crate::document;
use crate::profile::Role;
use crate::report::{Line, MessageLine, Report};
use crate::run::{ActiveAlert, Session, Watch};
use crate::scenario::Plan;
use crate::server::{self, Addresses, Inside, MemberAddress, Running};
use crate::simulator::Origin;
use crate::time::{Duration, Instant};

pub use builder::MockBuilder;
pub use error::MockError;
pub use until::Until;

/// A fake Kestra that belongs to a test: its ports are open until it is dropped. Several may live in one process, none knows
/// of another, and nothing of the process is changed.
///
/// Virtual time stands still unless the test moves it, so that a test does not depend on how fast its machine is. The same
/// seed and the same calls give the same answers.
///
/// ```
/// use std::time::Duration;
///
/// use mock_kestra::{MockKestra, Until};
///
/// # fn main() -> Result<(), mock_kestra::MockError> {
/// let mock = MockKestra::builder().scenario("worker-killed").kestra("2.0").seed(7).start()?;
/// let metrics = format!("{}/prometheus", mock.url("worker-1")?); // for your own client, or a real Prometheus
///
/// mock.advance(Duration::from_secs(540))?;
/// assert!(mock.alerts()?.is_empty(), "{metrics}");
/// mock.run_until(Until::alert_fires("KestraWorkerDown"))?; // the scenario kills worker-1 after ten minutes
///
/// mock.inject("{ hang: executor-1, for: 2m, name: frozen }")?; // as in the timeline of a scenario
/// mock.advance(Duration::from_secs(30))?;
/// mock.clear("frozen")?;
/// mock.verify()?; // what the scenario expects; else it is judged when the mock is dropped
/// # Ok(())
/// # }
/// ```
///
/// In async code [`start_async`](MockBuilder::start_async), [`advance_async`](MockKestra::advance_async),
/// [`run_until_async`](MockKestra::run_until_async) and [`verify_async`](MockKestra::verify_async) do not block; all else is
/// over in a moment and may be called there as it is. Where a receiver of messages lives in the same runtime, time must be moved
/// by these: whoever moves it waits for the receiver's answers.
///
/// ```
/// use std::time::Duration;
///
/// use mock_kestra::{MockKestra, Until};
///
/// # tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(async {
/// let scenario = "
/// name: nightly
/// flows:
///   - id: load
///     namespace: company.team
///     inputs: [ { id: day, type: STRING } ]
///     tasks: [ { id: work, type: io.kestra.plugin.scripts.shell.Commands } ]
/// behaviour: [ { flow: load, duration: 30s } ]
/// ";
/// let mock = MockKestra::builder().scenario_text(scenario).start_async().await?;
/// let id = mock.execute_with("load", &std::collections::BTreeMap::from([("day", "monday")]), &[("team", "a")])?;
/// mock.advance_async(Duration::from_secs(5)).await?;
/// assert_eq!(mock.execution_state(&id)?, "RUNNING");
/// mock.run_until_async(Until::execution_ends(&id).within(Duration::from_secs(60))).await?;
/// assert_eq!(mock.execution_state(&id)?, "SUCCESS");
/// # Ok::<(), mock_kestra::MockError>(()) }).expect("it goes");
/// ```
#[derive(Debug)]
pub struct MockKestra {
    running: Running,
    core: Arc<Core>,
    warnings: String,
    /// Its end judges what the scenario expects.
    verifies: AtomicBool,
}

/// What work on another thread needs.
#[derive(Debug)]
struct Core {
    inside: Inside,
    plan: Arc<Plan>,
    /// How a run of it is watched that is judged.
    watch: Option<Watch>,
}

impl MockKestra {
    /// Where a mock begins.
    pub fn builder() -> MockBuilder {
        MockBuilder::default()
    }

    fn new(running: Running, core: Core, warnings: String, verifies: bool) -> MockKestra {
        MockKestra { running, core: Arc::new(core), warnings, verifies: AtomicBool::new(verifies) }
    }

    /// Where the management port of a member is, with `/health` and `/prometheus` below it: `http://127.0.0.1:40123`.
    ///
    /// # Errors
    /// No member is called so.
    pub fn url(&self, member: &str) -> Result<String, MockError> {
        self.member(member).map(|it| format!("http://{}:{}", it.host, it.management))
    }

    /// Where Kestra's own port is, 8080 of a real one: of the first webserver or standalone. It answers what monitoring asks
    /// for (`/ping`, its 404s and 401s); there is no REST API of Kestra.
    ///
    /// # Errors
    /// The scenario has no webserver.
    pub fn kestra_url(&self) -> Result<String, MockError> {
        let serves =
            |it: &&MemberAddress| [Role::Webserver, Role::Standalone].iter().any(|role| role.name() == it.role);
        let first = self.running.addresses().members.iter().find(serves);
        let none = || MockError::denied("the scenario has no webserver", "ask a member: `url`");
        first.map(|it| format!("http://{}:{}", it.host, it.application)).ok_or_else(none)
    }

    /// Where the control port is: the page, `/api/...`, and `/sd` for a real Prometheus.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.running.addresses().control)
    }

    /// Where everything listens, member by member.
    pub fn addresses(&self) -> &Addresses {
        self.running.addresses()
    }

    /// What was told of the scenario and the rules when they were read, and did not keep it from starting: what is not
    /// simulated, flows that are left out, rules that mean nothing here. Empty when there is nothing.
    pub fn warnings(&self) -> &str {
        &self.warnings
    }

    /// The current instant, counted from the scenario's start.
    ///
    /// # Errors
    /// The model has panicked.
    pub fn now(&self) -> Result<Instant, MockError> {
        Ok(self.core.inside.see(Session::now)?)
    }

    /// Moves virtual time forward, all at once: the instant it is then.
    ///
    /// # Errors
    /// A limit of the simulation is reached, or somebody has ended it over the control port.
    pub fn advance(&self, by: impl Into<Duration>) -> Result<Instant, MockError> {
        let by = by.into();
        Ok(self.core.inside.go(|now| now + by, &|| false)?)
    }

    /// The same in async code, in any runtime. It ends early when it is dropped.
    ///
    /// # Errors
    /// As [`advance`](MockKestra::advance).
    pub async fn advance_async(&self, by: impl Into<Duration>) -> Result<Instant, MockError> {
        let (by, core) = (by.into(), self.core.clone());
        Ok(server::aside(move |gone| core.inside.go(|now| now + by, gone)).await??)
    }

    /// Moves virtual time forward until something is so, or somebody waits too long: the instant it is then. What is so
    /// already moves nothing.
    ///
    /// # Errors
    /// It did not come: then this tells what came instead. Or it cannot come: no rule, no execution is called so.
    pub fn run_until(&self, until: Until) -> Result<Instant, MockError> {
        until.wait(&self.core, &|| false)
    }

    /// The same in async code, in any runtime. It ends early when it is dropped.
    ///
    /// # Errors
    /// As [`run_until`](MockKestra::run_until).
    pub async fn run_until_async(&self, until: Until) -> Result<Instant, MockError> {
        let core = self.core.clone();
        server::aside(move |gone| until.wait(&core, gone)).await?
    }

    /// Injects a fault, in YAML or JSON, as an entry of a scenario's timeline: `{ kill: worker-1, for: 2m }`. Without `at` it
    /// begins now. Gives its name, for [`clear`](MockKestra::clear).
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub fn inject(&self, fault: &str) -> Result<String, MockError> {
        Ok(self.core.inside.inject(fault)?)
    }

    /// Ends a fault, or takes back one that was injected and has not begun.
    ///
    /// # Errors
    /// There is none of this name; which could be cleared.
    pub fn clear(&self, fault: &str) -> Result<(), MockError> {
        Ok(self.core.inside.clear(fault)?)
    }

    /// Starts an execution of a flow, by its id or `namespace.id`, as somebody does over Kestra's API. Gives its id.
    ///
    /// # Errors
    /// There is no such flow, it is disabled, it wants inputs, or no webserver is there to ask.
    pub fn execute(&self, flow: &str) -> Result<String, MockError> {
        self.execute_with(flow, &serde_json::Map::new(), &[])
    }

    /// The same with inputs, anything that becomes a JSON object, and labels.
    ///
    /// # Errors
    /// As [`execute`](MockKestra::execute); or an input is not as the flow declares it, or it declares none of this name.
    pub fn execute_with(
        &self,
        flow: &str,
        inputs: &impl Serialize,
        labels: &[(&str, &str)],
    ) -> Result<String, MockError> {
        let advice = "give a map or a struct, one field for each input";
        let inputs = match serde_json::to_value(inputs) {
            Ok(Value::Object(inputs)) => inputs,
            Ok(Value::Null) => serde_json::Map::new(),
            Ok(other) => return Err(MockError::denied(format!("inputs are {other}"), advice)),
            Err(why) => return Err(MockError::denied(format!("inputs cannot become JSON: {why}"), advice)),
        };
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Ok(self.core.inside.execute(flow, Origin { inputs, labels, ..Origin::default() })?)
    }

    /// The state of an execution, in Kestra's word: `RUNNING`, `SUCCESS`, ...
    ///
    /// # Errors
    /// There is none of this id, or it ended long ago.
    pub fn execution_state(&self, id: &str) -> Result<&'static str, MockError> {
        let state = self.core.inside.see(|session| session.simulation().execution(id).map(|it| it.state.name()))?;
        state.ok_or_else(|| {
            let advice = "take the id that `execute` gives; of those that ended only the last are kept";
            MockError::denied(format!("there is no execution `{id}`"), advice)
        })
    }

    /// The alerts that are pending or fire now.
    ///
    /// # Errors
    /// No rules are evaluated.
    pub fn alerts(&self) -> Result<Vec<ActiveAlert>, MockError> {
        if self.core.watch.is_none() {
            return Err(MockError::denied("no rules are evaluated", "leave out `without_rules`"));
        }
        Ok(self.core.inside.see(Session::active_alerts)?)
    }

    /// What notification tasks of flows have sent so far, or could not send; secrets as stars.
    ///
    /// # Errors
    /// The model has panicked.
    pub fn notifications(&self) -> Result<Vec<MessageLine>, MockError> {
        Ok(self.core.inside.see(Session::messages)?)
    }

    /// What has happened so far, in the order of time.
    ///
    /// # Errors
    /// The model has panicked.
    pub fn journal(&self) -> Result<Vec<Line>, MockError> {
        let lines = |session: &Session| {
            let journal = session.simulation().journal();
            journal.iter().map(|line| Line::of(line, session.plan())).collect()
        };
        Ok(self.core.inside.see(lines)?)
    }

    /// The session itself, for all that is not here: commands, looks at other instants, saving. Where it is moved to the clock
    /// follows. Nobody is answered meanwhile.
    ///
    /// # Errors
    /// The model has panicked.
    pub fn session<T>(&self, look: impl FnOnce(&mut Session) -> T) -> Result<T, MockError> {
        let found = self.running.session(look)?;
        self.core.inside.settle();
        Ok(found)
    }

    /// Judges what the scenario expects, and gives the whole report. Time is not moved: the same run, with all that was done
    /// to it, is gone through once more to the end of the scenario, or to where the mock is when that is later. After this the
    /// end of the mock judges nothing.
    ///
    /// # Errors
    /// Something expected is not met: then this tells how near it came, which alerts fired, and what happened last.
    pub fn verify(&self) -> Result<Report, MockError> {
        self.verifies.store(false, Ordering::Relaxed);
        self.core.verify()
    }

    /// The same in async code, in any runtime.
    ///
    /// # Errors
    /// As [`verify`](MockKestra::verify).
    pub async fn verify_async(&self) -> Result<Report, MockError> {
        self.verifies.store(false, Ordering::Relaxed);
        let core = self.core.clone();
        server::aside(move |_| core.verify()).await?
    }

    fn member(&self, name: &str) -> Result<&MemberAddress, MockError> {
        let members = &self.running.addresses().members;
        let unknown = || {
            let advice = document::instead(name, members.iter().map(|it| it.name.as_str()));
            MockError::denied(format!("no member is called `{name}`"), advice)
        };
        members.iter().find(|it| it.name == name).ok_or_else(unknown)
    }
}

impl Core {
    fn verify(&self) -> Result<Report, MockError> {
        let again = self.inside.see(Session::again)?;
        let now = again.now;
        let report = again.judged(self.watch.as_ref(), now.max(Instant::START + self.plan.duration))?;
        self.verdict(&report, now)?;
        Ok(report)
    }
}

impl Drop for MockKestra {
    /// Judges what the scenario expects, unless that was done, or a panic is under way. All ports are closed behind it.
    fn drop(&mut self) {
        if !self.verifies.load(Ordering::Relaxed) || std::thread::panicking() {
            return;
        }
        if let Err(why) = self.core.verify() {
            #[allow(clippy::panic, reason = "a test fails by it: that is what it is for")]
            {
                panic!("{why}");
            }
        }
    }
}

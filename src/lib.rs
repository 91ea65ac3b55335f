//! A fake Kestra for testing: a simulated cluster in virtual time, behind the real management port, that fails on cue.
//!
//! # The picture
//!
//! ```text
//! scenario file --scenario--> Plan --simulator--> members, executions, meters
//!    Kestra flow files --flow--^         |
//!                                        '--metrics--> families --management--> answers on port 8081 (server: sockets)
//!                                                          '--monitor (promql)--> alerts --run--> report
//! ```
//!
//! One direction, no way back. A `scenario` (with flows in Kestra's own syntax, read by `flow`) becomes a
//! [`Plan`]. The `simulator` runs it event by event in virtual time (`time`), with draws from named
//! streams (`random`). What comes next in an execution, and which alert flows hear of it, says `execution`, which knows no
//! cluster and no clock; what a notification task sends says `notify`; both have Kestra's templates rendered by `pebble`, in
//! the forms of `java`. What differs between Kestra versions is data: a `profile`. `metrics` is Micrometer's registry and its
//! text format, `management` the pure functions that answer requests. `monitor` is a Prometheus in virtual time: it sees
//! scraped samples only, and evaluates rules with `promql`. `run` runs a plan to its end and gives a [`report`]; `lab` learns
//! from many runs; `contract` holds what a live Kestra says against a profile, `record` makes a scenario of it; `history`
//! carries what a Prometheus would have stored to another one, `documents` what an Elasticsearch would; `server` puts it on sockets at the
//! pace of a clock; `mock` is a server that belongs to a test in Rust; `files` has what ships, and reads what others wrote; `cli`
//! is the command line. `document` reads YAML with positions and says what is wrong with it. `tests/layers.rs` holds who may use whom.
//!
//! # Invariants
//!
//! 1. Same scenario, seed and commands give the same bytes of every answer at every virtual time, on every machine.
//! 2. Reading changes nothing: a scrape or a probe never alters what another one shows.
//! 3. Counters never fall within the life of a process; a restart resets them and moves `process_start_time_seconds`.
//! 4. The model conserves: what was created has ended or is somewhere. What Kestra *exposes* need not: its own accounting
//!    errors are reproduced, and the truth is kept beside them (`simulator::Truth`).
//! 5. One meter name has one set of tag keys in a process: the first registration wins.
//! 6. Meters appear with their first event; only what a real idle server shows is there at start.
//! 7. Every bad input gets a pointed error, several at once; nothing is half applied; nothing panics.
//! 8. Everything is bounded, and the bounds are named: `simulator::limits`, `scenario::limits`, `document::limits`,
//!    `pebble::limits`.
//!
//! # In a test
//!
//! With the feature `server` a `MockKestra` is a whole cluster on ports of its own, which the test moves, breaks and asks:
//!
//! ```
//! # #[cfg(feature = "server")] {
//! use std::time::Duration;
//!
//! use mock_kestra::{MockKestra, Until};
//!
//! let mock = MockKestra::builder().scenario("worker-killed").seed(7).start()?;
//! mock.advance(Duration::from_secs(120))?;
//! mock.inject("{ kill: executor-1, for: 5m }")?;
//! mock.run_until(Until::alert_fires("KestraDown"))?;
//! assert!(mock.alerts()?.iter().any(|alert| alert.labels.contains(&("role".into(), "executor".into()))));
//! # mock.verify()?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The smallest embedding
//!
//! All that is promised stands at the root of the crate. Nothing here needs a socket or a clock, nor the feature `server`:
//!
//! ```
//! use std::sync::Arc;
//!
//! use mock_kestra::{Body, Calendar, Duration, Instant, NoFiles, Outcome, Request, Seed, Session, answer, read_scenario};
//!
//! let text = "name: demo\ntimeline: [ { at: 1m, kill: standalone-1, for: 5m } ]\n";
//! let (plan, diagnostics) = read_scenario("demo.yaml", text, &NoFiles);
//! assert!(diagnostics.is_empty());
//! let plan = Arc::new(plan.expect("a sound scenario"));
//! let mut session = Session::new(plan, Seed(1), Calendar::default());
//!
//! session.advance(Instant::START + Duration::seconds(59))?;
//! let request = Request::get("/prometheus", session.now());
//! let Outcome::Answer(found) = answer(&request, session.simulation(), 0) else { panic!("its port is open") };
//! let Body::Sized(body) = found.body else { panic!("an exposition has a length") };
//! assert!(String::from_utf8_lossy(&body).contains("kestra_worker_job_running 0.0"));
//!
//! session.advance(Instant::START + Duration::seconds(61))?;
//! assert!(matches!(answer(&request, session.simulation(), 0), Outcome::Refused));
//! assert_eq!(session.report().timeline.last().expect("something happened").text, "standalone-1 is killed");
//! # Ok::<(), mock_kestra::LimitReached>(())
//! ```
//!
//! # On real ports
//!
//! With the feature `server` the same session answers over HTTP, here with a clock that a test moves by hand:
//!
//! ```
//! # #[cfg(feature = "server")] {
//! use std::io::{Read, Write};
//! use std::sync::Arc;
//!
//! use mock_kestra::{Calendar, Clock, NoFiles, Options, Seed, Session, read_scenario, start};
//!
//! let (plan, _) = read_scenario("demo.yaml", "name: demo\n", &NoFiles);
//! let session = Session::new(Arc::new(plan.expect("a sound scenario")), Seed(1), Calendar::default());
//! let (clock, hand) = Clock::by_hand();
//! let running = start(session, Options::default(), clock)?;
//! hand.pass(std::time::Duration::from_secs(300));
//!
//! let member = &running.addresses().members[0];
//! let mut stream = std::net::TcpStream::connect((member.host.as_str(), member.management))?;
//! stream.write_all(b"GET /health HTTP/1.1\r\nHost: kestra\r\nConnection: close\r\n\r\n")?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 Ok"));
//!
//! running.stop();
//! running.join()?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! - `cli` (default): the command line, and all the rest.
//! - `server`: ports and `MockKestra`; brings axum and tokio. Without it a library user has neither.
//! - `internals`: the modules of the picture become public, for this crate's own tests and benches. No promise is made of
//!   them; the doc of this crate with their insides is `cargo doc --features internals`.

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(all(feature = "cli", feature = "internals"))]
pub mod contract;
#[cfg(all(feature = "cli", not(feature = "internals")))]
mod contract;
#[cfg(feature = "internals")]
pub mod dashboard;
#[cfg(not(feature = "internals"))]
mod dashboard;
#[cfg(feature = "internals")]
pub mod document;
#[cfg(not(feature = "internals"))]
mod document;
#[cfg(all(feature = "cli", feature = "internals"))]
pub mod documents;
#[cfg(all(feature = "cli", not(feature = "internals")))]
mod documents;
#[cfg(feature = "internals")]
pub mod execution;
#[cfg(not(feature = "internals"))]
mod execution;
#[cfg(all(feature = "cli", feature = "internals"))]
pub mod exposition;
#[cfg(all(feature = "cli", not(feature = "internals")))]
mod exposition;
#[cfg(feature = "server")]
mod files;
#[cfg(feature = "internals")]
pub mod flow;
#[cfg(not(feature = "internals"))]
mod flow;
#[cfg(feature = "internals")]
pub mod gotemplate;
#[cfg(not(feature = "internals"))]
mod gotemplate;
#[cfg(all(feature = "cli", feature = "internals"))]
pub mod history;
#[cfg(all(feature = "cli", not(feature = "internals")))]
mod history;
#[cfg(feature = "internals")]
pub mod java;
#[cfg(not(feature = "internals"))]
mod java;
#[cfg(feature = "internals")]
pub mod lab;
#[cfg(not(feature = "internals"))]
mod lab;
#[cfg(feature = "internals")]
pub mod management;
#[cfg(not(feature = "internals"))]
mod management;
#[cfg(feature = "internals")]
pub mod metrics;
#[cfg(not(feature = "internals"))]
mod metrics;
#[cfg(feature = "server")]
mod mock;
#[cfg(feature = "internals")]
pub mod monitor;
#[cfg(not(feature = "internals"))]
mod monitor;
#[cfg(feature = "internals")]
pub mod notify;
#[cfg(not(feature = "internals"))]
mod notify;
pub mod pager;
mod parallel;
#[cfg(feature = "internals")]
pub mod pebble;
#[cfg(not(feature = "internals"))]
mod pebble;
#[cfg(feature = "internals")]
pub mod profile;
#[cfg(not(feature = "internals"))]
mod profile;
#[cfg(feature = "internals")]
pub mod promql;
#[cfg(not(feature = "internals"))]
mod promql;
#[cfg(feature = "internals")]
pub mod random;
#[cfg(not(feature = "internals"))]
mod random;
#[cfg(all(feature = "cli", feature = "internals"))]
pub mod record;
#[cfg(all(feature = "cli", not(feature = "internals")))]
mod record;
pub mod report;
#[cfg(feature = "internals")]
pub mod run;
#[cfg(not(feature = "internals"))]
mod run;
#[cfg(feature = "internals")]
pub mod scenario;
#[cfg(not(feature = "internals"))]
mod scenario;
#[cfg(all(feature = "server", feature = "internals"))]
pub mod server;
#[cfg(all(feature = "server", not(feature = "internals")))]
mod server;
#[cfg(feature = "internals")]
pub mod simulator;
#[cfg(not(feature = "internals"))]
mod simulator;
#[cfg(feature = "internals")]
pub mod time;
#[cfg(not(feature = "internals"))]
mod time;

pub use dashboard::{Dashboard, read as read_dashboard};
pub use document::{Diagnostic, Place, Severity, Source, render as render_diagnostics};
pub use lab::{
    Coverage, DashboardReport, DashboardRuns, Detection, Export, Finding, Fuzz, FuzzRuns, Harm, Least, Matrix,
    MatrixRuns, PanelReport, QueryReport, RunFailed, Runs, Sensed, Sensitivity, SensitivityRuns, Shown, Smallest,
    Sweep, TestFile, VariableReport, dashboards_html, dashboards_junit, fuzz, judge_dashboards, matrix, promtool,
    run_all, sensitivity, sweep,
};
pub use management::{Answer, Body, Listener, Malformed, Outcome, Request, answer, malformed};
pub use monitor::{
    Configuration, Environment, GrafanaVersion, Outside, RuleSet, Surrounds, data_sources, provisions, read_rules,
    read_rules_with,
};
pub use promql::{Expression, Semantics};
pub use random::Seed;
pub use report::Report;
pub use run::{
    ActiveAlert, AlertBar, AlertPath, Band, Change, Condition, DueAlert, Explanation, Figures, Foresight, HeardLine,
    Hearing, PageExplanation, Paging, PartLine, Picture, Reading, Refused, Remark, Scraping, Session, TriggerHearing,
    Watch, explain, explain_page, hearing, run,
};
pub use scenario::{
    Answering, FlowFile, Loader, NoFiles, Plan, RealAnswer, TimelineEntry, beside, describe, read as read_scenario,
    read_fault, schema,
};
pub use simulator::{
    Command, CommandError, Delivery, Happening, Journal, JournalEntry, Level, LimitReached, Log, Member, Origin,
    Reason, Sent, Simulation, StateChange,
};
pub use time::{Calendar, Duration, Instant};

#[cfg(feature = "server")]
pub use mock::{MockBuilder, MockError, MockKestra, Until};
#[cfg(feature = "server")]
pub use server::{
    Addresses, Alertmanager, Clock, Detail, Hand, LostLog, MailServer, MemberAddress, Options, Receiver, RequestLog,
    Running, Sending, ServeError, authorities, start,
};

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
//! One direction, no way back. A [`scenario`] (with flows in Kestra's own syntax, read by [`flow`]) becomes a
//! [`Plan`](scenario::Plan). The [`simulator`] runs it event by event in virtual time ([`time`]), with draws from named
//! streams ([`random`]). What differs between Kestra versions is data: a [`profile`]. [`metrics`] is Micrometer's registry
//! and its text format, [`management`] the pure functions that answer requests. [`monitor`] is a Prometheus in virtual time:
//! it sees scraped samples only, and evaluates rules with [`promql`]. [`run`] runs a plan to its end and gives a [`report`]; [`lab`] learns from many runs; [`server`] puts it on sockets at the pace of a clock; [`cli`] is the command line. [`document`] reads YAML
//! with positions and says what is wrong with it. `tests/layers.rs` holds who may use whom.
//!
//! # Invariants
//!
//! 1. Same scenario, seed and commands give the same bytes of every answer at every virtual time, on every machine.
//! 2. Reading changes nothing: a scrape or a probe never alters what another one shows.
//! 3. Counters never fall within the life of a process; a restart resets them and moves `process_start_time_seconds`.
//! 4. The model conserves: what was created has ended or is somewhere. What Kestra *exposes* need not: its own accounting
//!    errors are reproduced, and the truth is kept beside them ([`simulator::Truth`]).
//! 5. One meter name has one set of tag keys in a process: the first registration wins.
//! 6. Meters appear with their first event; only what a real idle server shows is there at start.
//! 7. Every bad input gets a pointed error, several at once; nothing is half applied; nothing panics.
//! 8. Everything is bounded, and the bounds are named: [`simulator::limits`], [`scenario::limits`], [`document::limits`].
//!
//! # The smallest embedding
//!
//! ```
//! use std::sync::Arc;
//!
//! use mock_kestra::random::Seed;
//! use mock_kestra::scenario::{NoFiles, read};
//! use mock_kestra::simulator::Simulation;
//! use mock_kestra::time::{Calendar, Duration, Instant};
//!
//! let text = "name: demo\ntimeline: [ { at: 1m, kill: standalone-1, for: 5m } ]\n";
//! let (plan, diagnostics) = read("demo.yaml", text, &NoFiles);
//! assert!(diagnostics.is_empty());
//! let plan = Arc::new(plan.expect("a sound scenario"));
//! let mut simulation = Simulation::new(plan, Seed(1), Calendar::default());
//!
//! simulation.advance(Instant::START + Duration::seconds(59)).expect("no limit is reached");
//! let mut exposition = Vec::new();
//! simulation.members()[0].registry().expect("a process").render(&simulation.look(0), &mut exposition);
//! assert!(String::from_utf8_lossy(&exposition).contains("kestra_worker_job_running 0.0"));
//!
//! simulation.advance(Instant::START + Duration::seconds(61)).expect("no limit is reached");
//! let last = simulation.journal().iter().next_back().expect("something happened");
//! assert_eq!(last.text(simulation.plan()), "standalone-1 is killed");
//! ```

pub mod cli;
pub mod document;
pub mod flow;
pub mod lab;
pub mod management;
pub mod metrics;
pub mod monitor;
pub mod profile;
pub mod promql;
pub mod random;
pub mod report;
pub mod run;
pub mod scenario;
pub mod server;
pub mod simulator;
pub mod time;

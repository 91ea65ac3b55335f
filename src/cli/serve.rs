//! `serve`: the ports of a scenario's members, and the control port.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::TypedValueParser;
use clap::{Args, Parser};

use super::{Exit, complain, load, print};
use crate::profile::Profile;
use crate::random::Seed;
use crate::scenario::Plan;
use crate::server::{self, Addresses, Options};
use crate::time::{Calendar, Duration};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Scenario, by shipped name or path
    #[arg(default_value = "healthy")]
    scenario: String,
    /// Version of Kestra, instead of that of the scenario
    #[arg(long, value_parser = versions())]
    kestra: Option<&'static Profile>,
    /// First management port; member i has the one 10*i above, the application port is one below; 0 takes any [default:
    /// endpoints.all.port of the scenario's configuration, else 8081]
    #[arg(long)]
    port: Option<u16>,
    /// Control port; 0 takes any
    #[arg(long, default_value_t = 8082)]
    control: u16,
    /// Address the members' ports listen on
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Address the control port listens on
    #[arg(long, default_value = "127.0.0.1")]
    control_bind: IpAddr,
    /// Host under which others reach the members [default: that of --bind]
    #[arg(long)]
    advertise: Option<String>,
    /// Virtual seconds a second, 0.001 to 100000
    #[arg(long, default_value = "1", value_parser = speed)]
    speed: f64,
    /// Start with time standing still
    #[arg(long)]
    paused: bool,
    /// Members do not let `POST /stop` end them: it is 404, as with `endpoints.stop.enabled: false`
    #[arg(long)]
    no_stop: bool,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
    /// Date of the scenario's start: a date, or `now` [default: that of the scenario, else now]
    #[arg(long, value_parser = super::start)]
    start: Option<jiff::Timestamp>,
    /// State is shown at multiples of this
    #[arg(long, default_value = "100ms", value_parser = tick)]
    tick: Duration,
    /// Write the ports to this file, as JSON, once they are open
    #[arg(long)]
    ready_file: Option<PathBuf>,
}

/// The versions that ship.
fn versions() -> impl TypedValueParser<Value = &'static Profile> {
    clap::builder::PossibleValuesParser::new(Profile::NAMES).try_map(|name| Profile::named(&name))
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: Option<f64> = text.strip_suffix('x').unwrap_or(text).parse().ok();
    let fits = |speed: &f64| (0.001..=100_000.0).contains(speed);
    speed.filter(fits).ok_or_else(|| "write a number from 0.001 to 100000".to_owned())
}

fn tick(text: &str) -> Result<Duration, String> {
    let tick: Duration = text.parse()?;
    let fits = tick >= Duration::milliseconds(1) && tick <= Duration::minutes(1);
    if fits { Ok(tick) } else { Err("write a duration from 1ms to 1m".to_owned()) }
}

impl Default for Serve {
    /// As the command line without any argument.
    fn default() -> Serve {
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            serve: Serve,
        }
        Alone::parse_from(["serve"]).serve
    }
}

impl Serve {
    pub(super) fn run(self) -> Exit {
        let Some(mut plan) = load::plan(&self.scenario) else { return Exit::Input };
        if let Some(kestra) = self.kestra {
            plan.kestra = kestra;
            if let Some(unfit) = plan.cluster.members.iter().find_map(|member| member.unfit(plan.kestra)) {
                complain(&format!("error: --kestra: {unfit}, and the scenario asks for one\n"));
                return Exit::Input;
            }
        }
        if self.no_stop {
            plan.settings.disable("stop");
        }
        let start = self.start.or(plan.start).map_or_else(|| super::start("now"), Ok);
        let Ok(start) = start else { return Exit::Cannot };
        // Whole seconds, so that dates are easy to read.
        let start = jiff::Timestamp::from_second(start.as_second()).unwrap_or(start);
        let advertise = self.advertise.unwrap_or_else(|| match self.bind {
            bind if bind.is_unspecified() => "localhost".to_owned(),
            IpAddr::V6(address) => format!("[{address}]"),
            IpAddr::V4(address) => address.to_string(),
        });
        let options = Options {
            bind: self.bind,
            advertise,
            port: self.port.or(plan.settings.port).unwrap_or(8081),
            control_bind: self.control_bind,
            control: self.control,
            speed: self.speed,
            paused: self.paused,
            tick: self.tick,
            ready_file: self.ready_file,
        };
        let plan = Arc::new(plan);
        let (seed, speed) = (self.seed, if self.paused { 0.0 } else { self.speed });
        let tell = |addresses: &Addresses| print(&block(&plan, addresses, seed, speed));
        match server::serve(plan.clone(), seed, Calendar::starting(start), options, tell) {
            Ok(()) => Exit::Ok,
            Err(error) => {
                complain(&format!("error: {error}\n"));
                Exit::Cannot
            }
        }
    }
}

/// What a user needs to know: members, control port, seed, and what to paste into prometheus.yml.
fn block(plan: &Plan, addresses: &Addresses, seed: Seed, speed: f64) -> String {
    let mut text = format!("mock-kestra: {}, Kestra {}, seed {}\n", plan.name, plan.kestra, seed.0);
    text += &format!("{}\n\n", plan.summary);
    for member in &addresses.members {
        let url = format!("http://{}:{}", member.host, member.management);
        let (health, metrics) = (plan.settings.at("/health"), plan.settings.at("/prometheus"));
        text += &format!("  {:<14} {url}{health}  {url}{metrics}\n", member.name);
    }
    let control = addresses.control;
    let host = if control.ip().is_unspecified() { "localhost".to_owned() } else { control.ip().to_string() };
    let pace = if speed == 0.0 { "paused".to_owned() } else { format!("time runs at {speed}x") };
    text += &format!("  {:<14} http://{host}:{}/  ({pace})\n\n", "control", control.port());
    let targets: Vec<String> =
        addresses.members.iter().map(|member| format!("\"{}:{}\"", member.host, member.management)).collect();
    let path = plan.settings.at("/prometheus");
    let auth = plan.settings.credentials.both().map(|(user, password)| {
        format!("basic_auth: {{ username: {}, password: {} }}\n      ", json_text(user), json_text(password))
    });
    let auth = auth.unwrap_or_default();
    text += &format!(
        "for prometheus.yml:\n\n  scrape_configs:\n    - job_name: kestra\n      metrics_path: {path}\n      {auth}\
         http_sd_configs: [ {{ url: \"http://{host}:{}/sd\" }} ]\n      # or: static_configs: [ {{ targets: [{}] }} ]\n\n",
        control.port(),
        targets.join(", ")
    );
    text + "Ctrl-C ends it.\n"
}

/// A text in quotes, as YAML takes it.
fn json_text(text: &str) -> serde_json::Value {
    text.into()
}

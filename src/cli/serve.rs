//! `serve`: the ports of a scenario's members, and the control port.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Parser};

use super::documents::Following;
use super::logs::Logs;
use super::rules::Rules;
use super::stop::Stop;
use super::told::Told;
use super::{Exit, complain, documents, load, print};
use crate::profile::Profile;
use crate::random::Seed;
use crate::run::{Session, Watch};
use crate::scenario::{Plan, TimelineEntry};
use crate::server::{
    self, Addresses, Alertmanager, Clock, Detail, LostLog, MailServer, Options, Receiver, RequestLog, Running, Sending,
    ServeError,
};
use crate::time::{Calendar, Duration};

/// So much of the past is gone through for rules, at most.
const LOOKED_AT: Duration = Duration::minutes(24 * 60);

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Scenario, by shipped name or path
    #[arg(default_value = "healthy")]
    pub(super) scenario: String,
    #[command(flatten)]
    pub(super) extras: load::Extras,
    /// Version of Kestra, instead of that of the scenario
    #[arg(long, value_parser = super::versions())]
    pub(super) kestra: Option<&'static Profile>,
    /// First management port; member i has the one 10*i above, the application port is one below; 0 takes any [default:
    /// endpoints.all.port of the scenario's configuration, else 8081]
    #[arg(long)]
    pub(super) port: Option<u16>,
    /// Control port; 0 takes any
    #[arg(long, default_value_t = 8082)]
    pub(super) control: u16,
    /// Address the members' ports listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub(super) bind: IpAddr,
    /// Address the control port listens on
    #[arg(long, default_value = "127.0.0.1")]
    pub(super) control_bind: IpAddr,
    /// A name by which the control port may be asked, beside addresses, names without a dot, and those of a cluster or of a
    /// local network; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(super) allow_host: Vec<String>,
    /// Host under which others reach the members [default: that of --bind]
    #[arg(long)]
    pub(super) advertise: Option<String>,
    /// Virtual seconds a second, 0.001 to 100000
    #[arg(long, default_value = "1", value_parser = speed)]
    pub(super) speed: f64,
    /// Start with time standing still
    #[arg(long)]
    pub(super) paused: bool,
    /// Members do not let `POST /stop` end them: it is 404, as with `endpoints.stop.enabled: false`
    #[arg(long)]
    pub(super) no_stop: bool,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    pub(super) seed: Seed,
    /// Date of the scenario's start: a date, or `now` [default: that of the scenario, else now]
    #[arg(long, value_parser = super::start)]
    pub(super) start: Option<jiff::Timestamp>,
    /// The cluster has lived so long before now: executions, counters and uptimes have a past [default: the scenario's `age`]
    #[arg(long, value_name = "DURATION", value_parser = super::history::span)]
    pub(super) history: Option<Duration>,
    /// Send no notification of a flow: receivers answer as the scenario says, all others take what they get
    #[arg(long, conflicts_with_all = ["webhook_override", "mail_override", "ca_file"])]
    pub(super) no_send: bool,
    /// Send all notifications over HTTP to this receiver, and none to those that flows name; the address each was meant for
    /// stands in the header X-Mock-Kestra-Url
    #[arg(long, value_name = "URL")]
    pub(super) webhook_override: Option<Receiver>,
    /// Send all mails to this server, without TLS and login, and none to those that flows name
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) mail_override: Option<MailServer>,
    /// Believe these authorities too, beside the usual ones, where notifications are sent over TLS: a file in PEM
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<String>,
    /// The cluster's own Prometheus evaluates these rules as time goes on, and GET /api/alerts lists what fires: a rule file,
    /// manifests, a provisioning file of Grafana, or a folder of them; more may follow [default: no rules are evaluated]
    #[arg(long, value_name = "FILE")]
    pub(super) rules: Vec<String>,
    /// A prometheus.yml, or ServiceMonitor and PodMonitor manifests, for the rules: jobs, intervals, rule_files, external labels
    #[arg(long, value_name = "FILE")]
    pub(super) prometheus: Option<String>,
    /// Post alerts to this Alertmanager as Prometheus would. It lives in real time: an alert that began some virtual time ago is
    /// told as begun that long ago divided by --speed, and its end likewise
    #[arg(long, value_name = "URL")]
    pub(super) alertmanager_url: Option<Alertmanager>,
    /// State is shown at multiples of this
    #[arg(long, default_value = "100ms", value_parser = tick)]
    pub(super) tick: Duration,
    /// Write the ports to this file, as JSON, once they are open
    #[arg(long)]
    pub(super) ready_file: Option<PathBuf>,
    /// Write the members' logs into this folder: NAME.log as Kestra's console shows it (colours included), NAME.jsonl as
    /// JSON lines; `-` writes JSON lines to standard output
    #[arg(long, value_name = "DIR")]
    pub(super) logs: Option<PathBuf>,
    #[command(flatten)]
    pub(super) elasticsearch: documents::Live,
    /// Tell each request to a member on standard error: time, member, method, path, status, and of a refused one the header
    /// it is about (`accept` of a 406); twice: all headers too
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
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
        self.run_beside(&mut |_, _| Ok(()))
    }

    /// The same; once all ports are open and people have been told of them, something begins beside it, which ends at once when
    /// all of it shall.
    pub(super) fn run_beside(self, begin: &mut dyn FnMut(&Addresses, &Stop) -> Result<(), String>) -> Exit {
        let Some(plan) = self.plan() else { return Exit::Input };
        let (sending, following) = match self.outside() {
            Ok(outside) => outside,
            Err(why) => {
                complain(&format!("error: {why}\n"));
                return Exit::Input;
            }
        };
        let Ok(watch) = self.watch(&plan) else { return Exit::Input };
        // Whoever waits for the file must not find that of an earlier run.
        if let Some(path) = self.ready_file.as_deref().filter(|path| path.is_file()) {
            let _ = std::fs::remove_file(path);
        }
        let start = self.start.or(plan.start).map_or_else(|| super::start("now"), Ok);
        let Ok(start) = start else { return Exit::Cannot };
        // Whole seconds, so that dates are easy to read.
        let start = jiff::Timestamp::from_second(start.as_second()).unwrap_or(start);
        let notes = self.notes();
        let options = Options {
            bind: self.bind,
            advertise: self.advertise,
            port: self.port.or(plan.settings.port).unwrap_or(8081),
            control_bind: self.control_bind,
            control: self.control,
            allowed_hosts: self.allow_host,
            tick: self.tick,
            log: request_log(self.verbose),
            sending,
            lost: Some(LostLog::new(complain)),
            alertmanager: self.alertmanager_url,
        };
        let plan = Arc::new(plan);
        let clock = Clock::wall().at_speed(self.speed);
        let clock = if self.paused { clock.paused() } else { clock };
        let session = Session::new(plan.clone(), self.seed, Calendar::starting(start));
        let session = watch.iter().fold(session, |session, watch| session.watched(watch));
        let tells = session.simulation().tells();
        let speed = if self.paused { 0.0 } else { self.speed };
        // Where the logs go to standard output nothing else does.
        let say = if self.logs.as_deref() == Some(Path::new("-")) { complain } else { print };
        let ready = |addresses: &Addresses, stop: &Stop| {
            if let Some(path) = &self.ready_file {
                write_ports(path, addresses)?;
            }
            say(&(block(&plan, addresses, (self.seed, speed), tells.then_some(notes.as_str()))
                + &coming(&plan, &self.scenario, speed)
                + "Ctrl-C ends it.\n"));
            begin(addresses, stop)
        };
        let logs = self.logs.as_deref().map(|place| Logs::to(place, &plan)).transpose();
        let session = if following.is_some() { session.with_entries() } else { session };
        match logs.and_then(|logs| serve(session, (options, clock), ready, (logs, following))) {
            Ok(()) => Exit::Ok,
            Err(why) => {
                complain(&format!("error: {why}\n"));
                Exit::Cannot
            }
        }
    }
}

impl Serve {
    /// The rules that are evaluated as time goes on, if any are. An error has been told.
    fn watch(&self, plan: &Plan) -> Result<Option<Watch>, ()> {
        if self.rules.is_empty() && self.prometheus.is_none() {
            if self.alertmanager_url.is_some() {
                complain("error: --alertmanager-url without rules has no alert to post: add --rules FILE\n");
                return Err(());
            }
            return Ok(None);
        }
        let mut told = Told::default();
        let rules = Rules::of(self.rules.clone(), self.prometheus.clone());
        let (watch, _) = rules.watch(&mut told).ok_or(())?;
        told.remarks(&watch, plan);
        let boundless = watch.boundless();
        if !boundless.is_empty() {
            complain(&format!(
                "error: served without an end, rules must not look back without a bound, or ahead: {}; take `@`, negative \
                 offsets and queries made in templates out of them, or judge them with `test`\n",
                boundless.join(", ")
            ));
            return Err(());
        }
        // Rules that look back for hours find what there is of them.
        let before = self.history.map_or(watch.before, |history| history.clamp(watch.before, LOOKED_AT));
        Ok(Some(Watch { live: true, before, ..watch }))
    }

    /// What is served: with `--history` a cluster that has lived as long as is asked for. None when something is wrong: it has
    /// been told.
    pub(super) fn plan(&self) -> Option<Plan> {
        let mut plan = load::plan_of(&self.scenario, &self.extras, self.kestra, &mut Told::default())?;
        if let Some(history) = self.history {
            if plan.cluster.booting {
                let name = &plan.name;
                complain(&format!("error: --history: the cluster of {name} boots at its start, it has no past\n"));
                return None;
            }
            plan.cluster.age = history;
        }
        if self.no_stop {
            plan.settings.disable("stop");
        }
        Some(plan)
    }

    /// Where notifications are sent, if anywhere, and who gets documents.
    fn outside(&self) -> Result<(Option<Sending>, Option<Following>), String> {
        Ok((self.sending()?, self.elasticsearch.following()?))
    }

    /// Where notifications are sent, if anywhere.
    fn sending(&self) -> Result<Option<Sending>, String> {
        if self.no_send {
            return Ok(None);
        }
        let mut sending = Sending {
            webhooks: self.webhook_override.clone(),
            mails: self.mail_override.clone(),
            ..Sending::default()
        };
        if let Some(path) = &self.ca_file {
            sending.authorities = super::access::authorities(path)?;
        }
        Ok(Some(sending))
    }

    /// Where notifications go, in words.
    fn notes(&self) -> String {
        let named = "the hosts that flows name";
        match (self.no_send, &self.webhook_override, &self.mail_override) {
            (true, ..) => "are not sent (--no-send)".to_owned(),
            (_, None, None) => format!("are sent to {named} (--no-send sends none)"),
            (_, Some(_), None) => format!("are sent to --webhook-override, mails to {named}"),
            (_, None, Some(_)) => format!("are sent to {named}, mails to --mail-override"),
            (_, Some(_), Some(_)) => "are sent to --webhook-override and --mail-override".to_owned(),
        }
    }
}

/// Writes where everything listens.
fn write_ports(path: &Path, addresses: &Addresses) -> Result<(), String> {
    let text = serde_json::to_string_pretty(addresses).unwrap_or_default();
    // Who finds it finds all of it.
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let written = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, path));
    written.map_err(|why| format!("cannot write {}: {why}", path.display()))
}

fn request_log(verbose: u8) -> Option<RequestLog> {
    match verbose {
        0 => None,
        1 => Some(RequestLog::new(Detail::Line, complain)),
        _ => Some(RequestLog::new(Detail::Headers, complain)),
    }
}

/// Serves until SIGINT or SIGTERM, or until the model breaks.
fn serve(
    session: Session,
    (options, clock): (Options, Clock),
    ready: impl FnOnce(&Addresses, &Stop) -> Result<(), String>,
    (mut logs, mut following): (Option<Logs>, Option<Following>),
) -> Result<(), String> {
    let told = |error: ServeError| error.to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let running: Running = runtime.block_on(async {
        // Before anybody knows of a port: whoever ends it right after the start is heard.
        let stop = Stop::listen();
        let running = server::start(session, options, clock).map_err(told)?;
        ready(running.addresses(), &stop)?;
        let ended = tokio::select! {
            () = stop.wait() => Ok(false),
            () = running.ended() => Ok(true),
            why = written(&running, &mut logs) => Err(why),
            why = followed(&running, &mut following) => Err(why),
        }?;
        // What came since the last look.
        write(&running, &mut logs).unwrap_or(Ok(()))?;
        if let Some(following) = &mut following {
            following.end(&running).await;
        }
        if !ended {
            running.stop();
        }
        Ok::<Running, String>(running)
    })?;
    running.join().map_err(told)
}

/// Real time between two looks at the logs.
const LOOKS: std::time::Duration = std::time::Duration::from_millis(100);

/// Writes what came to the logs: what went wrong, if anything did; none when the model has panicked.
fn write(running: &Running, logs: &mut Option<Logs>) -> Option<Result<(), String>> {
    let Some(logs) = logs else { return Some(Ok(())) };
    let news = running.session(|session| logs.news(session.simulation())).ok()?;
    Some(logs.write(&news))
}

/// Writes what comes to the logs, as long as it can; then why it cannot. It waits for ever when nobody wants them.
async fn written(running: &Running, logs: &mut Option<Logs>) -> String {
    while logs.is_some() {
        match write(running, logs) {
            Some(Err(why)) => return why,
            Some(Ok(())) => tokio::time::sleep(LOOKS).await,
            // Whoever waits for the end tells it.
            None => break,
        }
    }
    std::future::pending().await
}

/// Writes what comes into a store, as long as it can; then why it cannot. It waits for ever when nobody wants it.
async fn followed(running: &Running, following: &mut Option<Following>) -> String {
    let why = match following {
        Some(following) => following.follow(running).await,
        None => None,
    };
    match why {
        Some(why) => why,
        // Whoever waits for the end tells it.
        None => std::future::pending().await,
    }
}

/// What a user needs to know: members, control port, seed, and what to paste into prometheus.yml.
fn block(plan: &Plan, addresses: &Addresses, (seed, speed): (Seed, f64), notes: Option<&str>) -> String {
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
    text += &format!("  {:<14} http://{host}:{}/  ({pace})\n", "control", control.port());
    if let Some(notes) = notes {
        text += &format!("  {:<14} {notes}\n", "notifications");
    }
    text.push('\n');
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
    text
}

/// Lines of what will happen, at most.
const COMING: usize = 8;

/// What the timeline of a scenario has in store, and where all of it stands when that is long.
fn coming(plan: &Plan, scenario: &str, speed: f64) -> String {
    let mut entries: Vec<&TimelineEntry> = plan.timeline.iter().collect();
    entries.sort_by_key(|entry| entry.at);
    if entries.is_empty() && plan.commands.is_empty() {
        return String::new();
    }
    let clock = if speed == 1.0 { "" } else { ", in the scenario's time" };
    let shown = if entries.len() > COMING { COMING - 1 } else { COMING };
    let mut text = format!("What will happen{clock}:\n");
    for entry in entries.iter().take(shown) {
        let more = |word: &str, span: Option<String>| span.map(|span| format!(", {word} {span}")).unwrap_or_default();
        text += &format!(
            "  in {:<6} {}{}{}{}\n",
            entry.at.rounded().to_string(),
            entry.fault.sentence(plan),
            more("for", entry.lasts.map(|it| it.to_string())),
            more("every", entry.every.map(|it| it.to_string())),
            more("until", entry.until.map(|it| it.rounded().to_string())),
        );
    }
    if entries.len() > shown {
        let command = if load::SHIPPED.iter().any(|it| it.name == scenario) { "show" } else { "check" };
        text += &format!("  ... {} more: mock-kestra {command} {scenario}\n", entries.len() - shown);
    }
    if let Some(first) = plan.commands.iter().map(|command| command.at).min() {
        let commands = if plan.commands.len() == 1 { "command" } else { "commands" };
        text += &format!("  in {:<6} the first of {} {commands}\n", first.rounded().to_string(), plan.commands.len());
    }
    text + "\n"
}

/// A text in quotes, as YAML takes it.
fn json_text(text: &str) -> serde_json::Value {
    text.into()
}

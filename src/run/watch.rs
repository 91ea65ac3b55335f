//! A Prometheus that watches a run: it scrapes every member on its own grid, and evaluates rule groups on theirs.

use super::asking::{Asking, NoScrape};
use super::live::Outbox;
use super::lived::AlertBar;
use super::locate::Found;
use super::paging::{Paged, Paging};
use super::{namespace, targets, turns};
use crate::document::Severity;
use crate::management::{self, Listener};
use crate::metrics::{Registry, Selected, Selection};
use crate::monitor::{
    AlertRelabel, AlertRule, AnyRule, GrafanaRule, Job, Kept, Located, Monitor, RecordRule, Rule, RuleSet, Setup, Sink,
    Target,
};
use crate::promql::{Expression, Grid, Row, Semantics, Table, Value};
use crate::random::{name_key, noise};
use crate::report::{AlertLine, TargetLine};
use crate::scenario::{Expectation, Plan, Settings};
use crate::simulator::{LimitReached, Member, Simulation};
use crate::time::{Calendar, Duration, Instant, MILLISECOND};

/// How a run is watched.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The rules.
    pub rules: RuleSet,
    /// Which Prometheus they are evaluated as.
    pub semantics: Semantics,
    /// Who is scraped.
    pub scraping: Scraping,
    /// Groups that say nothing else are evaluated this often.
    pub evaluation_interval: Duration,
    /// Labels of the Prometheus itself, for templates.
    pub external_labels: Vec<(String, String)>,
    /// What alerts go through before they are sent.
    pub alert_relabel: AlertRelabel,
    /// Expressions that will be asked of the run beside those of rules and expectations.
    pub also: Vec<Expression>,
    /// An expected alert that no rule knows is not judged; otherwise the expectation is not met.
    pub lenient: bool,
    /// How near quiet rules came to firing is told. All samples are kept to the end for it.
    pub nearest: bool,
    /// How every rule stands is told.
    pub standings: bool,
    /// Who is told of the alerts.
    pub paging: Option<Paging>,
    /// Rules are evaluated as time goes on, for whoever looks on and posts what is due; nobody asks at the end.
    pub live: bool,
    /// How long before the start it has watched already, if the cluster is that old.
    pub before: Duration,
}

impl Default for Watch {
    fn default() -> Watch {
        Watch {
            rules: RuleSet::default(),
            semantics: Semantics::V3,
            scraping: Scraping::Every(Duration::seconds(15)),
            evaluation_interval: Duration::seconds(15),
            external_labels: Vec::new(),
            alert_relabel: AlertRelabel::default(),
            also: Vec::new(),
            lenient: false,
            nearest: false,
            standings: true,
            paging: None,
            live: false,
            before: BEFORE,
        }
    }
}

/// Who is scraped.
#[derive(Clone, Debug)]
pub enum Scraping {
    /// Every member, this often: job `kestra`, instance `NAME:8081`, and its role.
    Every(Duration),
    /// The jobs of a configuration of Prometheus.
    Jobs(Vec<Job>),
}

/// A target and where it is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    asking: Asking,
    /// Host and port, as Prometheus asks them.
    address: String,
    /// When it is its turn next.
    pub(super) next: Instant,
    /// Since when an answer is waited for.
    pub(super) waiting_since: Option<Instant>,
    /// The lines that are of use, and what becomes of each; of the process that was last scraped.
    lines: Option<(Selected, Vec<Kept>)>,
    /// How discovery finds it.
    presence: Presence,
}

/// Whether discovery finds a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// It does not: nothing is left of it.
    Absent,
    /// It does, and it is scraped.
    Scraped,
    /// Not since the scrape that would have been then. Prometheus waits for one more, and a tenth of an interval, whether it
    /// comes back, before its series end (`endOfRunStaleness` of its source).
    Missed(Instant),
}

impl Place {
    /// One whose first turn is then.
    fn new(asking: Asking, address: String, next: Instant) -> Place {
        Place { asking, address, next, waiting_since: None, lines: None, presence: Presence::Absent }
    }
}

/// A watch under way.
#[derive(Debug)]
pub(super) struct Watching {
    /// Whether the plan says nothing about how servers are reached.
    pub(super) plain: bool,
    pub(super) monitor: Monitor,
    /// When its Prometheus has begun.
    pub(super) begin: Instant,
    pub(super) lenient: bool,
    pub(super) nearest: bool,
    pub(super) standings: bool,
    /// By target.
    pub(super) places: Vec<Place>,
    /// By group: its first evaluation.
    pub(super) evaluations: Vec<Instant>,
    /// By group of Grafana: its first evaluation.
    pub(super) grafana: Vec<Instant>,
    /// By group, those of Grafana after the others: how many of its evaluations are done.
    pub(super) done: Vec<usize>,
    /// How far back samples are kept, when rules are evaluated on the way and nobody asks for what was before.
    pub(super) kept: Option<Duration>,
    /// When rules are evaluated next on the way, and how long from one time to the next.
    pub(super) turn: Instant,
    pub(super) window: Duration,
    /// Members that relabelling keeps out.
    pub(super) gone: Vec<targets::Gone>,
    /// Whoever takes the samples too.
    pub(super) sink: Option<Box<dyn Sink + Send>>,
    /// Who is told of the alerts.
    pub(super) paged: Option<Paged>,
    /// What is to be posted, of one that follows a clock.
    pub(super) outbox: Option<Outbox>,
    /// Alerts that were over before they were forgotten, of one that follows a clock.
    pub(super) over: std::collections::VecDeque<AlertBar>,
}

/// How long before the start a Prometheus has watched already, unless it is said otherwise.
pub(super) const BEFORE: Duration = Duration::minutes(10);

impl Watch {
    /// All targets: where each is, the path that is scraped, and how. What is none of a member's ports is told in words.
    fn targets(&self, plan: &Plan) -> targets::Targets {
        let jobs = match &self.scraping {
            Scraping::Every(interval) => {
                let members = plan.cluster.members.iter().enumerate();
                let members = members.map(|(index, _)| every(index, *interval, plan)).collect();
                return targets::Targets { members, ..targets::Targets::default() };
            }
            Scraping::Jobs(jobs) => jobs,
        };
        let mut all = targets::Targets::default();
        let namespace = namespace::of(jobs);
        for of_job in jobs.iter().map(|job| targets::of_job(job, &namespace, plan)) {
            all.members.extend(of_job.members);
            all.told.extend(of_job.told);
            all.gone.extend(of_job.gone);
        }
        all
    }

    /// How often targets are scraped: of each.
    pub fn scrape_intervals(&self, plan: &Plan) -> Vec<Duration> {
        self.targets(plan).members.iter().map(|(_, located)| located.target.interval).collect()
    }

    /// What of it means nothing in a scenario: jobs and targets that are no members; that nothing is scraped, or that there is
    /// no rule.
    pub fn notes(&self, plan: &Plan) -> Vec<Remark> {
        let targets::Targets { members: targets, told, .. } = self.targets(plan);
        let mut notes: Vec<Remark> = told.into_iter().map(|(severity, told)| Remark { severity, told }).collect();
        let none = [
            (targets.is_empty(), "nothing is scraped: no job has a target in this scenario"),
            (
                self.rules.groups.iter().all(|it| it.rules.is_empty())
                    && self.rules.grafana.iter().all(|it| it.rules.is_empty()),
                "there is no rule: no alert can fire",
            ),
        ];
        let none = none.iter().filter(|(so, _)| *so);
        notes.extend(targets::misled_by_nobody(&targets, plan));
        notes.extend(none.map(|(_, told)| Remark { severity: Severity::Warning, told: (*told).to_owned() }));
        notes
    }
}

/// What is to be said of a watch in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// A warning when a verdict may lack it.
    pub severity: Severity,
    /// In words.
    pub told: String,
}

/// A member as everybody's target: job `kestra`, its own path and credentials.
fn every(member: usize, interval: Duration, plan: &Plan) -> (Found, Located) {
    let it = &plan.cluster.members[member];
    let address = format!("{}:8081", it.name);
    let labels = [("job", "kestra"), ("instance", address.as_str()), ("role", it.role.name())];
    let target = Target::new(&labels, interval, interval.min(Duration::seconds(10)));
    let authorization =
        |(user, password): (&str, &str)| ("authorization".to_owned(), management::basic_auth(user, password));
    let located = Located {
        scheme: "http".to_owned(),
        path: plan.settings.at("/prometheus"),
        headers: plan.settings.credentials.both().map(authorization).into_iter().collect(),
        protocols: Vec::new(),
        fallback: false,
        body_size_limit: 0,
        forbidden: None,
        named: address.clone(),
        address,
        target,
    };
    (Found { members: vec![member], listener: Some(Listener::Management), discovered: true }, located)
}

impl Watching {
    pub(super) fn new(watch: &Watch, plan: &Plan, simulation: &Simulation) -> Watching {
        Watching::from(watch, plan, simulation, simulation.born().max(Instant::START.before(watch.before)))
    }

    /// A watch whose Prometheus has begun then.
    pub(super) fn from(watch: &Watch, plan: &Plan, simulation: &Simulation, begin: Instant) -> Watching {
        // Each target and each group has its own place in its interval, as in a real Prometheus.
        let first = |name: &str, interval: Duration| {
            let phase = noise(simulation.seed().0 ^ name_key(name), 0x5c2a);
            begin + Duration::milliseconds((interval.as_milliseconds() as f64 * phase) as u64)
        };
        let (mut places, mut targets) = (Vec::new(), Vec::new());
        let targets::Targets { members, gone, .. } = watch.targets(plan);
        for (found, located) in members {
            let member = found.members.first().and_then(|it| plan.cluster.members.get(*it));
            let member = member.map_or(located.address.as_str(), |it| it.name.as_str());
            let name = match &watch.scraping {
                Scraping::Every(_) => member.to_owned(),
                Scraping::Jobs(_) => format!("{member} {}", located.target.describe()),
            };
            let next = first(&name, located.target.interval);
            let asking = Asking::new(found, &located, watch.semantics, name_key(&name));
            places.push(Place::new(asking, located.address, next));
            targets.push(located.target);
        }
        let monitor = Monitor::new(Setup {
            rules: watch.rules.clone(),
            targets,
            semantics: watch.semantics,
            evaluation_interval: watch.evaluation_interval,
            external_labels: watch.external_labels.clone(),
            also: queries(plan).chain(&watch.also).cloned().collect(),
            sends: watch.paging.is_some() || watch.live,
        });
        let groups = watch.rules.groups.iter().enumerate();
        let evaluations =
            groups.map(|(group, it)| first(&format!("group {}", it.name), monitor.interval(group))).collect();
        let calendar = simulation.calendar();
        let of_grafana = watch.rules.grafana.iter();
        let grafana: Vec<Instant> = of_grafana
            .map(|group| on_tick(first(&format!("grafana {}", group.name), group.interval), &calendar))
            .collect();
        let kept = turns::kept(plan, watch, &monitor);
        let paged = watch.paging.as_ref().map(|it| Paged::new(it, watch, plan, &calendar, begin));
        Watching {
            plain: simulation.plan().settings == Settings::default(),
            monitor,
            begin,
            lenient: watch.lenient,
            nearest: watch.nearest,
            standings: watch.standings,
            places,
            evaluations,
            done: vec![0; watch.rules.groups.len() + grafana.len()],
            grafana,
            kept,
            turn: begin + turns::TURN,
            window: turns::TURN,
            sink: None,
            outbox: watch.live.then(Outbox::default),
            over: std::collections::VecDeque::new(),
            paged,
            gone,
        }
    }

    /// Keeps no sample longer than somebody may ask for it, and scrapes every series: all goes to a sink.
    #[cfg(feature = "cli")]
    pub(super) fn only_hand_to(&mut self, sink: Box<dyn Sink + Send>) {
        self.monitor.keep_all();
        self.window = Duration::minutes(1);
        self.sink = Some(sink);
    }

    /// Hands all samples to a sink as well, as they are scraped.
    pub(super) fn hand_to(&mut self, sink: Box<dyn Sink + Send>) {
        self.sink = Some(sink);
    }

    /// All turns begin at the start, together.
    pub(super) fn on_grid(&mut self) {
        self.places.iter_mut().for_each(|place| place.next = Instant::START);
        self.evaluations.fill(Instant::START);
    }

    /// When a group is evaluated, up to an instant.
    pub(super) fn grid(&self, group: usize, calendar: &Calendar, until: Instant) -> Grid {
        grid_of(self.evaluations[group], self.monitor.interval(group), calendar, until)
    }

    /// When a group of Grafana is evaluated, up to an instant.
    pub(super) fn grafana_grid(&self, group: usize, calendar: &Calendar, until: Instant) -> Grid {
        grid_of(self.grafana[group], self.monitor.grafana()[group].interval, calendar, until)
    }

    /// The rule of Grafana with this title, and when it is evaluated.
    pub(super) fn grafana_rule(
        &self,
        alert: &str,
        calendar: &Calendar,
        until: Instant,
    ) -> Option<(&GrafanaRule, Grid)> {
        let groups = self.monitor.grafana().iter().enumerate();
        let mut rules = groups.flat_map(|(group, it)| it.rules.iter().map(move |rule| (group, rule)));
        let (group, rule) = rules.find(|(_, rule)| rule.title == alert)?;
        Some((rule, self.grafana_grid(group, calendar, until)))
    }

    /// What a node of a rule of Grafana comes to.
    pub(super) fn node_over(&self, rule: &GrafanaRule, node: &str, grid: Grid) -> Vec<Row> {
        self.monitor.node_over(rule, node, grid)
    }

    /// When a rule of Grafana left everything as it was, and why.
    pub(super) fn kept_over(&self, rule: &GrafanaRule, grid: Grid) -> Vec<(i64, String)> {
        self.monitor.kept_over(rule, grid)
    }

    /// Whether anything is scraped.
    pub(super) fn has_targets(&self) -> bool {
        !self.places.is_empty()
    }

    /// How often the target is scraped that is scraped most often.
    pub(super) fn shortest_interval(&self) -> Option<Duration> {
        self.monitor.targets().iter().map(|target| target.interval).min()
    }

    /// The rule of an alert, and when it is evaluated.
    pub(super) fn rule(&self, alert: &str, calendar: &Calendar, until: Instant) -> Option<(&AlertRule, Grid)> {
        let groups = self.monitor.groups().iter().enumerate();
        let mut rules = groups.flat_map(|(group, it)| it.rules.iter().map(move |rule| (group, rule)));
        rules.find_map(|(group, rule)| match rule {
            Rule::Alert(rule) if rule.name == alert => Some((&**rule, self.grid(group, calendar, until))),
            _ => None,
        })
    }

    /// The rule that records a series of this name.
    pub(super) fn recording(&self, name: &str) -> Option<&RecordRule> {
        self.monitor.groups().iter().flat_map(|group| &group.rules).find_map(|rule| match rule {
            Rule::Record(rule) if rule.name == name => Some(&**rule),
            _ => None,
        })
    }

    /// The names of series that rules record.
    pub(super) fn recorded(&self) -> impl Iterator<Item = &str> {
        let rules = self.monitor.groups().iter().flat_map(|group| &group.rules);
        rules.filter(|rule| matches!(rule, Rule::Record(_))).map(Rule::name)
    }

    /// The names of series that there are at any instant of a grid, as far as rules read them.
    pub(super) fn scraped(&self, grid: Grid) -> Vec<String> {
        let all = Expression::parse("count by (__name__) ({__name__!=\"\"})");
        let Some(Ok(Table::Rows(rows))) = all.ok().map(|all| self.ask_over(&all, grid)) else { return Vec::new() };
        rows.iter().flat_map(|row| row.labels.iter()).map(|(_, name)| name.to_string()).collect()
    }

    pub(super) fn lenient(&self) -> bool {
        self.lenient
    }

    /// Whether it is told how near quiet rules came.
    pub(super) fn tells_nearest(&self) -> bool {
        self.nearest
    }

    /// Whether it is told how every rule stands.
    pub(super) fn tells_standings(&self) -> bool {
        self.standings
    }

    /// The names of all alerts that its rules could give.
    pub(super) fn alert_names(&self) -> impl Iterator<Item = &str> {
        self.monitor.standings().into_iter().filter_map(|standing| match standing.rule {
            AnyRule::Record(_) => None,
            rule => Some(rule.name()),
        })
    }

    /// Whether no rule of this name has a `for`: its alerts are never pending.
    pub(super) fn never_waits(&self, alert: &str) -> bool {
        let standings = self.monitor.standings();
        let mut holds = standings.iter().filter_map(|standing| match standing.rule {
            AnyRule::Alert(rule) if rule.name == alert => Some(rule.hold),
            AnyRule::Grafana(rule) if rule.title == alert => Some(rule.hold),
            _ => None,
        });
        holds.all(Duration::is_zero)
    }

    /// Whether an alert of this name could fire.
    pub(super) fn knows(&self, alert: &str) -> bool {
        // Rules of Grafana tell of trouble by alerts of these names.
        let trouble = matches!(alert, "DatasourceNoData" | "DatasourceError") && !self.grafana.is_empty();
        trouble || self.alert_names().any(|name| name == alert)
    }

    pub(super) fn ask(&self, expression: &Expression, calendar: Calendar, at: Instant) -> Result<Value, String> {
        self.monitor.ask(expression, milliseconds(&calendar, at))
    }

    pub(super) fn ask_over(&self, expression: &Expression, grid: Grid) -> Result<Table, String> {
        self.monitor.ask_over(expression, grid)
    }

    pub(super) fn failures(&self) -> Vec<(String, String)> {
        self.monitor.failures()
    }

    /// How the scrapes of each target went.
    pub(super) fn targets(&self, calendar: &Calendar) -> Vec<TargetLine> {
        let line = |(place, target): (&Place, &Target)| TargetLine {
            address: place.address.clone(),
            scheme: place.asking.scheme.clone(),
            path: place.asking.path.clone(),
            labels: target.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            up: !target.seen.down && target.seen.scrapes > 0,
            scrapes: target.seen.scrapes,
            failed: target.seen.failed,
            last_error: target.seen.last_error.as_ref().map(|(at, why)| (instant(calendar, *at), why.clone())),
        };
        // A place where nobody ever was is no target.
        let never = |(place, target): &(&Place, &Target)| {
            place.asking.found.discovered && place.presence == Presence::Absent && target.seen.scrapes == 0
        };
        self.places.iter().zip(self.monitor.targets()).filter(|it| !never(it)).map(line).collect()
    }

    /// The life of every alert, in virtual time.
    pub(super) fn alerts(&self, calendar: &Calendar) -> Vec<AlertLine> {
        let instant = |time: i64| instant(calendar, time);
        let line = |(alert, episode): (String, crate::monitor::Episode)| AlertLine {
            labels: episode
                .labels
                .iter()
                .filter(|(key, _)| &**key != "alertname")
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect(),
            annotations: episode.annotations,
            reason: episode.reason,
            kept: episode.kept.map(|(why, since)| (why, instant(since))),
            alert,
            pending: instant(episode.pending),
            firing: episode.firing.map(instant),
            resolved: episode.resolved.map(instant),
            value: episode.value,
        };
        self.monitor.episodes().into_iter().map(line).collect()
    }

    /// Whose turn is next: the instant, and which target.
    fn next(&self) -> Option<(Instant, usize)> {
        self.places.iter().enumerate().map(|(index, place)| (place.next, index)).min()
    }

    fn scrape(&mut self, simulation: &Simulation, index: usize) {
        let now = simulation.now();
        let target = &self.monitor.targets()[index];
        let (interval, timeout) = (target.interval, target.timeout);
        // A sample has the time at which its scrape began.
        let begun = self.places[index].waiting_since.take().unwrap_or(now);
        let time = milliseconds(&simulation.calendar(), begun);
        self.places[index].next = begun + interval;
        if self.is_absent(simulation, index) {
            return self.miss(index, now, time, interval);
        }
        if let Presence::Missed(since) = std::mem::replace(&mut self.places[index].presence, Presence::Scraped) {
            // It is back before its series end: it is scraped when it would have been.
            self.places[index].next = since + interval + interval;
            return;
        }
        let asking = &mut self.places[index].asking;
        let member = asking.member(simulation);
        match asking.ask(simulation, member, self.plain, begun) {
            Ok(registry) => {
                let place = &mut self.places[index];
                let lines = match place.lines.take() {
                    Some(lines) if lines.0.is_of(registry) => lines,
                    before => learn(&mut self.monitor, index, registry, before),
                };
                let look = simulation.look_at(member, lines.0.probes());
                let mut scrape = self.monitor.scrape(index, time);
                for (line, kept) in lines.0.lines().iter().zip(&lines.1) {
                    scrape.push(*kept, registry.value(*line, &look));
                }
                scrape.end(Some(registry.lines()), Duration::milliseconds(12) + now.since(begun));
                place.lines = Some(lines);
                self.hand_on();
            }
            // An answer that comes before the time is over is waited for.
            Err(NoScrape::Wait(until)) if until > now && until <= begun + timeout => {
                self.places[index].waiting_since = Some(begun);
                self.places[index].next = until;
            }
            Err(NoScrape::Wait(_) | NoScrape::TooLate) => {
                self.places[index].asking.disconnect();
                self.fail(index, time, timeout, "context deadline exceeded".to_owned());
            }
            // A refused or reset connection and a wrong answer fail at once.
            Err(NoScrape::Failed(why)) => self.fail(index, time, Duration::milliseconds(1) + now.since(begun), why),
        }
    }

    /// Whether discovery finds nobody behind a target.
    fn is_absent(&self, simulation: &Simulation, index: usize) -> bool {
        let found = &self.places[index].asking.found;
        let away = |member: &usize| simulation.members().get(*member).is_some_and(Member::is_away);
        found.discovered && found.members.iter().all(away)
    }

    /// A turn of a target that discovery does not find.
    fn miss(&mut self, index: usize, now: Instant, time: i64, interval: Duration) {
        let place = &mut self.places[index];
        match place.presence {
            Presence::Absent => {}
            Presence::Scraped => {
                place.presence = Presence::Missed(now);
                place.next = now + interval + interval.times(0.1);
                place.asking.disconnect();
            }
            Presence::Missed(since) => {
                place.presence = Presence::Absent;
                place.next = since + interval + interval;
                place.lines = None;
                self.monitor.target_gone(index, time);
                self.hand_on();
            }
        }
    }

    fn fail(&mut self, index: usize, time: i64, took: Duration, why: String) {
        self.monitor.scrape_failed(index, time, took, why);
        self.hand_on();
    }

    /// Gives the samples of a scrape to whoever takes them too.
    fn hand_on(&mut self) {
        if let Some(sink) = &mut self.sink {
            self.monitor.hand_to(&mut **sink);
        }
    }
}

/// What expectations and autoscalers of a plan ask for.
fn queries(plan: &Plan) -> impl Iterator<Item = &Expression> {
    let scaling = plan.autoscale.iter().map(|it| &it.query);
    plan.expectations.iter().flat_map(Expectation::expressions).chain(scaling)
}

/// The next tick of Grafana's scheduler: each ten seconds of the clock.
fn on_tick(at: Instant, calendar: &Calendar) -> Instant {
    let tick = Duration::seconds(10).as_milliseconds() as i64;
    let late = milliseconds(calendar, at).rem_euclid(tick);
    at + Duration::milliseconds((tick - late).rem_euclid(tick) as u64)
}

/// Finds the lines of a process that are of use, and learns what becomes of those that were not there before.
fn learn(
    monitor: &mut Monitor,
    target: usize,
    registry: &Registry,
    before: Option<(Selected, Vec<Kept>)>,
) -> (Selected, Vec<Kept>) {
    let all = monitor.targets().get(target).is_none_or(Target::counts_all);
    let selection = monitor.wanted().filter(|_| !all).map_or(Selection::ALL, |names| Selection::of(names.clone()));
    let mut kept = Vec::new();
    let known = |place: usize| before.as_ref().and_then(|(_, kept)| kept.get(place).copied());
    let selected = registry.select(&selection, before.as_ref().map(|(selected, _)| selected), |found| {
        let known = found.before.and_then(known);
        kept.push(known.unwrap_or_else(|| monitor.learn(target, found.name, found.labels, found.le)));
    });
    (selected, kept)
}

/// Instants from a first one on, at an interval, up to an instant.
fn grid_of(first: Instant, interval: Duration, calendar: &Calendar, until: Instant) -> Grid {
    let span = until.since(first).as_nanoseconds() / interval.as_nanoseconds().max(1);
    Grid {
        first: milliseconds(calendar, first),
        step: interval.as_milliseconds().max(1) as i64,
        count: if until < first { 0 } else { span as usize + 1 },
    }
}

/// An instant of a monitor in virtual time.
pub(super) fn instant(calendar: &Calendar, time: i64) -> Instant {
    Instant::from_nanoseconds((time - calendar.start().as_millisecond()).saturating_mul(MILLISECOND as i64))
}

pub(super) fn milliseconds(calendar: &Calendar, at: Instant) -> i64 {
    calendar.start().as_millisecond() + at.as_nanoseconds().div_euclid(MILLISECOND as i64)
}

/// Moves a simulation to an instant, `go`ing from one to the next; whoever watches gets their turns on the way.
pub(super) fn advance(
    simulation: &mut Simulation,
    watching: Option<&mut Watching>,
    to: Instant,
    go: &mut dyn FnMut(&mut Simulation, Instant) -> Result<(), LimitReached>,
) -> Result<(), LimitReached> {
    if let Some(watching) = watching {
        let calendar = simulation.calendar();
        while let Some((at, target)) = watching.next()
            && at <= to
        {
            go(simulation, at)?;
            // It stops at messages that are waited for.
            if simulation.now() < at {
                return Ok(());
            }
            watching.evaluate_on_the_way(&calendar, at);
            watching.scrape(simulation, target);
            watching.follow(&calendar, at);
        }
        go(simulation, to)?;
        watching.follow(&calendar, simulation.now());
        return Ok(());
    }
    go(simulation, to)
}

//! What a process, a run and a sweep cost, each beside something measured in the same run. `cargo bench --bench runs` prints
//! one table; nothing here passes or fails.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures real time and prints it")]

mod common;

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use common::{row, time};
use mock_kestra::history::{OpenMetrics, RemoteWrite};
use mock_kestra::lab::{Runs, sweep};
use mock_kestra::metrics::{Common, Look, Registry};
use mock_kestra::monitor::{Sink, read_rules};
use mock_kestra::pager::{self, Version};
use mock_kestra::profile::{Profile, Role};
use mock_kestra::promql::{Database, Labels};
use mock_kestra::random::Seed;
use mock_kestra::run::{Paging, Past, Watch, run};
use mock_kestra::scenario::{Anchor, NoFiles, Plan, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Duration, Instant};

const WORKER_KILLED: &str = include_str!("../scenarios/worker-killed.yaml");
const RULES: &str = include_str!("../scenarios/rules/kestra.yml");

fn main() {
    row("what", "figure".into(), "beside".into());
    boot();
    watched();
    swept();
    paged();
    crash_loop();
    past();
    beside_prometheus();
}

fn plan(text: &str) -> Arc<Plan> {
    Arc::new(read("bench.yaml", text, &NoFiles).0.expect("a plan"))
}

fn watch() -> Watch {
    Watch { rules: read_rules("kestra.yml", RULES).expect("sound rules").0, ..Watch::default() }
}

/// A process that starts and is asked for the first time, a clone of it, and its exposition.
fn boot() {
    const TIMES: usize = 200;
    let profile = Profile::named(Profile::DEFAULT).expect("a version");
    let requests = profile.meter("http.server.requests").expect("a meter");
    let now = Instant::START;
    let born = || {
        let mut registry = Registry::configured(profile, Role::Worker, now, Common::default());
        for status in ["200", "503"] {
            let tags = [("exception", "none"), ("method", "GET"), ("status", status), ("uri", "/health")];
            let series = registry.series(requests, &tags, now).expect("registered");
            registry.record(series, 0.01, now);
        }
        registry
    };
    let registry = born();
    let (look, mut out) = (Look::at(now), Vec::new());
    registry.render(&look, &mut out);
    let each = |work: &mut dyn FnMut()| time(31, || (0..TIMES).for_each(|_| work())) / TIMES as f64;
    let booted = each(&mut || drop(black_box(born())));
    let cloned = each(&mut || drop(black_box(registry.clone())));
    let rendered = each(&mut || {
        out.clear();
        registry.render(&look, &mut out);
    });
    let beside = |figure: f64| format!("{:.3} of its exposition ({:.0} us)", figure / rendered, rendered * 1e6);
    row("boot of a worker and its first two series", format!("{:.1} us", booted * 1e6), beside(booted));
    row("clone of a registry", format!("{:.1} us", cloned * 1e6), beside(cloned));
}

fn watched() {
    let (plan, watch) = (plan(WORKER_KILLED), watch());
    let once = |watch: Option<&Watch>| {
        time(9, || drop(black_box(run(&plan, Seed(1), Calendar::default(), watch).expect("no limit"))))
    };
    let (alone, judged) = (once(None), once(Some(&watch)));
    row(
        "one run of worker-killed with the shipped rules",
        format!("{:.1} ms", judged * 1e3),
        format!("{:.2} times the run that nobody watches ({:.1} ms)", judged / alone, alone * 1e3),
    );
}

fn swept() {
    let (plan, watch) = (plan(WORKER_KILLED), watch());
    let runs = Runs { first: 1, count: 20, jobs: 1, from: Anchor::first_fault(&plan) };
    let all = time(5, || drop(black_box(sweep(&plan, Calendar::default(), &watch, &runs, |_| {}).expect("no limit"))));
    let single = time(5, || {
        for seed in 1..=20 {
            black_box(run(&plan, Seed(seed), Calendar::default(), Some(&watch)).expect("no limit"));
        }
    });
    row(
        "sweep of 20 seeds of worker-killed on one thread",
        format!("{:.0} ms", all * 1e3),
        format!("{:.2} times 20 runs ({:.0} ms)", all / single, single * 1e3),
    );
}

/// A virtual week of ten members under the shipped rules, with and without an Alertmanager of fifty routes.
fn paged() {
    let plan = plan(
        "name: x
duration: 7d
cluster: { members: { webserver: 1, executor: 2, scheduler: 2, worker: 4, indexer: 1 } }
flows: [ { id: f, namespace: n, tasks: [ { id: t, type: io.kestra.plugin.core.log.Log } ] } ]
behaviour: [ { task: t, duration: 20s, fails: 5% } ]
arrivals: [ { flow: n.f, rate: 6/min } ]
timeline: [ { at: 10m, kill: worker-1, for: 5m, every: 3h }, { at: 2h, kill: executor-1, for: 10m, every: 1d } ]
",
    );
    let routes: Vec<String> = (0..50)
        .map(|n| format!("{{ receiver: r, matchers: ['alertname=~\"X{n}|Kestra.*{n}.*\"'], continue: true }}"))
        .collect();
    let text = format!(
        "route: {{ receiver: r, group_by: [alertname], routes: [{}] }}\nreceivers: [{{ name: r, webhook_configs: [{{ url: 'http://h' }}] }}]\n\
         inhibit_rules: [{{ source_matchers: ['severity=page'], target_matchers: ['severity=warning'], equal: [instance] }}]\n",
        routes.join(", ")
    );
    let version = Version::V0_33;
    let configuration = Arc::new(pager::read("alertmanager.yml", &text, version).0.expect("sound"));
    let templates = Arc::new(pager::templates(&[], version).expect("sound"));
    let paging = Paging { configuration, templates, version, silences: Vec::new() };
    let (without, with) = (watch(), Watch { paging: Some(paging), ..watch() });
    let mut pages = 0;
    let mut once = |watch: &Watch| {
        time(3, || {
            let report = run(&plan, Seed(1), Calendar::default(), Some(watch)).expect("no limit");
            pages = report.paging.map_or(0, |paging| paging.pages.len());
        })
    };
    let (alone, told) = (once(&without), once(&with));
    row(
        "a virtual week of ten members, with an Alertmanager of 50 routes",
        format!("{:.0} ms", told * 1e3),
        format!("{:.3} times the same without ({:.0} ms); {pages} notifications", told / alone, alone * 1e3),
    );
}

/// Six hours in which every process fails for want of its database and is started again.
fn crash_loop() {
    let cluster = |restart: &str, timeline: &str| {
        let member = format!("{{ count: 2, restart: {restart} }}");
        plan(&format!(
            "name: x
duration: 6h
cluster: {{ members: {{ webserver: {member}, executor: {member}, scheduler: {member}, worker: {member} }} }}
timeline: [ {timeline} ]
"
        ))
    };
    let of = |plan: Arc<Plan>| {
        let mut exits = 0;
        let seconds = time(3, || {
            let mut simulation = Simulation::new(plan.clone(), Seed(1), Calendar::default());
            simulation.advance(Instant::START + Duration::minutes(360)).expect("no limit");
            exits = simulation.truth().exits;
        });
        (seconds, exits)
    };
    let (healthy, _) = of(cluster("10s", ""));
    for restart in ["10s", "kubernetes"] {
        let (looping, exits) = of(cluster(restart, "{ at: 1m, database: refused }"));
        row(
            &format!("6 h of 8 members in a crash loop, restart: {restart}"),
            format!("{:.0} ms", looping * 1e3),
            format!(
                "{:.1} times a healthy 6 h ({:.0} ms); {exits} exits, {:.1} us each",
                looping / healthy,
                healthy * 1e3,
                looping / exits.max(1) as f64 * 1e6
            ),
        );
    }
}

/// Everything that is scraped of a cluster, as it comes: series, instant, value.
#[derive(Debug, Default)]
struct Recording {
    labels: Vec<Option<Labels>>,
    samples: Vec<(u32, i64, f64)>,
}

impl Sink for Recording {
    fn sample(&mut self, series: u32, labels: &Labels, time: i64, value: f64) {
        let place = series as usize;
        self.labels.resize(self.labels.len().max(place + 1), None);
        self.labels[place].get_or_insert_with(|| labels.clone());
        self.samples.push((series, time, value));
    }
}

impl Recording {
    /// Samples a second that a sink takes; `then` is told each time when another scrape interval is over.
    fn taken_by<S: Sink>(&self, sink: impl Fn() -> S, mut then: impl FnMut(&mut S)) -> f64 {
        let seconds = time(5, || {
            let mut sink = sink();
            let mut next = i64::MIN;
            for (series, time, value) in &self.samples {
                if *time > next {
                    then(&mut sink);
                    next = time + 15_000;
                }
                let Some(labels) = &self.labels[*series as usize] else { continue };
                sink.sample(*series, labels, *time, *value);
            }
            then(&mut sink);
        });
        self.samples.len() as f64 / seconds
    }
}

/// Ten minutes of ten members, written in every form a history is carried in, beside the same samples read by the monitor; and
/// what longer ones take.
fn past() {
    /// Samples of a request, as `export remote-write` sends them.
    const REQUEST: usize = 100_000;
    let recording = Arc::new(Mutex::new(Recording::default()));
    lived(Duration::minutes(10), recording.clone(), |_| ());
    let recording = std::mem::take(&mut *recording.lock().expect("nobody panicked"));
    let (mut written, mut packed) = (0, 0);
    let read = recording.taken_by(Database::default, |_| ());
    let text = recording.taken_by(
        || OpenMetrics::new(i64::MIN),
        |sink| written += sink.take().into_values().map(|text| black_box(text).len()).sum::<usize>(),
    );
    let remote = recording.taken_by(
        || RemoteWrite::new(i64::MIN, 0, Vec::new()),
        |sink| {
            if sink.waiting() >= REQUEST {
                packed += black_box(sink.request().expect("packed")).map_or(0, <[u8]>::len);
            }
        },
    );
    let beside = |figure: f64| format!("{:.2} of reading them by the monitor ({:.1} M/s)", figure / read, read / 1e6);
    row("samples written as OpenMetrics text", format!("{:.1} M/s", text / 1e6), beside(text));
    row("samples written and packed as remote write", format!("{:.1} M/s", remote / 1e6), beside(remote));
    let bytes = |all: usize| all as f64 / 5.0 / recording.samples.len() as f64;
    row("bytes of a sample as remote write", format!("{:.1}", bytes(packed)), format!("{:.1} as text", bytes(written)));
    drop(recording);
    let exported = |hours: u64| {
        let peak = Peak::begin();
        let begun = std::time::Instant::now();
        let sink = Arc::new(Mutex::new(RemoteWrite::new(i64::MIN, 0, Vec::new())));
        lived(Duration::minutes(60 * hours), sink.clone(), |_| {
            let mut sink = sink.lock().expect("nobody panicked");
            if sink.waiting() >= REQUEST {
                black_box(sink.request().expect("packed"));
            }
        });
        let samples = sink.lock().expect("nobody panicked").taken();
        (samples as f64 / begun.elapsed().as_secs_f64(), peak.grown())
    };
    let ((_, short), (rate, long)) = (exported(1), exported(6));
    row(
        "6 hours of ten members lived, scraped, written as remote write",
        format!("{:.1} M/s", rate / 1e6),
        format!("peak of memory {long:.0} MiB above what was there, of 1 hour {short:.0} MiB"),
    );
}

/// The same members' samples written by Prometheus itself: a dump of its blocks, and federation of all series. Real ones are
/// asked where `.ci/peers` has put them.
fn beside_prometheus() {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    let (tool, server) =
        (peers.join("promtool-unstable/usr/bin"), peers.join("prometheus-unstable/usr/bin/prometheus"));
    if !tool.exists() || !server.exists() {
        row("samples written by Prometheus", "-".into(), "it is not there: .ci/peers fetches it".into());
        return;
    }
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-tsdb");
    let _ = std::fs::remove_dir_all(&data);
    let exported = Command::new(env!("CARGO_BIN_EXE_mock-kestra"))
        .args(["export", "tsdb", "healthy-cluster", "--from", "-1h", "--out"])
        .arg(&data)
        .env("PATH", &tool)
        .output()
        .expect("it runs");
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let address = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let configuration = data.join("prometheus.yml");
    std::fs::write(&configuration, "scrape_configs: []\n").expect("written");
    let mut child = Command::new(server)
        .arg(format!("--config.file={}", configuration.display()))
        .arg(format!("--storage.tsdb.path={}", data.display()))
        .arg(format!("--web.listen-address={address}"))
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let ask = |path: &str| -> Option<usize> {
        let mut stream = TcpStream::connect(address).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let sample = |line: &&[u8]| line.contains(&b'{') && !line.starts_with(b"#");
        answer.starts_with(b"HTTP/1.1 200").then(|| answer.split(|byte| *byte == b'\n').filter(sample).count())
    };
    while ask("/-/ready").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let mut samples = 0;
    let federated = time(9, || samples = ask("/federate?match%5B%5D=%7Bjob%3D%22kestra%22%7D").unwrap_or(0));
    let _ = child.kill();
    let _ = child.wait();
    let figure = |samples: usize, seconds: f64| format!("{:.2} M/s", samples as f64 / seconds / 1e6);
    row("samples of one federation of all series", figure(samples, federated), format!("{samples} series"));
    // A dump wants the folder of the log that a Prometheus has made beside the blocks.
    let mut lines = 0;
    let dumped = time(3, || {
        let dump = Command::new(tool.join("promtool")).args(["tsdb", "dump"]).arg(&data).output().expect("it runs");
        lines = dump.stdout.iter().filter(|byte| **byte == b'\n').count();
    });
    row(
        "samples dumped by `promtool tsdb dump`",
        figure(lines, dumped),
        format!("{lines} samples, an hour of ten members"),
    );
}

/// A past of so long of ten members for a sink; `then` is called on the way.
fn lived<S: Sink + Send + 'static>(long: Duration, sink: S, mut then: impl FnMut(Instant)) {
    let plan = plan(include_str!("../scenarios/healthy-cluster.yaml"));
    let span = (Instant::START, Instant::START + long);
    let mut past = Past::new(&plan, Seed(1), Calendar::default(), &Watch::default(), span, Box::new(sink));
    while past.advance(Duration::seconds(5)).expect("no limit") {
        then(past.now());
    }
}

/// The most memory this process has had since, as the kernel counts it.
struct Peak(f64);

impl Peak {
    fn begin() -> Peak {
        // Begins the count anew.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Peak(Peak::mib())
    }

    fn mib() -> f64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or("VmHWM: 0");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    }

    fn grown(&self) -> f64 {
        Peak::mib() - self.0
    }
}

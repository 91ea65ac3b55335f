//! How fast it is. Every figure stands beside something measured in the same run, because machines differ and are shared.
//! `cargo bench` prints one table; nothing here passes or fails.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures real time and prints it")]

mod common;

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration as Span, Instant as Wall};

use common::row;
use mock_kestra::monitor::read_rules;
use mock_kestra::profile::Profile;
use mock_kestra::random::Seed;
use mock_kestra::run::{Session, Watch, run};
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_mock-kestra");

fn main() {
    row("what", "figure".into(), "beside".into());
    start_up();
    virtual_speed();
    watched();
    timeline();
    exposition();
    requests();
}

/// The median of several runs.
fn median(runs: usize, mut run: impl FnMut() -> f64) -> f64 {
    let mut all: Vec<f64> = (0..runs).map(|_| run()).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn plan(text: &str) -> Arc<Plan> {
    Arc::new(read("bench.yaml", text, &NoFiles).0.expect("a plan"))
}

struct Mock {
    child: Child,
    member: String,
    control: String,
    first_answer: Span,
}

impl Mock {
    fn start(arguments: &[&str]) -> Mock {
        let ready = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-ready.json");
        let _ = std::fs::remove_file(&ready);
        let begun = Wall::now();
        let child = Command::new(BINARY)
            .arg("serve")
            .args(arguments)
            .args(["--port", "0", "--control", "0", "--ready-file"])
            .arg(&ready)
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let addresses = loop {
            let text = std::fs::read(&ready).unwrap_or_default();
            if let Ok(addresses) = serde_json::from_slice::<serde_json::Value>(&text) {
                break addresses;
            }
            std::thread::sleep(Span::from_micros(200));
        };
        let member = format!("127.0.0.1:{}", addresses["members"][0]["management"]);
        let control = addresses["control"].as_str().expect("an address").to_owned();
        get(&member, "/health", "");
        Mock { child, member, control, first_answer: begun.elapsed() }
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("0 0");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start_up() {
    let bare = median(9, || {
        let begun = Wall::now();
        Command::new(BINARY).arg("--version").stdout(Stdio::null()).status().expect("it runs");
        begun.elapsed().as_secs_f64()
    });
    for scenario in ["idle", "healthy", "healthy-cluster"] {
        let first = median(9, || Mock::start(&[scenario]).first_answer.as_secs_f64());
        row(
            &format!("start to first 200 on /health, {scenario}"),
            format!("{:.1} ms", first * 1e3),
            format!("{:.1} times `--version` ({:.1} ms)", first / bare, bare * 1e3),
        );
    }
    let mock = Mock::start(&["idle"]);
    std::thread::sleep(Span::from_secs(1));
    let before = mock.resident_kib();
    get(&mock.member, "/prometheus", "");
    let size = std::fs::metadata(BINARY).map_or(0, |it| it.len());
    row(
        "resident memory of an idle standalone",
        format!("{:.1} MiB", before as f64 / 1024.0),
        format!(
            "{:.1} MiB after a scrape; the binary has {:.1} MiB",
            mock.resident_kib() as f64 / 1024.0,
            size as f64 / 1_048_576.0
        ),
    );
}

fn virtual_speed() {
    let plan = plan(include_str!("../scenarios/healthy-cluster.yaml"));
    let hours = 4;
    let run = |scrape: bool| {
        let begun = Wall::now();
        let mut simulation = Simulation::new(plan.clone(), Seed(1), Calendar::default());
        let mut samples = 0u64;
        for step in 1..=hours * 240 {
            simulation.advance(Instant::START + Duration::seconds(step * 15)).expect("no limit");
            if scrape {
                for member in 0..simulation.members().len() {
                    let look = simulation.look(member);
                    simulation.members()[member].registry().expect("a process").samples(&look, |sample| {
                        samples += u64::from(black_box(sample.value) >= 0.0);
                    });
                }
            }
        }
        black_box(samples);
        ((hours * 3600 + 600) as f64 / begun.elapsed().as_secs_f64(), simulation.events())
    };
    let (model, events) = (median(5, || run(false).0), run(false).1);
    let scraped = median(3, || run(true).0);
    row(
        "10 members, 60 executions/min, model alone",
        format!("{model:.0}x"),
        format!("real time; {:.2} M events/s", events as f64 / (hours * 3600) as f64 * model / 1e6),
    );
    row(
        "the same, all samples of all members each 15 s",
        format!("{scraped:.0}x"),
        format!("real time; {:.2} of the model alone", scraped / model),
    );
}

fn watched() {
    let mut day = Plan::clone(&plan(include_str!("../scenarios/healthy-cluster.yaml")));
    day.duration = Duration::seconds(86_400);
    let day = Arc::new(day);
    let rules = include_str!("../scenarios/rules/kestra.yml");
    let (rules, _) = read_rules("kestra.yml", rules).expect("sound rules");
    let count: usize = rules.groups.iter().map(|group| group.rules.len()).sum();
    let watch = Watch { rules, ..Watch::default() };
    let time = |watch: Option<&Watch>| {
        median(3, || {
            let begun = Wall::now();
            black_box(run(&day, Seed(1), Calendar::default(), watch).expect("no limit"));
            begun.elapsed().as_secs_f64()
        })
    };
    let (alone, judged) = (time(None), time(Some(&watch)));
    row(
        &format!("a day of 10 members, scraped and judged by {count} rules each 15 s"),
        format!("{judged:.2} s"),
        format!("{:.1} times the run without rules ({alone:.2} s)", judged / alone),
    );
}

/// What the page asks for, of a day of ten members.
fn timeline() {
    let plan = plan(include_str!("../scenarios/healthy-cluster.yaml"));
    let day = Instant::START + Duration::seconds(86_400);
    let live = |looked_on: bool| {
        let mut session = Session::new(plan.clone(), Seed(1), Calendar::default()).endless();
        if looked_on {
            session.keep_lived(Duration::ZERO);
        }
        let begun = Wall::now();
        session.advance(day).expect("no limit");
        (begun.elapsed().as_secs_f64(), session)
    };
    let (alone, looked_on) = (median(3, || live(false).0), median(3, || live(true).0));
    row(
        "a day of 10 members, looked on for the page",
        format!("{:.0} ms", looked_on * 1e3),
        format!("{:.2} times the same without it ({:.0} ms)", looked_on / alone, alone * 1e3),
    );
    let (_, session) = live(true);
    let ahead = median(3, || {
        let begun = Wall::now();
        black_box(session.foresight(day + Duration::seconds(3_600)).go(&|| true));
        begun.elapsed().as_secs_f64()
    });
    let mock = Mock::start(&["healthy-cluster", "--paused"]);
    let body = r#"{"at": "24h", "now": true}"#;
    post(&mock.control, "/api/run-until", body);
    let ask = |path: &str| {
        median(9, || {
            let begun = Wall::now();
            let answer = get(&mock.control, path, "");
            assert!(answer.len() > 10_000, "{}", answer.len());
            begun.elapsed().as_secs_f64()
        })
    };
    let (whole, usual) = (ask("/api/timeline?from=0s&points=720"), ask("/api/timeline?from=0s&points=240"));
    row(
        "the page's data for that day, 720 instants",
        format!("{:.1} ms", whole * 1e3),
        format!("{:.1} ms with 240; an hour to come takes {:.0} ms", usual * 1e3, ahead * 1e3),
    );
}

fn exposition() {
    for version in ["0.20", "1.3", "2.0"] {
        exposition_of(version);
    }
}

fn exposition_of(version: &str) {
    let mut plan = Plan::clone(&plan(include_str!("../scenarios/idle.yaml")));
    plan.kestra = Profile::named(version).expect("a version");
    let mut simulation = Simulation::new(Arc::new(plan), Seed(1), Calendar::default());
    simulation.advance(Instant::START).expect("no limit");
    let mut out = Vec::new();
    let render = median(31, || {
        let begun = Wall::now();
        for _ in 0..20 {
            out.clear();
            simulation.members()[0].registry().expect("a process").render(&simulation.look(0), &mut out);
        }
        begun.elapsed().as_secs_f64() / 20.0
    });
    let copy = median(31, || {
        let begun = Wall::now();
        for _ in 0..20 {
            black_box(out.clone());
        }
        begun.elapsed().as_secs_f64() / 20.0
    });
    row(
        &format!("one exposition of the idle standalone of {version}"),
        format!("{:.0} us", render * 1e6),
        format!("{:.0} times copying its {} bytes", render / copy, out.len()),
    );
}

fn requests() {
    const SECONDS: f64 = 3.0;
    let mock = Mock::start(&["healthy", "--paused"]);
    let body = get(&mock.member, "/prometheus", "");
    let baseline_address = baseline(body);
    let mut at_new_instants = Vec::new();
    for (kind, header) in [("identity", ""), ("gzip", "Accept-Encoding: gzip\r\n")] {
        let plain = load(&baseline_address, header, SECONDS);
        let paused = load(&mock.member, header, SECONDS);
        let moving = Mock::start(&["healthy", "--speed", "1", "--tick", "100ms"]);
        let ticking = load(&moving.member, header, SECONDS);
        // A thousand virtual milliseconds each millisecond: each request finds another instant.
        let racing = Mock::start(&["healthy", "--speed", "1000", "--tick", "1ms"]);
        let new_instants = load(&racing.member, header, SECONDS);
        let beside =
            |figure: f64| format!("{:.2} of a server that sends the same bytes ({plain:.0}/s)", figure / plain);
        row(&format!("/prometheus, {kind}, time stands still"), format!("{paused:.0}/s"), beside(paused));
        row(&format!("/prometheus, {kind}, tick of 100 ms"), format!("{ticking:.0}/s"), beside(ticking));
        row(
            &format!("/prometheus, {kind}, each request at a new instant"),
            format!("{new_instants:.0}/s"),
            beside(new_instants),
        );
        at_new_instants.push(new_instants);
    }
    if let [plain, gzip] = at_new_instants[..] {
        row(
            "the same, gzip beside plain",
            format!("{:.2} times", gzip / plain),
            format!("{gzip:.0}/s beside {plain:.0}/s; the aim is 6500/s"),
        );
    }
}

fn get(address: &str, path: &str, header: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n").expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("read");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..answer.len().min(200)]));
    answer
}

fn post(address: &str, path: &str, body: &str) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let length = body.len();
    write!(stream, "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
        .expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A server of this process that answers every request with the same bytes.
fn baseline(answer: Vec<u8>) -> String {
    let text = String::from_utf8_lossy(&answer).replace("connection: close\r\n", "");
    let answer: Arc<[u8]> = text.into_bytes().into();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut stream = stream;
                let _ = stream.set_nodelay(true);
                let mut request = [0u8; 4096];
                while stream.read(&mut request).is_ok_and(|n| n > 0) && stream.write_all(&answer).is_ok() {}
            });
        }
    });
    address
}

/// Requests a second over eight connections that are kept.
fn load(address: &str, header: &str, seconds: f64) -> f64 {
    let request = format!("GET /prometheus HTTP/1.1\r\nHost: x\r\n{header}\r\n");
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (address, request, stop, done) = (address.to_owned(), request.clone(), stop.clone(), done.clone());
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(&address).expect("a connection");
                let _ = stream.set_nodelay(true);
                let mut buffer = vec![0u8; 512 * 1024];
                while !stop.load(Ordering::Relaxed) {
                    stream.write_all(request.as_bytes()).expect("written");
                    let mut filled = 0;
                    let mut wanted = usize::MAX;
                    while filled < wanted {
                        let n = stream.read(&mut buffer[filled..]).expect("read");
                        assert!(n > 0, "the server closed");
                        filled += n;
                        if wanted == usize::MAX
                            && let Some(end) = buffer[..filled].windows(4).position(|it| it == b"\r\n\r\n")
                        {
                            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
                            let length = head.split("content-length: ").nth(1).expect("a length");
                            let length: usize = length.split("\r\n").next().expect("a line").parse().expect("a number");
                            wanted = end + 4 + length;
                        }
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    std::thread::sleep(Span::from_millis(300));
    let (begun, before) = (Wall::now(), done.load(Ordering::Relaxed));
    std::thread::sleep(Span::from_secs_f64(seconds));
    let rate = (done.load(Ordering::Relaxed) - before) as f64 / begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let _ = client.join();
    }
    rate
}

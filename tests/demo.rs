//! The demo: a cluster with a past and a failure to come, and a Prometheus beside it; and the files of the same in containers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::peers::peer;
use common::server::{ask, binary, eventually, run, scratch};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/demo")
}

fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn list<'v>(value: &'v Value, key: &str) -> Vec<&'v str> {
    value[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn what_the_containers_mount_is_there_and_what_they_are_told_is_understood() {
    let compose = yaml(&folder().join("compose.yml"));
    let services = compose["services"].as_object().expect("services");
    let mut ports = BTreeSet::new();
    for (name, service) in services {
        for mount in list(service, "volumes") {
            let (from, to) = mount.split_once(':').expect("from and to");
            assert!(folder().join(from).exists(), "{name} mounts {from}, which is not there");
            assert!(to.starts_with('/') && to.ends_with(":ro"), "{name}: {to}");
        }
        for port in list(service, "ports") {
            assert!(ports.insert(port), "two services have {port}");
        }
        for needed in list(service, "depends_on") {
            assert!(services.contains_key(needed), "{name} depends on {needed}");
        }
        let tag = service["image"].as_str().map(|image| image.rsplit_once(':').expect("a tag").1);
        assert!(tag != Some("latest") && (tag.is_some() || service["build"] == "../.."), "{name}: {tag:?}");
    }
    assert!(folder().join("../../Dockerfile").exists());
    // Our own command line understands what the container runs, up to the last word.
    let mut arguments = list(&services["mock"], "command");
    arguments.push("--help");
    let (code, out, error) = run(&arguments);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("--remote-write"), "{out}");
    // Whoever is named by another is one of the services.
    let text = [
        "prometheus.yml",
        "alertmanager.yml",
        "grafana/datasources/prometheus.yml",
        "grafana/alerting/contact-points.yml",
    ]
    .map(|file| std::fs::read_to_string(folder().join(file)).expect("readable"))
    .join("\n");
    for host in text.split("http://").skip(1).map(|rest| rest.split([':', '/']).next().expect("a host")) {
        assert!(services.contains_key(host), "{host} is no service");
    }
}

#[test]
fn its_prometheus_and_alertmanager_tell_of_the_failure() {
    let file = |name: &str| folder().join(name).display().to_string();
    let rules = folder().join("../rules/kestra.yml").display().to_string();
    let alertmanager = file("alertmanager.yml");
    let (code, out, error) = run(&["test", "demo", "--rules", &rules, "--alertmanager", &alertmanager]);
    assert_eq!(code, Some(0), "{error}{out}");
    assert!(out.contains("KestraWorkerDown") && out.contains("shown"), "{out}");
    // The file of the container reads its rules from where they are mounted there.
    let text = std::fs::read_to_string(file("prometheus.yml")).expect("readable");
    let here = scratch("demo-prometheus.yml");
    std::fs::write(&here, text.replace("[ kestra.yml ]", &format!("[ \"{rules}\" ]"))).expect("written");
    let (code, out, error) = run(&["test", "demo", "--prometheus", &here.display().to_string()]);
    assert_eq!(code, Some(0), "{error}{out}");
    assert!(out.contains("5 of 6 answered every scrape"), "{out}");
    // Grafana's rules with its own contact point.
    let (rules, points) = (file("../rules/grafana.yaml"), file("grafana/alerting/contact-points.yml"));
    let (code, out, error) = run(&["test", "demo", "--lenient", "--rules", &rules, "--alertmanager", &points]);
    assert!(code == Some(0) || code == Some(1), "{error}{out}");
    assert!(out.contains("shown"), "{out}");
}

/// A demo that is under way; it ends with the test.
struct Demo {
    child: Child,
    ready: Value,
    told: PathBuf,
}

impl Demo {
    fn start(name: &str, more: &[&str]) -> Demo {
        let (ready, told) = (scratch(&format!("{name}.json")), scratch(&format!("{name}.log")));
        let _ = std::fs::remove_file(&ready);
        let file = std::fs::File::create(&told).expect("a file");
        let mut command = binary();
        command.args(["demo", "--port", "0", "--control", "0", "--ready-file"]).arg(&ready).args(more);
        let child = command.stdout(file).stderr(Stdio::null()).spawn().expect("it starts");
        let mut demo = Demo { child, ready: Value::Null, told };
        eventually("the demo is ready", || {
            let text = std::fs::read_to_string(&ready).unwrap_or_default();
            demo.ready = serde_json::from_str(&text).unwrap_or_default();
            !demo.ready.is_null() && demo.words().contains("scenarios/demo/compose.yml")
        });
        demo
    }

    fn words(&self) -> String {
        std::fs::read_to_string(&self.told).unwrap_or_default()
    }

    fn control(&self) -> String {
        self.ready["control"].as_str().expect("an address").to_owned()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // As Ctrl-C does: what it has started ends with it.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|asked| asked.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

#[test]
fn without_a_prometheus_it_serves_and_says_so() {
    let demo = Demo::start("demo-alone", &["--no-prometheus", "--history", "30m"]);
    let words = demo.words();
    assert!(words.contains("no Prometheus runs beside it") && words.contains("  in 5m     kill worker-1"), "{words}");
    let state: Value = serde_json::from_str(&ask(&demo.control(), "GET", "/api/state", "").body).expect("JSON");
    assert_eq!(state["scenario"], "demo");
    let alerts = ask(&demo.control(), "GET", "/api/alerts", "").body;
    assert!(alerts.contains("alerts"), "{alerts}");
}

#[test]
fn a_demo_begins_at_rest_also_for_rules_that_look_back_for_hours() {
    let demo = Demo::start("demo-at-rest", &["--no-prometheus"]);
    let alerts: Value = serde_json::from_str(&ask(&demo.control(), "GET", "/api/alerts", "").body).expect("JSON");
    assert_eq!(alerts["data"]["alerts"].as_array().map(Vec::len), Some(0), "{alerts:#}");
}

/// A program in place of a Prometheus.
#[cfg(unix)]
fn pretended(name: &str, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = scratch(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    path
}

/// A demo with a program in place of its Prometheus: what it says on standard error goes into a file.
#[cfg(unix)]
fn demo_with(prometheus: &Path) -> (Child, PathBuf) {
    let told = scratch("demo.log");
    let mut command = binary();
    command.args(["demo", "--port", "0", "--control", "0", "--prometheus-port", "0", "--history", "0s"]);
    command.arg("--prometheus-binary").arg(prometheus);
    let file = std::fs::File::create(&told).expect("a file");
    let child = command.stdout(file.try_clone().expect("a file")).stderr(file).spawn().expect("it starts");
    (child, told)
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_at_once_while_its_prometheus_comes_up() {
    let here = scratch("here");
    let (mut demo, told) = demo_with(&pretended("silent", &format!("touch {}; exec sleep 600", here.display())));
    eventually("it waits for its Prometheus", || here.exists());
    Command::new("kill").args(["-INT", &demo.id().to_string()]).status().expect("kill");
    // Without an ear for it this is an error, half a minute later.
    let status = demo.wait().expect("it ends");
    let told = std::fs::read_to_string(&told).expect("readable");
    assert_eq!(status.code(), Some(0), "{told}");
    assert!(!told.contains("What to watch") && !told.contains("error"), "{told}");
}

#[cfg(unix)]
#[test]
fn the_end_of_its_prometheus_is_told() {
    // This test listens where it is told to, and then it ends with a word.
    let (at, go) = (scratch("at"), scratch("go"));
    let script = format!(
        "for it in \"$@\"; do case $it in --web.listen-address=*) echo ${{it#*=}} > {at}.new; mv {at}.new {at};; esac; done\n\
         until [ -e {go} ]; do sleep 0.05; done\necho no space left >&2\nexit 1",
        at = at.display(),
        go = go.display()
    );
    let (mut demo, told) = demo_with(&pretended("short", &script));
    eventually("it is started", || at.exists());
    let _up = std::net::TcpListener::bind(std::fs::read_to_string(&at).expect("readable").trim()).expect("its port");
    let words = || std::fs::read_to_string(&told).expect("readable");
    eventually("it is up", || words().contains("What to watch"));
    std::fs::write(&go, "").expect("written");
    eventually("its end is told", || words().contains("has ended"));
    assert!(words().contains("has ended (exit status: 1): no space left; the cluster goes on"), "{}", words());
    assert_eq!(demo.try_wait().expect("a child"), None);
    Command::new("kill").arg(demo.id().to_string()).status().expect("kill");
    assert_eq!(demo.wait().expect("it ends").code(), Some(0));
}

#[test]
fn wrong_options_are_told() {
    for (arguments, told) in [
        (vec!["demo", "--prometheus-binary", "/nowhere/prometheus"], "there is no file /nowhere/prometheus"),
        (vec!["demo", "--history", "500d"], "up to 400d"),
        (vec!["demo", "--remote-write", "localhost"], "write the whole URL"),
        (vec!["demo", "--no-prometheus", "--remote-write", "http://127.0.0.1:1/"], "cannot be used with"),
    ] {
        let (code, _, error) = run(&arguments);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
}

#[test]
#[ignore = "needs a real Prometheus: .ci/peers puts it under target/peers"]
fn a_real_prometheus_has_the_morning_and_goes_on_from_there() {
    let prometheus = peer("stable", "prometheus").display().to_string();
    let more = ["--history", "30m", "--prometheus-port", "0", "--prometheus-binary", prometheus.as_str()];
    let demo = Demo::start("demo-peer", &more);
    let words = demo.words();
    let address = words.split("http://").find(|rest| rest.contains("/alerts")).expect("its address");
    let address = address.split('/').next().expect("host and port").to_owned();
    let query = |query: &str| -> Value {
        let path = format!("/api/v1/query?query={query}");
        let answer: Value = serde_json::from_str(&ask(&address, "GET", &path, "").body).unwrap_or_default();
        answer["data"]["result"].clone()
    };
    let number = |text: &str| query(text)[0]["value"][1].as_str().and_then(|text| text.parse::<f64>().ok());
    // Of the past 120 scrapes of each member, and more since.
    eventually("all of the past is there", || number("min(count_over_time(up%5B1h%5D))").is_some_and(|it| it >= 120.0));
    eventually("it scrapes on", || number("count(up%20==%201)") == Some(6.0));
    // One series a member: those of the past have the labels of the present.
    assert_eq!(number("count(count_over_time(up%5B1h%5D))"), Some(6.0));
    assert!(ask(&address, "GET", "/api/v1/rules", "").body.contains("KestraWorkerDown"));
    drop(demo);
    assert!(common::server::try_ask(&address, "GET", "/-/ready", "").is_err(), "it ends with the demo");
}

//! Real peers of the tests: Prometheus servers that `.ci/peers` puts under target/peers.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::server::{eventually, scratch, try_ask};

/// A binary of a suite.
pub fn peer(suite: &str, name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers").join(format!("prometheus-{suite}/usr/bin"));
    // In Debian 12 promtool comes with Prometheus, later it is a package of its own.
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/peers/{name}-{suite}/usr/bin")).join(name);
    let path = if own.exists() { own } else { folder.join(name) };
    assert!(path.exists(), "{} is missing: run .ci/peers", path.display());
    path
}

/// A running Prometheus.
pub struct Prometheus {
    child: Child,
    pub address: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Prometheus {
    pub fn start(suite: &str, config: &str, rules: &str) -> Prometheus {
        let data = scratch("data");
        Prometheus::start_with(suite, config, rules, &data)
    }

    /// With a folder of data that is there already.
    pub fn start_with(suite: &str, config: &str, rules: &str, data: &Path) -> Prometheus {
        let config_file = scratch("prometheus.yml");
        let folder = config_file.parent().expect("a folder").to_owned();
        std::fs::write(&config_file, config).expect("written");
        std::fs::write(folder.join("rules.yml"), rules).expect("written");
        let mut child = Command::new(peer(suite, "prometheus"))
            .arg(format!("--config.file={}", config_file.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg("--web.listen-address=127.0.0.1:0")
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Prometheus starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().expect("a log").push(line);
            }
        });
        let mut address = None;
        eventually("Prometheus tells where it listens", || {
            let log = log.lock().expect("a log");
            let line = log.iter().find(|line| line.contains("Listening on"));
            let found =
                line.and_then(|line| line.split("address=").nth(1)).map(|rest| rest.trim_matches('"').to_owned());
            address = found.map(|found| found.split([' ', '"']).next().expect("an address").to_owned());
            address.is_some()
        });
        Prometheus { child, address: address.expect("an address"), log }
    }

    pub fn api(&self, path: &str) -> Value {
        let answer = try_ask(&self.address, "GET", &format!("/api/v1/{path}"), "");
        // Chunked when it is long: take the JSON out of the chunks.
        answer
            .ok()
            .and_then(|answer| serde_json::from_str(&dechunked(&answer.head, &answer.body)).ok())
            .unwrap_or(Value::Null)
    }

    /// What the log says that is worse than information.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.log.lock().expect("a log");
        let bad = |line: &&String| {
            let line = line.to_lowercase();
            line.contains("level=warn") || line.contains("level=error")
        };
        log.iter().filter(bad).cloned().collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn dechunked(head: &str, body: &str) -> String {
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut rest, mut text) = (body, String::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || after.len() < size {
            break;
        }
        text += &after[..size];
        rest = after[size..].trim_start_matches("\r\n");
    }
    text
}

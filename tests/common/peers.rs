//! Real peers of the tests: Prometheus servers that `.ci/peers` puts under target/peers.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::server::{connect, eventually, scratch, try_ask};

/// A binary of a suite.
pub fn peer(suite: &str, name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers").join(format!("prometheus-{suite}/usr/bin"));
    // In Debian 12 promtool comes with Prometheus, later it is a package of its own.
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/peers/{name}-{suite}/usr/bin")).join(name);
    let path = if own.exists() { own } else { folder.join(name) };
    assert!(path.exists(), "{} is missing: run .ci/peers", path.display());
    path
}

/// A binary of Alertmanager's package of a suite.
pub fn alertmanager_peer(suite: &str, name: &str) -> PathBuf {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/peers/alertmanager-{suite}/usr/bin")).join(name);
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
            .arg("--web.enable-remote-write-receiver")
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

/// Series as remote write carries them: labels sorted by name, time in milliseconds.
pub type Written = (Vec<(String, String)>, Vec<(i64, f64)>);

impl Prometheus {
    /// Sends samples by remote write; staleness markers go as what they are.
    pub fn write(&self, series: &[Written]) {
        for part in series.chunks(500) {
            let mut message = Vec::new();
            for (labels, samples) in part {
                let mut one = Vec::new();
                for (name, value) in labels {
                    let mut label = Vec::new();
                    field(&mut label, 1, name.as_bytes());
                    field(&mut label, 2, value.as_bytes());
                    field(&mut one, 1, &label);
                }
                for (time, value) in samples {
                    let mut sample = vec![1 << 3 | 1];
                    sample.extend(value.to_bits().to_le_bytes());
                    sample.push(2 << 3);
                    varint(&mut sample, *time as u64);
                    field(&mut one, 2, &sample);
                }
                field(&mut message, 1, &one);
            }
            // Snappy, with literals only.
            let mut packed = Vec::new();
            varint(&mut packed, message.len() as u64);
            for chunk in message.chunks(1 << 16) {
                packed.push(61 << 2);
                packed.extend(((chunk.len() - 1) as u16).to_le_bytes());
                packed.extend(chunk);
            }
            let mut stream = connect(&self.address).expect("it listens");
            let head = format!(
                "POST /api/v1/write HTTP/1.0\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: {}\r\n\r\n",
                packed.len()
            );
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&packed)).expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("answered");
            assert!(answer.starts_with("HTTP/1.0 204"), "{answer}");
        }
    }

    /// What `query_range` answers: a result of type matrix, or why there is none. Times in seconds.
    pub fn query_range(&self, query: &str, first: i64, last: i64, step: i64) -> Result<Value, String> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let form = format!("query={encoded}&start={first}&end={last}&step={step}");
        let mut stream = connect(&self.address).map_err(|error| error.to_string())?;
        let head = format!(
            "POST /api/v1/query_range HTTP/1.0\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        stream.write_all(head.as_bytes()).map_err(|error| error.to_string())?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map_err(|error| error.to_string())?;
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let mut answer: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {text}"))?;
        match answer["status"] == "success" {
            true => Ok(answer["data"]["result"].take()),
            false => Err(answer["error"].as_str().unwrap_or("no reason").to_owned()),
        }
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field of bytes.
fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

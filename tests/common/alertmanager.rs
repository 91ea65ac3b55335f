//! A real Alertmanager, and what it posts to.
#![allow(clippy::disallowed_methods, reason = "a real Alertmanager lives in real time")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use mock_kestra::pager::Alert;
use serde_json::{Value, json};

use super::peers::alertmanager_peer;
use super::server::eventually;

/// Something that was posted.
#[derive(Clone)]
pub struct Posted {
    pub at: SystemTime,
    pub path: String,
    pub body: String,
}

/// A place that everything is posted to.
pub struct Hook {
    pub address: String,
    got: Arc<Mutex<Vec<Posted>>>,
}

impl Hook {
    pub fn start() -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&got);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || while Hook::one(&stream, &kept).is_some() {});
            }
        });
        Hook { address, got }
    }

    fn one(stream: &TcpStream, kept: &Mutex<Vec<Posted>>) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (kind, answer) = match path.split('/').nth(1)? {
            name if name == "rich" || name.starts_with("slack") => ("text/plain", "ok"),
            name if name.starts_with("telegram") => {
                ("application/json", "{\"ok\":true,\"result\":{\"message_id\":1,\"chat\":{\"id\":1}}}")
            }
            name if name.starts_with("wechat") => ("application/json", "{\"errcode\":0,\"access_token\":\"t\"}"),
            "jira" => ("application/json", "{\"issues\":[]}"),
            _ => ("application/json", "{\"success\":true}"),
        };
        let body = String::from_utf8(body).ok()?;
        kept.lock().expect("a list").push(Posted { at: SystemTime::now(), path, body });
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
        (&*stream).write_all(head.as_bytes()).ok()
    }

    /// All that came.
    pub fn posted(&self) -> Vec<Posted> {
        self.got.lock().expect("a list").clone()
    }

    /// The bodies that came to a place, without what is only asked.
    pub fn bodies(&self, name: &str) -> Vec<Value> {
        let is_meant = |it: &Posted| {
            it.path.split(['/', '?']).nth(1) == Some(name) && !it.body.is_empty() && !it.path.ends_with("/search")
        };
        let of = self.posted().into_iter().filter(is_meant);
        of.map(|it| serde_json::from_str(&it.body).unwrap_or(Value::Null)).collect()
    }
}

/// A running Alertmanager.
pub struct Alertmanager {
    /// When it was started.
    pub started: SystemTime,
    child: Child,
    address: String,
    log: PathBuf,
}

impl Alertmanager {
    pub fn start(suite: &str, config: &Path) -> Alertmanager {
        let binary = alertmanager_peer(suite, "prometheus-alertmanager");
        let share = binary.parent().and_then(Path::parent).expect("a folder").join("share/prometheus/alertmanager");
        let log = config.with_file_name("log");
        let child = Command::new(&binary)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", config.with_file_name("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="])
            .arg("--web.external-url=http://alertmanager:9093")
            // Where its own templates are: see .ci/peers.
            .current_dir(share)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("a file"))
            .spawn()
            .expect("Alertmanager starts");
        let mut real = Alertmanager { started: SystemTime::now(), child, address: String::new(), log };
        eventually("Alertmanager tells where it listens", || {
            let told = std::fs::read_to_string(&real.log).unwrap_or_default();
            let line = told.lines().find(|line| line.contains("Listening on"));
            let rest = line.and_then(|line| line.split("address=").nth(1));
            real.address = rest.and_then(|rest| rest.split([' ', '"']).next()).unwrap_or_default().to_owned();
            !real.address.is_empty()
        });
        real
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().filter(|line| line.contains("err")).take(3).collect::<Vec<_>>().join("\n")
    }

    pub fn post(&self, alerts: &[Alert]) {
        let date = |at: i64| jiff::Timestamp::from_millisecond(at).expect("a date").to_string();
        let one = |it: &Alert| {
            let mut out = json!({"labels": it.labels, "annotations": it.annotations, "startsAt": date(it.starts_at),
                "generatorURL": &*it.generator_url});
            if let Some(ends) = it.ends_at {
                out["endsAt"] = date(ends).into();
            }
            out
        };
        self.ask("/api/v2/alerts", &alerts.iter().map(one).collect());
    }

    /// Posts something to its API, which takes it.
    pub fn ask(&self, path: &str, body: &Value) {
        let (address, body) = (&self.address, body.to_string());
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it is set");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}\n{body}");
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A real Alertmanager, and what it posts to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use mock_kestra::pager::Alert;
use serde_json::{Value, json};

use super::peers::alertmanager_peer;
use super::server::eventually;

/// A place that everything is posted to: paths and bodies.
pub struct Hook {
    pub address: String,
    got: Arc<Mutex<Vec<(String, String)>>>,
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

    fn one(stream: &TcpStream, kept: &Mutex<Vec<(String, String)>>) -> Option<()> {
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
        kept.lock().expect("a list").push((path, String::from_utf8(body).ok()?));
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
        (&*stream).write_all(head.as_bytes()).ok()
    }

    /// The bodies that came to a place, without what is only asked.
    pub fn bodies(&self, name: &str) -> Vec<Value> {
        let got = self.got.lock().expect("a list");
        let of = got.iter().filter(|(path, body)| {
            path.split(['/', '?']).nth(1) == Some(name) && !body.is_empty() && !path.ends_with("/search")
        });
        of.map(|(_, body)| serde_json::from_str(body).unwrap_or(Value::Null)).collect()
    }
}

/// A running Alertmanager.
pub struct Alertmanager {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Alertmanager {
    pub fn start(suite: &str, config: &Path) -> Alertmanager {
        let binary = alertmanager_peer(suite, "prometheus-alertmanager");
        let share = binary.parent().and_then(Path::parent).expect("a folder").join("share/prometheus/alertmanager");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let address = format!("127.0.0.1:{port}");
        let log = config.with_file_name("log");
        let child = Command::new(&binary)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", config.with_file_name("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--web.external-url=http://alertmanager:9093", "--cluster.listen-address="])
            // Where its own templates are: see .ci/peers.
            .current_dir(share)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("a file"))
            .spawn()
            .expect("Alertmanager starts");
        let real = Alertmanager { child, address, log };
        eventually(&format!("Alertmanager listens: {}", real.log()), || TcpStream::connect(&real.address).is_ok());
        real
    }

    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().filter(|line| line.contains("err")).take(3).collect::<Vec<_>>().join("\n")
    }

    pub fn post(&mut self, alerts: &[Alert]) {
        let date = |at: i64| jiff::Timestamp::from_millisecond(at).expect("a date").to_string();
        let one = |it: &Alert| {
            let mut out = json!({"labels": it.labels, "annotations": it.annotations, "startsAt": date(it.starts_at),
                "generatorURL": &*it.generator_url});
            if let Some(ends) = it.ends_at {
                out["endsAt"] = date(ends).into();
            }
            out
        };
        let body = Value::from(alerts.iter().map(one).collect::<Vec<_>>()).to_string();
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let head = format!(
            "POST /api/v2/alerts HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! The binary as a process, and a small HTTP client that sees every byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

/// The binary under test.
pub fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mock-kestra"))
}

/// A file that no other test uses.
pub fn scratch(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder.join(name)
}

/// A mock that serves a scenario on free ports until it is dropped.
pub struct Mock {
    child: Child,
    pub addresses: Value,
}

impl Mock {
    pub fn start(arguments: &[&str]) -> Mock {
        let ready = scratch("ready.json");
        let mut child = binary()
            .arg("serve")
            .args(arguments)
            .args(["--port", "0", "--control", "0", "--ready-file"])
            .arg(&ready)
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        // A minute is not a measure of speed: it only ends a test that would wait for ever.
        for _ in 0..6000 {
            if let Some(addresses) = std::fs::read(&ready).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
                return Mock { child, addresses };
            }
            if let Some(status) = child.try_wait().expect("a child") {
                panic!("the mock ended with {status}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the mock did not get ready");
    }

    pub fn control(&self) -> String {
        self.addresses["control"].as_str().expect("an address").to_owned()
    }

    pub fn member(&self, name: &str) -> String {
        let members = self.addresses["members"].as_array().expect("members");
        let member = members.iter().find(|member| member["name"] == name).expect("a member");
        format!("127.0.0.1:{}", member["management"])
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().expect("a child").code()
    }

    /// Asks the control port, and reads JSON.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let answer = ask(&self.control(), method, path, body);
        (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
    }

    /// Posts to the control port, and expects it to be done.
    pub fn post(&self, path: &str, body: &str) -> Value {
        let (status, value) = self.ask("POST", path, body);
        assert!(status < 300, "{path} {body}: {status} {value}");
        value
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// One request on a connection of its own.
pub fn ask(address: &str, method: &str, path: &str, body: &str) -> Answer {
    try_ask(address, method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

pub fn try_ask(address: &str, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
    let mut stream = connect(address)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

pub fn connect(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// Sends bytes and reads so many answers as have a length; returns what came.
pub fn raw(address: &str, request: &str) -> String {
    let mut stream = connect(address).expect("a connection");
    stream.write_all(request.as_bytes()).expect("written");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits until something holds; what is waited for must come by itself.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never came: {what}");
}

//! A mock in this process or as a process of its own, and a small HTTP client that sees every byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mock_kestra::document;
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::server::{Clock, Hand, Options, Running, start};
use mock_kestra::time::Calendar;
use serde_json::Value;

/// The binary under test.
pub fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mock-kestra"))
}

pub fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = binary().args(arguments).output().expect("the binary runs");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned())
}

/// A file that no other test uses.
pub fn scratch(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder.join(name)
}

/// The plan of a scenario's text, which is sound.
pub fn plan(text: &str) -> Plan {
    let (plan, diagnostics) = read("test.yaml", text, &NoFiles);
    plan.unwrap_or_else(|| panic!("{}", document::render(&diagnostics)))
}

/// The text of a shipped scenario.
pub fn shipped(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.yaml"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A session of a plan, with the fixed date of `run`.
pub fn session(plan: Plan) -> Session {
    Session::new(Arc::new(plan), Seed(1), Calendar::default())
}

/// A mock of this process that serves a scenario on free ports until it is dropped; its clock is moved by hand.
pub struct Local {
    pub running: Running,
    pub hand: Hand,
}

impl Local {
    /// A shipped scenario, standing still.
    pub fn paused(name: &str) -> Local {
        Local::serve(session(plan(&shipped(name))), |clock| clock.paused(), Options::default())
    }

    pub fn serve(session: Session, set: impl FnOnce(Clock) -> Clock, options: Options) -> Local {
        let (clock, hand) = Clock::by_hand();
        let running = start(session, options, set(clock)).expect("free ports");
        Local { running, hand }
    }

    /// Lets so much real time pass.
    pub fn pass(&self, seconds: f64) {
        self.hand.pass(Duration::from_secs_f64(seconds));
    }

    pub fn control(&self) -> String {
        self.running.addresses().control.to_string()
    }

    pub fn member(&self, name: &str) -> String {
        let member = self.running.addresses().members.iter().find(|member| member.name == name).expect("a member");
        format!("{}:{}", member.host, member.management)
    }

    /// Asks the control port, and reads JSON.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        ask_json(&self.control(), method, path, body)
    }

    /// Posts to the control port, and expects it to be done.
    pub fn post(&self, path: &str, body: &str) -> Value {
        done(path, body, self.ask("POST", path, body))
    }
}

/// A mock as a process of its own, that serves a scenario on free ports until it is dropped.
pub struct Mock {
    child: Child,
    pub addresses: Value,
}

impl Mock {
    pub fn start(arguments: &[&str]) -> Mock {
        Mock::start_telling(arguments, Stdio::inherit())
    }

    pub fn start_telling(arguments: &[&str], stderr: Stdio) -> Mock {
        let ready = scratch("ready.json");
        let mut child = binary()
            .arg("serve")
            .args(arguments)
            .args(["--port", "0", "--control", "0", "--ready-file"])
            .arg(&ready)
            .stdout(Stdio::null())
            .stderr(stderr)
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
        ask_json(&self.control(), method, path, body)
    }

    /// Posts to the control port, and expects it to be done.
    pub fn post(&self, path: &str, body: &str) -> Value {
        done(path, body, self.ask("POST", path, body))
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask_json(address: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let answer = ask(address, method, path, body);
    // Whatever a test asks for, the answer must be as the document says.
    super::contract::check(method, path, &answer);
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
}

fn done(path: &str, body: &str, (status, value): (u16, Value)) -> Value {
    assert!(status < 300, "{path} {body}: {status} {value}");
    value
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

//! The journal as it is written: server-sent events.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use common::server::{Local, connect, plan, raw, session};
use mock_kestra::server::{Clock, Options};
use mock_kestra::time::{Duration, Instant};
use serde_json::Value;

/// Somebody who listens.
struct Listener {
    lines: BufReader<TcpStream>,
    head: String,
}

/// An event: what it is called, its number, and its data.
type Event = (Option<String>, Option<u64>, Value);

impl Listener {
    fn at(mock: &Local, query: &str, header: &str) -> Listener {
        let mut stream = connect(&mock.control()).expect("a connection");
        write!(stream, "GET /api/events{query} HTTP/1.1\r\nHost: mock\r\n{header}\r\n").expect("written");
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).expect("a head") > 0, "{head}");
        }
        Listener { lines, head }
    }

    /// The next line of the body, without what chunks it; nothing when the body is at its end as it should be.
    fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).expect("a line") > 0, "cut off before its end");
            if line == "0\r\n" {
                return None;
            }
            // Sizes of chunks, and what ends them, end in CR.
            if !line.ends_with("\r\n") {
                return Some(line.trim_end().to_owned());
            }
        }
    }

    fn event(&mut self) -> Option<Event> {
        let (mut name, mut id, mut data) = (None, None, Value::Null);
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("event", told)) => name = Some(told.to_owned()),
                Some(("id", told)) => id = Some(told.parse().expect("a number")),
                Some(("data", told)) => data = serde_json::from_str(told).expect("JSON"),
                _ if line.is_empty() && data != Value::Null => return Some((name, id, data)),
                _ => {}
            }
        }
    }

    /// Events up to the one of this number.
    fn up_to(&mut self, number: u64) -> Vec<Event> {
        let mut found = Vec::new();
        while found.last().is_none_or(|(_, id, _): &Event| *id != Some(number)) {
            found.push(self.event().expect("it goes on"));
        }
        found
    }
}

fn told(mock: &Local) -> (Vec<Value>, u64) {
    let journal = mock.ask("GET", "/api/journal", "").1;
    (journal["lines"].as_array().expect("lines").clone(), journal["next"].as_u64().expect("a number"))
}

#[test]
fn it_tells_the_journal_as_the_journal_does() {
    let mock = Local::paused("worker-killed");
    let mut from_now = Listener::at(&mock, "", "");
    assert!(from_now.head.contains("200 OK") && from_now.head.contains("content-type: text/event-stream"));
    mock.post("/api/run-until", r#"{"at": "14m", "now": true}"#);
    let (lines, next) = told(&mock);
    assert!(next > 4, "{lines:?}");
    let expected: Vec<Event> = (0..).zip(lines).map(|(number, line)| (None, Some(number), line)).collect();
    assert_eq!(from_now.up_to(next - 1), expected);
    assert_eq!(Listener::at(&mock, "?from=2", "").up_to(next - 1), expected[2..]);
    // Who comes back asks with the address that he had: what he has seen goes before it.
    assert_eq!(Listener::at(&mock, "?from=0", "Last-Event-ID: 2\r\n").up_to(next - 1), expected[3..]);
    let mut later = Listener::at(&mock, "", "");
    mock.post("/api/faults", r#"{"kill": "worker-2"}"#);
    mock.post("/api/advance", r#"{"by": "1s"}"#);
    assert_eq!(later.event().expect("an event").1, Some(next), "what was before is not told");
}

#[test]
fn it_says_that_numbers_begin_anew() {
    let mock = Local::paused("worker-killed");
    mock.post("/api/run-until", r#"{"at": "14m", "now": true}"#);
    let next = told(&mock).1;
    let mut listener = Listener::at(&mock, "?from=0", "");
    listener.up_to(next - 1);
    mock.post("/api/reset", "");
    let reset: Event = (Some("reset".to_owned()), None, serde_json::json!({ "resets": 1 }));
    assert_eq!(listener.event(), Some(reset.clone()));
    // Who comes back after that with a number that is not there yet is told too.
    let mut back = Listener::at(&mock, "", &format!("Last-Event-ID: {next}\r\n"));
    assert_eq!(back.event(), Some(reset));
    mock.post("/api/run-until", r#"{"at": "11m", "now": true}"#);
    assert_eq!((listener.event().expect("an event").1, back.event().expect("an event").1), (Some(0), Some(0)));
}

#[test]
fn it_ends_with_the_server_and_a_place_is_free_when_somebody_goes() {
    let mock = Local::paused("worker-killed");
    let asked = |query: &str, header: &str| {
        raw(
            &mock.control(),
            &format!("GET /api/events{query} HTTP/1.1\r\nHost: mock\r\n{header}Connection: close\r\n\r\n"),
        )
    };
    for (query, header, part) in [("?from=x", "", "`x` is no number"), ("", "Last-Event-ID: y\r\n", "`y` is no number")]
    {
        let wrong = asked(query, header);
        assert!(wrong.starts_with("HTTP/1.1 400") && wrong.contains("problem+json") && wrong.contains(part), "{wrong}");
    }
    let mut listeners: Vec<Listener> = (0..16).map(|_| Listener::at(&mock, "", "")).collect();
    assert!(listeners.iter().all(|it| it.head.contains("200 OK")));
    assert!(Listener::at(&mock, "", "").head.contains("429 Too Many Requests"));
    listeners.pop();
    common::server::eventually("his place is free", || Listener::at(&mock, "", "").head.contains("200 OK"));
    mock.running.stop();
    for listener in &mut listeners {
        assert_eq!(listener.event(), None);
    }
    mock.running.join().expect("it stops");
}

/// Ten faults blink ten times a second: 200 lines a second.
fn blinking() -> Local {
    let blinks: String = (0..10)
        .map(|number| {
            format!("  - {{ name: b{number}, at: 1s, every: 100ms, for: 50ms, arrivals: {{ times: 2x }} }}\n")
        })
        .collect();
    let text = format!(
        "name: blinks\ncluster: {{ standalone: 1 }}\n\
         flows: [ {{ id: f, namespace: n, tasks: [ {{ id: t, type: a.B }} ] }} ]\n\
         arrivals: [ {{ flow: f, rate: 1/h }} ]\ntimeline:\n{blinks}"
    );
    let mut endless = session(plan(&text)).endless();
    endless.advance(Instant::START + Duration::seconds(600)).expect("no limit ends it");
    Local::serve(endless, Clock::paused, Options::default())
}

#[test]
fn who_is_slow_is_told_how_much_he_missed_and_nobody_waits_for_him() {
    let mock = blinking();
    let slow = mock.ask("GET", "/api/journal", "").1;
    let dropped = slow["dropped"].as_u64().expect("a number");
    assert!(dropped > 10_000, "{dropped}");
    let mut listener = Listener::at(&mock, "?from=5", "");
    // He does not read, and time goes on all the same.
    mock.post("/api/advance", r#"{"by": "300s"}"#);
    let (name, id, data) = listener.event().expect("an event");
    assert_eq!((name.as_deref(), id), (Some("missed"), None));
    let missed = data["missed"].as_u64().expect("a number");
    assert!(missed >= dropped - 5, "{missed} of {dropped}");
    // Each line comes once, or is counted among those that were missed.
    let last = told(&mock).1 - 1;
    let mut next = 5 + missed;
    while next <= last {
        match listener.event().expect("an event") {
            (None, id, _) => {
                assert_eq!(id, Some(next));
                next += 1;
            }
            (Some(name), _, data) => {
                assert_eq!(name, "missed");
                next += data["missed"].as_u64().expect("a number");
            }
        }
    }
}

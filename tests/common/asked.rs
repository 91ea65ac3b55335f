//! A mock that stands still and is asked by `contract`.

use mock_kestra::server::Options;
use mock_kestra::time::{Duration, Instant};

use super::server::{Local, plan, run, session, shipped};

/// A mock of a scenario's text, so many minutes after its start, standing still.
pub fn mock(text: &str, minutes: u64) -> Local {
    let mut session = session(plan(text));
    session.advance(Instant::START + Duration::minutes(minutes)).expect("no limit");
    Local::serve(session, |clock| clock.paused(), Options::default())
}

/// The management ports of all members.
pub fn urls(mock: &Local) -> Vec<String> {
    let members = &mock.running.addresses().members;
    members.iter().map(|member| format!("http://{}:{}", member.host, member.management)).collect()
}

/// Asks all members of a mock.
pub fn contract(mock: &Local, more: &[&str]) -> (Option<i32>, String, String) {
    let urls = urls(mock);
    let arguments: Vec<&str> =
        ["contract"].into_iter().chain(urls.iter().map(String::as_str)).chain(more.iter().copied()).collect();
    run(&arguments)
}

/// A shipped scenario with this version.
pub fn of_version(scenario: &str, version: &str) -> String {
    let text = shipped(scenario);
    let own = text.lines().find(|line| line.starts_with("kestra:")).expect("a version").to_owned();
    text.replace(&own, &format!("kestra: \"{version}\""))
}

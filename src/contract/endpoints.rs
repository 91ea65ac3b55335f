//! Endpoints of the management port: which there are, with which status they answer, and of which shape their bodies are.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::server::{Answered, Server};
use super::shape::{Open, Shape};
use super::{Area, Difference, Found, Kind};
use crate::management::{Body, Outcome, Request, answer_in_time};
use crate::profile::{Profile, Role};
use crate::random::Seed;
use crate::scenario::{NoFiles, read};
use crate::simulator::Simulation;
use crate::time::{Calendar, Duration, Instant};

/// Places of bodies whose members the installation names, by path of the endpoint.
const OPEN: &[(&str, &[Open])] = &[
    // Below the indicator stands a database by its URL, and below that what it says, which is another thing when it is DOWN.
    ("/health", &[Open::Map("details.jdbc.details"), Open::Any("details.jdbc.details.*.details")]),
    ("/health/readiness", &[Open::Map("details.jdbc.details"), Open::Any("details.jdbc.details.*.details")]),
    ("/loggers", &[Open::Map("loggers")]),
    ("/env", &[Open::Map("propertySources.*.properties")]),
    ("/beans", &[Open::Map("beans")]),
    ("/routes", &[Open::Map("")]),
    // A task runs, or a trigger; what either is made of says its plugin.
    ("/worker", &[Open::Loose("runnings.*"), Open::Any("runnings.*.task"), Open::Any("runnings.*.trigger")]),
    ("/scheduler", &[Open::Any("schedulable.*.trigger")]),
];

/// A body that tells of health is another one while the server is not well.
const HEALTH: &str = "/health";

/// The mock in a server's place: a cluster of a version in which something runs.
struct Stead {
    simulation: Simulation,
    roles: Vec<Role>,
}

/// Long enough for a schedule to have fired and its task to run.
const RUNS: Duration = Duration::seconds(150);

impl Stead {
    /// Of a standalone, or of a cluster with a process of each role.
    fn new(profile: &'static Profile, standalone: bool) -> Option<Stead> {
        let roles: Vec<Role> = profile.roles().filter(|role| (*role == Role::Standalone) == standalone).collect();
        let members: Vec<String> = roles.iter().map(|role| format!("{}: 1", role.name())).collect();
        let text = format!(
            "name: contract\nkestra: \"{profile}\"\ncluster: {{ members: {{ {} }} }}\nflows:\n  - id: long\n    namespace: contract\n    \
             triggers: [ {{ id: minutely, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\" }}, \
             {{ id: poll, type: io.kestra.plugin.core.http.Trigger, interval: PT10S }} ]\n    \
             tasks: [ {{ id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT1H }} ]\n\
             behaviour: [ {{ task: poll, duration: 1h }} ]\n",
            members.join(", ")
        );
        // A sound scenario for every version: a test holds it.
        let (plan, _) = read("contract.yaml", &text, &NoFiles);
        let mut simulation = Simulation::new(Arc::new(plan?), Seed(1), Calendar::default());
        simulation.advance(Instant::START + RUNS).ok()?;
        Some(Stead { simulation, roles })
    }

    /// What the mock answers in the place of a server of this role.
    fn answer(&self, role: Role, path: &str) -> Option<Answered> {
        let member = self.simulation.members().iter().position(|member| member.role() == role)?;
        let request = Request::get(path, self.simulation.now());
        let Outcome::Answer(answer) = answer_in_time(&request, &self.simulation, member) else { return None };
        let typed = |(name, value): &(String, String)| name.eq_ignore_ascii_case("content-type").then(|| value.clone());
        let content_type = answer.headers.iter().find_map(typed);
        let body = match answer.body {
            Body::None => Vec::new(),
            Body::Sized(body) | Body::Chunked(body) => body,
        };
        Some(Answered { status: answer.status, content_type, body })
    }
}

pub(super) fn compare(profile: &'static Profile, servers: &[Server], names: &[String], found: &mut Found) {
    let wanted = |standalone: bool| servers.iter().any(|it| (it.role() == Role::Standalone) == standalone);
    let steads: Vec<Stead> =
        [true, false].into_iter().filter(|it| wanted(*it)).filter_map(|it| Stead::new(profile, it)).collect();
    for (server, name) in servers.iter().zip(names) {
        let Some(stead) = steads.iter().find(|it| it.roles.contains(&server.role())) else {
            found.note_of(
                name,
                format!("{profile} has no {}: what it should show and answer was not compared", server.role().name()),
            );
            continue;
        };
        for (path, answered) in &server.answers {
            let Some(expected) = stead.answer(server.role(), path) else { continue };
            let subject = format!("GET {path}");
            if !found.endpoints.contains(&subject) {
                found.endpoints.push(subject.clone());
            }
            let answered = match answered {
                Ok(answered) => answered,
                Err(why) => {
                    let expected = expected.status.to_string();
                    let told = format!("gives no answer: {why}");
                    found.differs(difference(Kind::Status, subject, (expected, "no answer".into()), told, name));
                    continue;
                }
            };
            one(path, &expected, answered, name, found);
        }
    }
}

fn difference(kind: Kind, subject: String, sides: (String, String), told: String, name: &str) -> Difference {
    let (expected, found) = sides;
    let on = vec![name.to_owned()];
    Difference { area: Area::Endpoint, kind, subject, expected, found, told, on, allowed: false }
}

/// One answer beside that of the mock.
fn one(path: &str, expected: &Answered, answered: &Answered, name: &str, found: &mut Found) {
    let subject = format!("GET {path}");
    let json = answered.json();
    let is_down = json.as_ref().is_some_and(|body| body.get("status").is_some_and(|it| it == "DOWN"));
    if path.starts_with(HEALTH) && is_down {
        found.note_of(name, format!("{path} is DOWN now: its answer was not compared"));
        return;
    }
    if expected.status != answered.status {
        let (was, is) = (expected.status.to_string(), answered.status.to_string());
        let told = format!("answers {is}, in the profile {was}");
        found.differs(difference(Kind::Status, subject, (was, is), told, name));
        return;
    }
    let (was, is) = (expected.mime(), answered.mime());
    if was != is {
        let [was, is] = [was, is].map(|mime| mime.unwrap_or_else(|| "no type".to_owned()));
        let told = format!("answers with {is}, in the profile with {was}");
        found.differs(difference(Kind::Shape, subject, (was, is), told, name));
        return;
    }
    let Some(expected) = expected.json() else { return };
    let Some(json) = json else {
        let sides = ("JSON".to_owned(), "no JSON".to_owned());
        found.differs(difference(Kind::Shape, subject, sides, "its body is no JSON".to_owned(), name));
        return;
    };
    if path == "/routes" {
        routes(&expected, &json, name, found);
        return;
    }
    let open = OPEN.iter().find(|(known, _)| *known == path).map_or(&[][..], |(_, open)| open);
    let told = Shape::of(&expected, open).differences(&Shape::of(&json, open));
    if !told.is_empty() {
        let told = told.join("; ");
        found.differs(difference(Kind::Shape, subject, (String::new(), told.clone()), told, name));
    }
}

/// The endpoints that `/routes` lists, also those that are not asked for: those that write.
fn routes(expected: &Value, seen: &Value, name: &str, found: &mut Found) {
    let (was, is) = (listed(expected, |_| true), listed(seen, |_| true));
    // A webserver lists its whole API: only what is an endpoint of management is more.
    let more = listed(seen, |java| java.to_ascii_lowercase().contains(".endpoint"));
    for route in &was {
        if !found.endpoints.contains(route) {
            found.endpoints.push(route.clone());
        }
        if !is.contains(route) {
            let told = "is not among /routes".to_owned();
            found.differs(difference(Kind::Lacks, route.clone(), (route.clone(), String::new()), told, name));
        }
    }
    for route in more.difference(&was) {
        let told = "is among /routes, and no endpoint of the profile".to_owned();
        found.differs(difference(Kind::More, route.clone(), (String::new(), route.clone()), told, name));
    }
}

/// Method and path of each route, `{[/health],method=[GET],produces=[...]}` in the list; a HEAD follows each GET.
fn listed(routes: &Value, java: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let of = |(key, value): (&String, &Value)| {
        let path = key.strip_prefix("{[")?.split(']').next()?;
        let method = key.split("method=[").nth(1)?.split(']').next()?;
        let fits = method != "HEAD" && java(value.get("method")?.as_str()?);
        fits.then(|| format!("{method} {path}"))
    };
    routes.as_object().into_iter().flatten().filter_map(of).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_version_stands_in_for_every_role_with_a_task_that_runs() {
        for name in Profile::NAMES {
            let profile = Profile::named(name).unwrap();
            let mut seen: BTreeMap<Role, u16> = BTreeMap::new();
            for standalone in [true, false] {
                let stead = Stead::new(profile, standalone).unwrap();
                for role in &stead.roles {
                    seen.insert(*role, stead.answer(*role, "/version").unwrap().status);
                }
                let worker = if standalone { Role::Standalone } else { Role::Worker };
                let body = stead.answer(worker, "/worker").unwrap().json().unwrap();
                let kinds = body["runnings"].as_array().map(|it| it.iter().map(|it| it["type"].clone()));
                let kinds: Vec<Value> = kinds.into_iter().flatten().collect();
                assert!(["task", "trigger"].iter().all(|kind| kinds.iter().any(|it| it == kind)), "{name}: {body}");
            }
            assert_eq!(seen.len(), profile.roles().count(), "{name}");
            assert!(seen.values().all(|status| *status == 200), "{name}: {seen:?}");
        }
    }
}

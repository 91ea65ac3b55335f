//! The one table of routes.

use super::{
    Context, Handled, Listener, application, control, env, fixed, health, kafka, loggers, metrics, scheduler, threads,
    uri, version, worker,
};
use crate::profile::{Quirk, Role};
use crate::scenario::{Plan, Settings};
use crate::simulator::Member;
use version::Version;

type Handler = fn(&Context<'_>) -> Handled;

/// A method on a path; HEAD follows each GET. `{}` as the last part stands for any text without a slash, `{}/{}` for two
/// with one between them.
struct Route {
    listener: Listener,
    method: &'static str,
    path: &'static str,
    /// Which part of Kestra a process must run to have it; none means every process.
    part: Option<Role>,
    handler: Handler,
}

const fn management(method: &'static str, path: &'static str, handler: Handler) -> Route {
    Route { listener: Listener::Management, method, path, part: None, handler }
}
const fn application(path: &'static str, part: Option<Role>, handler: Handler) -> Route {
    Route { listener: Listener::Application, method: "GET", path, part, handler }
}
impl Route {
    /// The name of the endpoint in the configuration; none for other routes.
    fn id(&self) -> &'static str {
        let name = self.path.trim_start_matches('/');
        let name = name.split('/').next().unwrap_or(name);
        if self.listener == Listener::Management { name } else { "" }
    }
    const fn of(mut self, part: Role) -> Route {
        self.part = Some(part);
        self
    }
}

/// Recorded from 1.3.19, all roles; what other versions have not is said there.
static ROUTES: &[Route] = &[
    management("GET", "/prometheus", metrics::prometheus),
    management("GET", "/health", health::all),
    management("GET", "/health/{}", health::selected),
    management("GET", "/metrics", metrics::names),
    management("GET", "/metrics/{}", metrics::one),
    management("GET", "/info", fixed::info),
    management("GET", "/version", version::get),
    management("GET", "/loggers", loggers::all),
    management("GET", "/loggers/{}", loggers::get),
    management("POST", "/loggers/{}", loggers::post),
    management("GET", "/env", env::all),
    management("GET", "/env/{}", env::one),
    management("GET", "/beans", fixed::beans),
    management("GET", "/flyway", fixed::flyway),
    management("GET", "/routes", fixed::routes),
    management("GET", "/threaddump", threads::get),
    management("GET", "/worker", worker::get).of(Role::Worker),
    management("GET", "/scheduler", scheduler::get).of(Role::Scheduler),
    management("GET", "/kafkastreams", kafka::all).of(Role::Executor),
    management("GET", "/kafkastreams", kafka::all).of(Role::Scheduler),
    management("GET", "/kafkastreams/{}/{}", kafka::one).of(Role::Executor),
    management("GET", "/kafkastreams/{}/{}", kafka::one).of(Role::Scheduler),
    management("POST", "/refresh", control::refresh),
    management("POST", "/stop", control::stop),
    application("/ping", None, application::ping),
    application("/", Some(Role::Webserver), application::root),
    application("/api/v1/configs", Some(Role::Webserver), application::configs),
];

/// What the table has for a request.
pub(super) enum Found {
    /// This endpoint, the decoded text of `{}`, and the name by which it is configured.
    Handler(Handler, String, &'static str),
    /// The path with other methods, separated by commas.
    WrongMethod(String),
    /// No such path.
    Nothing,
}

/// What decides which routes there are.
#[derive(Clone, Copy)]
pub(super) struct Process<'a> {
    pub version: &'static Version,
    pub settings: &'a Settings,
    pub role: Role,
    /// Endpoints can be closed by `sensitive`.
    pub sensitive: bool,
    /// It has the queues of Kafka.
    pub kafka: bool,
}

impl<'a> Process<'a> {
    /// That of a member, configured like this.
    pub fn of(member: &Member, plan: &Plan, settings: &'a Settings) -> Process<'a> {
        let profile = member.profile();
        Process {
            version: Version::of(profile.recorded()),
            settings,
            role: member.role(),
            sensitive: !profile.has(Quirk::IgnoresSensitive),
            kafka: plan.cluster.kafka,
        }
    }
}

/// Looks a request up. Paths are case-sensitive and compared before decoding; one slash at the end is tolerated.
pub(super) fn find(process: Process<'_>, listener: Listener, method: &str, path: &str) -> Found {
    let Process { version, settings, role, kafka, .. } = process;
    let path = match (listener, settings.path.as_str()) {
        (Listener::Application, _) | (_, "") => path,
        // All endpoints lie below the configured path.
        (_, prefix) => path.strip_prefix('/').and_then(|path| path.strip_prefix(prefix)).unwrap_or("\0"),
    };
    let here: Vec<(&Route, &str)> = ROUTES
        .iter()
        .filter(|route| !version.lacks.contains(&route.path) && (kafka || route.id() != "kafkastreams"))
        .filter(|route| route.id().is_empty() || settings.enabled(route.id()))
        .filter(|route| route.listener == listener && route.part.is_none_or(|part| role.runs(part)))
        .filter_map(|route| Some((route, matches(route.path, path)?)))
        .collect();
    let wanted = if method == "HEAD" { "GET" } else { method };
    if let Some((route, variable)) = here.iter().find(|(route, _)| route.method == wanted) {
        return Found::Handler(route.handler, uri::decode(variable), route.id());
    }
    // In the order of the Java set that the recorded server prints.
    let methods = [("HEAD", "GET"), ("POST", "POST"), ("GET", "GET")];
    let allowed: Vec<&str> = methods
        .into_iter()
        .filter(|(_, of)| here.iter().any(|(route, _)| route.method == *of))
        .map(|(method, _)| method)
        .collect();
    if allowed.is_empty() { Found::Nothing } else { Found::WrongMethod(allowed.join(", ")) }
}

/// The text of `{}` (empty without one) when the path fits.
fn matches<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
    let Some((prefix, _)) = pattern.split_once('{') else {
        return (path == pattern).then_some("");
    };
    // Most paths end here.
    let text = path.strip_prefix(prefix)?;
    let parts = pattern.matches("{}").count();
    let fits = text.split('/').count() == parts && text.split('/').all(|part| !part.is_empty());
    fits.then_some(text)
}

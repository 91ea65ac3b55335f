//! Finding the endpoint of a request in the table of the version, and what makes its answer.

use super::{
    Context, Handled, Listener, control, env, fixed, health, kafka, loggers, metrics, scheduler, threads, uri, version,
    worker,
};
use crate::management::reply::Reply;
use crate::profile::{Endpoint, Handler, Method, Port, Profile, Quirk, Role, Says};
use crate::scenario::{Plan, Settings};
use crate::simulator::Member;

/// What an endpoint replies.
pub(super) fn reply(endpoint: &'static Endpoint, context: &Context<'_>) -> Handled {
    let handler = match &endpoint.says {
        Says::Fixed(fixed) => return Ok(Reply::fixed(fixed)),
        Says::Handler(handler) => match handler {
            Handler::Prometheus => metrics::prometheus,
            Handler::Health => health::all,
            Handler::HealthSelected => health::selected,
            Handler::MetricNames => metrics::names,
            Handler::Metric => metrics::one,
            Handler::Version => version::get,
            Handler::Loggers => loggers::all,
            Handler::Logger => loggers::get,
            Handler::SetLogger => loggers::post,
            Handler::Env => env::all,
            Handler::EnvSource => env::one,
            Handler::BeansDuplicate => fixed::beans_duplicate,
            Handler::Flyway => fixed::flyway,
            Handler::Routes => fixed::routes,
            Handler::Threads => threads::get,
            Handler::Worker => worker::get,
            Handler::Scheduler => scheduler::get,
            Handler::KafkaStreams => kafka::all,
            Handler::KafkaStream => kafka::one,
            Handler::Refresh => control::refresh,
            Handler::Stop => control::stop,
        },
    };
    handler(context)
}

/// What the table has for a request.
pub(super) enum Found {
    /// This endpoint, and the decoded text of its variables.
    Endpoint(&'static Endpoint, String),
    /// The path with other methods, separated by commas.
    WrongMethod(String),
    /// No such path.
    Nothing,
}

/// What decides which endpoints there are.
#[derive(Clone, Copy)]
pub(super) struct Process<'a> {
    pub profile: &'static Profile,
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
            profile,
            settings,
            role: member.role(),
            sensitive: !profile.has(Quirk::IgnoresSensitive),
            kafka: plan.cluster.kafka,
        }
    }

    /// Whether it has an endpoint of its version.
    pub fn has(self, endpoint: &Endpoint) -> bool {
        let Process { settings, role, kafka, .. } = self;
        (kafka || !endpoint.kafka)
            && endpoint.id().is_none_or(|id| settings.enabled(id))
            && (endpoint.roles.is_empty() || endpoint.roles.iter().any(|part| role.runs(*part)))
    }
}

/// Looks a request up. Paths are case-sensitive and compared before decoding; one slash at the end is tolerated.
pub(super) fn find(process: Process<'_>, listener: Listener, method: &str, path: &str) -> Found {
    let (port, prefix) = match listener {
        Listener::Application => (Port::Application, ""),
        Listener::Management => (Port::Management, process.settings.path.as_str()),
    };
    // All endpoints lie below the configured path.
    let path = match prefix {
        "" => path,
        prefix => path.strip_prefix('/').and_then(|path| path.strip_prefix(prefix)).unwrap_or("\0"),
    };
    let endpoints = process.profile.endpoints().iter().filter(|endpoint| endpoint.port == port);
    let here: Vec<(&'static Endpoint, &str)> = endpoints
        .filter_map(|endpoint| Some((endpoint, endpoint.matches(path)?)))
        .filter(|(endpoint, _)| process.has(endpoint))
        .collect();
    let wanted = if method == "HEAD" { "GET" } else { method };
    let fits = here.iter().filter(|(endpoint, _)| endpoint.method.name() == wanted);
    // A path that is written out goes before one with variables.
    if let Some((endpoint, variable)) = fits.min_by_key(|(_, variable)| !variable.is_empty()) {
        return Found::Endpoint(endpoint, uri::decode(variable));
    }
    // In the order of the Java set that the recorded server prints.
    let methods = [("HEAD", Method::Get), ("POST", Method::Post), ("GET", Method::Get)];
    let allowed: Vec<&str> = methods
        .into_iter()
        .filter(|(_, of)| here.iter().any(|(endpoint, _)| endpoint.method == *of))
        .map(|(method, _)| method)
        .collect();
    if allowed.is_empty() { Found::Nothing } else { Found::WrongMethod(allowed.join(", ")) }
}

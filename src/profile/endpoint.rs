//! The endpoints of a version: one row each, what answers is named or written there.

use std::borrow::Cow;

use super::Role;
use super::words::words;

/// A method on a path; HEAD follows each GET.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `{name}` as its last parts stands for any text without a slash.
    pub path: String,
    /// Its method.
    pub method: Method,
    /// On which port it is.
    pub port: Port,
    /// The parts of Kestra of which a process must run one; none means every process.
    pub roles: Vec<Role>,
    /// Only with the queues of Kafka.
    pub kafka: bool,
    /// What comes back.
    pub says: Says,
    /// The Java method, as `/routes` lists it; without one it is not listed.
    pub java: Option<String>,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// What the simulation makes.
    Handler(Handler),
    /// Always the same.
    Fixed(Fixed),
}

/// An answer that is written in the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// Status code.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// Further headers, in front of the date.
    pub headers: Vec<(String, String)>,
    /// The type of the body, when there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Cow<'static, str>,
    /// The file of the folder that the body is.
    pub file: Option<String>,
}

words! {
    /// Methods of endpoints.
    Method {
        /// Reads.
        Get = "GET",
        /// Writes.
        Post = "POST",
    }

    /// The ports of a process.
    Port {
        /// 8081.
        Management = "management",
        /// 8080.
        Application = "application",
    }

    /// What the simulation makes an answer of: a closed set, each written once, in `management`.
    Handler {
        /// The metrics in Prometheus' text format.
        Prometheus = "prometheus",
        /// All indicators of health.
        Health = "health",
        /// Those of liveness or readiness.
        HealthSelected = "health-selected",
        /// The names of all meters.
        MetricNames = "metric-names",
        /// One meter.
        Metric = "metric",
        /// Version, commit and role.
        Version = "version",
        /// All loggers.
        Loggers = "loggers",
        /// One logger.
        Logger = "logger",
        /// Sets the level of one.
        SetLogger = "set-logger",
        /// All sources of properties.
        Env = "env",
        /// One source of properties.
        EnvSource = "env-source",
        /// The beans, which fail at a duplicate key.
        BeansDuplicate = "beans-duplicate",
        /// The migrations, which fail while they are written.
        Flyway = "flyway",
        /// The endpoints themselves.
        Routes = "routes",
        /// The threads.
        Threads = "threaddump",
        /// What runs in the worker.
        Worker = "worker",
        /// The triggers of the scheduler.
        Scheduler = "scheduler",
        /// All Kafka streams.
        KafkaStreams = "kafka-streams",
        /// One Kafka stream.
        KafkaStream = "kafka-stream",
        /// Reads the configuration again.
        Refresh = "refresh",
        /// Ends the process.
        Stop = "stop",
    }
}

impl Method {
    /// As requests write it.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

impl Endpoint {
    /// The name by which it is configured (`endpoints.ID.enabled`); none on the application port.
    pub fn id(&self) -> Option<&str> {
        let first = self.path.trim_start_matches('/').split('/').next();
        first.filter(|_| self.port == Port::Management)
    }

    /// The text of its variables (empty without one) when the path fits. Paths are case-sensitive and compared before
    /// decoding; one slash at the end is tolerated.
    pub fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
        let Some((prefix, _)) = self.path.split_once('{') else {
            return (path == self.path).then_some("");
        };
        // Most paths end here.
        let text = path.strip_prefix(prefix)?;
        let parts = self.path.matches('{').count();
        let fits = text.split('/').count() == parts && text.split('/').all(|part| !part.is_empty());
        fits.then_some(text)
    }

    /// Whether `without: { endpoints: [...] }` means it by this word: its path, or method and path.
    pub(super) fn is_called(&self, word: &str) -> bool {
        match word.split_once(' ') {
            Some((method, path)) => method == self.method.name() && path == self.path,
            None => word == self.path,
        }
    }
}

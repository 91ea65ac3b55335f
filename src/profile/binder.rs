//! Micronaut's binders: groups of meters that a setting switches off, by the names of Micronaut's and Kestra's own source.

/// A group of meters with a switch, `micronaut.metrics.binders.NAME.enabled`.
#[derive(Debug, PartialEq, Eq)]
pub struct Binder {
    /// Its name in the setting.
    pub name: &'static str,
    /// Its meters: a dotted name, and all that go on from it behind a dot.
    meters: &'static [&'static str],
    /// Only series with one of these values of a tag; others of the same meters are Kestra's own.
    only: Option<(&'static str, &'static [&'static str])>,
}

const fn all(name: &'static str, meters: &'static [&'static str]) -> Binder {
    Binder { name, meters, only: None }
}

/// The binders whose meters are known. Of `cache` it is not: Kestra's caches register theirs by themselves.
const BINDERS: &[Binder] = &[
    all("jvm", &["jvm"]),
    all("uptime", &["process.uptime", "process.start.time"]),
    all("processor", &["system.cpu", "system.load", "process.cpu"]),
    all("files", &["process.files"]),
    all("logback", &["logback.events"]),
    all("web", &["http.server.requests", "http.client.requests"]),
    all("jdbc", &["hikaricp"]),
    all("netty.queues", &["netty.queue"]),
    all("netty.bytebuf-allocators", &["netty.alloc"]),
    all("netty.channels", &["netty.channel"]),
    // Kestra wraps its own pools, whatever is set.
    Binder { name: "executor", meters: &["executor"], only: Some(("name", &["io", "scheduled"])) },
];

impl Binder {
    /// The binder of a name.
    pub fn named(name: &str) -> Option<&'static Binder> {
        BINDERS.iter().find(|binder| binder.name == name)
    }

    /// Whether a meter is one of its meters.
    pub fn has(&self, meter: &str) -> bool {
        let below =
            |prefix: &&str| meter.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.meters.iter().any(below)
    }

    /// Whether all series of a meter are its own.
    pub fn has_all_of(&self, meter: &str) -> bool {
        self.has(meter) && self.only.is_none()
    }

    /// Whether it registers a series of a meter with these tags.
    pub fn registers(&self, meter: &str, tags: &[(&str, &str)]) -> bool {
        let chosen =
            |(key, values): (&str, &[&str])| tags.iter().any(|(tag, value)| *tag == key && values.contains(value));
        self.has(meter) && self.only.is_none_or(chosen)
    }
}

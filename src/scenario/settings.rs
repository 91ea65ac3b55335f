//! `configuration`: what an operator would set on a real Kestra, with Kestra's own keys, as far as monitoring sees it.

use std::collections::BTreeMap;

/// The configuration of a cluster, where it differs from what ships.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `endpoints.all.enabled`.
    pub all_enabled: Option<bool>,
    /// `endpoints.all.sensitive`.
    pub all_sensitive: Option<bool>,
    /// `endpoints.all.path`: what all paths begin with, `/` at both ends left out.
    pub path: String,
    /// `endpoints.all.port`.
    pub port: Option<u16>,
    /// `endpoints.all.basic-auth`.
    pub credentials: Credentials,
    /// `endpoints.ID.enabled` and `endpoints.ID.sensitive`.
    pub endpoints: BTreeMap<String, EndpointSettings>,
    /// `endpoints.loggers.write-sensitive`.
    pub write_sensitive: bool,
    /// `endpoints.health`.
    pub health: HealthSettings,
    /// `kestra.url`: where links of notifications lead.
    pub kestra_url: Option<String>,
    /// `kestra.environment.name`.
    pub kestra_environment: Option<String>,
    /// `kestra.variables.globals`, by their dotted keys.
    pub globals: BTreeMap<String, String>,
    /// `kestra.server.basic-auth`.
    pub server: ServerCredentials,
    /// `micronaut.metrics.enabled`.
    pub metrics_enabled: Option<bool>,
    /// `micronaut.metrics.tags`: labels of every series.
    pub metrics_tags: Vec<(String, String)>,
    /// `micronaut.metrics.export.prometheus.descriptions`.
    pub metrics_descriptions: Option<bool>,
    /// `micronaut.metrics.binders.NAME.enabled`.
    pub metrics_binders: BTreeMap<String, bool>,
    /// `kestra.metrics.prefix`.
    pub metrics_prefix: Option<String>,
    /// `kestra.metrics.labels`: labels of flows that become labels of series.
    pub metrics_labels: Vec<String>,
}

/// Of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointSettings {
    /// Whether it is there.
    pub enabled: Option<bool>,
    /// Whether it wants a user that nobody is.
    pub sensitive: Option<bool>,
}

/// User and password; both must be set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
}

/// `kestra.server.basic-auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerCredentials {
    /// `enabled`; what ships differs from version to version.
    pub enabled: Option<bool>,
    /// The user and the password.
    pub credentials: Credentials,
}

/// `endpoints.health`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthSettings {
    /// `details-visible: NEVER` or `AUTHENTICATED`: nobody is authenticated there.
    pub bare: bool,
    /// `status.http-mapping`: by status, for example DOWN.
    pub mapping: BTreeMap<String, u16>,
    /// `jdbc.enabled`.
    pub jdbc: Option<bool>,
    /// `disk-space.enabled`.
    pub disk: Option<bool>,
    /// `disk-space.threshold`, in bytes.
    pub disk_threshold: Option<u64>,
    /// `discovery-client.enabled`.
    pub discovery: Option<bool>,
}

impl Credentials {
    /// User and password, when both are set.
    pub fn both(&self) -> Option<(&str, &str)> {
        Some((self.username.as_deref()?, self.password.as_deref()?))
    }
}

impl Settings {
    /// The path of an endpoint, below the configured one: `/health`, or `/manage/health`.
    pub fn at(&self, path: &str) -> String {
        if self.path.is_empty() { path.to_owned() } else { format!("/{}{path}", self.path) }
    }
    /// Whether an endpoint is there. `/env` has a switch of its own in what ships, which `all` does not touch (recorded).
    pub fn enabled(&self, endpoint: &str) -> bool {
        let own = self.endpoints.get(endpoint).and_then(|it| it.enabled);
        let metrics = !matches!(endpoint, "metrics" | "prometheus") || self.metrics_enabled.unwrap_or(true);
        metrics && own.or(if endpoint == "env" { None } else { self.all_enabled }).unwrap_or(true)
    }
    /// The binders that are switched off.
    pub fn binders_off(&self) -> impl Iterator<Item = &str> {
        self.metrics_binders.iter().filter(|(_, enabled)| !**enabled).map(|(name, _)| name.as_str())
    }
    /// Switches an endpoint off.
    pub fn disable(&mut self, endpoint: &str) {
        self.endpoints.entry(endpoint.to_owned()).or_default().enabled = Some(false);
    }
    /// Whether an endpoint wants a user.
    pub fn sensitive(&self, endpoint: &str) -> bool {
        self.endpoints.get(endpoint).and_then(|it| it.sensitive).or(self.all_sensitive).unwrap_or(false)
    }
}

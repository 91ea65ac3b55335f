//! Every option of a configuration of Prometheus 3.5 (its documentation, and which keys promtool 3.5.3 knows): what may stand
//! there, and what becomes of it here. What is not in these tables is no option.

use super::checks;
use crate::document::{Node, Reading};

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionStanding {
    /// It does here what it does there.
    Simulated,
    /// It would decide what is scraped or what rules see, and nothing here does it: a configuration that uses it is refused.
    Refused,
    /// It decides neither what is scraped nor what rules see.
    NoInfluence,
}

/// What may stand at an option.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    Text,
    /// `true`, `yes`, `on`, ... without quotes, as YAML 1.1 has it.
    Flag,
    /// A whole number that is not negative.
    Count,
    /// A whole number.
    Whole,
    Number,
    Duration,
    /// Bytes with a unit.
    Size,
    Choice(&'static [&'static str]),
    List(&'static Takes),
    Map(&'static Takes),
    Section(&'static Section),
    /// A list of sections.
    Sections(&'static Section),
    /// A mapping from any name to a section.
    Named(&'static Section),
    /// Not looked at: where it stands is refused, or what it configures is not here.
    Unread,
}

/// One option.
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) takes: Takes,
    pub(super) standing: OptionStanding,
    /// Why it is refused.
    pub(super) why: &'static str,
    /// Refused, except with these values.
    pub(super) unless: &'static [&'static str],
}

/// Options that stand together.
pub(super) struct Section {
    /// What it is called in messages.
    pub(super) name: &'static str,
    pub(super) rows: &'static [&'static [Row]],
    /// What must hold beyond the single options.
    pub(super) check: fn(&Node, &mut Reading),
}

const fn simulated(key: &'static str, takes: Takes) -> Row {
    Row { key, takes, standing: OptionStanding::Simulated, why: "", unless: &[] }
}

const fn idle(key: &'static str, takes: Takes) -> Row {
    Row { key, takes, standing: OptionStanding::NoInfluence, why: "", unless: &[] }
}

const fn refused(key: &'static str, takes: Takes, why: &'static str) -> Row {
    Row { key, takes, standing: OptionStanding::Refused, why, unless: &[] }
}

const fn refused_unless(key: &'static str, takes: Takes, why: &'static str, unless: &'static [&'static str]) -> Row {
    Row { key, takes, standing: OptionStanding::Refused, why, unless }
}

fn nothing(_: &Node, _: &mut Reading) {}

use Takes::{Choice, Count, Duration, Flag, List, Map, Number, Size, Text, Unread, Whole};

const TEXTS: Takes = List(&Text);
const OFF: &[&str] = &["false", "no", "off", "n"];
const NONE: &[&str] = &["0", "0s"];

/// The file.
pub(super) static FILE: Section = Section {
    name: "a configuration of Prometheus",
    rows: &[&[
        simulated("global", Takes::Section(&GLOBAL)),
        idle("runtime", Takes::Section(&RUNTIME)),
        simulated("rule_files", TEXTS),
        simulated("scrape_config_files", TEXTS),
        simulated("scrape_configs", Takes::Sections(&SCRAPE)),
        simulated("alerting", Takes::Section(&ALERTING)),
        idle("remote_write", Takes::Sections(&REMOTE_WRITE)),
        refused(
            "remote_read",
            Takes::Sections(&REMOTE_READ),
            "rules would see what another store has, which is not here",
        ),
        idle("otlp", Takes::Section(&OTLP)),
        idle("storage", Takes::Section(&STORAGE)),
        idle("tracing", Takes::Section(&TRACING)),
    ]],
    check: checks::file,
};

/// A file of `scrape_config_files`.
pub(super) static MORE: Section = Section {
    name: "a file of scrape configurations",
    rows: &[&[simulated("scrape_configs", Takes::Sections(&SCRAPE))]],
    check: nothing,
};

const HISTOGRAMS: &str =
    "classic histograms would become native ones, and rules on `_bucket`, `_count` and `_sum` see nothing";

static GLOBAL: Section = Section {
    name: "`global`",
    rows: &[
        LIMITS,
        &[
            simulated("scrape_interval", Duration),
            simulated("scrape_timeout", Duration),
            simulated("evaluation_interval", Duration),
            refused_unless("rule_query_offset", Duration, "rules are evaluated without an offset here", NONE),
            simulated("external_labels", Map(&Text)),
            simulated("scrape_protocols", TEXTS),
            idle("query_log_file", Text),
            idle("scrape_failure_log_file", Text),
            idle("keep_dropped_targets", Count),
            idle("metric_name_validation_scheme", Text),
            idle("metric_name_escaping_scheme", Text),
            idle("always_scrape_classic_histograms", Flag),
            refused_unless("convert_classic_histograms_to_nhcb", Flag, HISTOGRAMS, OFF),
        ],
    ],
    check: checks::global,
};

/// Limits stand in `global` and in a job.
const LIMITS: &[Row] = &[
    simulated("body_size_limit", Size),
    simulated("sample_limit", Count),
    simulated("label_limit", Count),
    simulated("label_name_length_limit", Count),
    simulated("label_value_length_limit", Count),
    simulated("target_limit", Count),
];

/// A job.
pub(super) static SCRAPE: Section = Section {
    name: "a job",
    rows: &[
        &[
            simulated("job_name", Text),
            simulated("scrape_interval", Duration),
            simulated("scrape_timeout", Duration),
            simulated("scrape_protocols", TEXTS),
            simulated("fallback_scrape_protocol", Text),
            simulated("metrics_path", Text),
            simulated("scheme", Text),
            simulated("params", Map(&TEXTS)),
            simulated("honor_labels", Flag),
            // Kestra's exposition has no timestamps and no native histograms.
            idle("honor_timestamps", Flag),
            idle("track_timestamps_staleness", Flag),
            idle("always_scrape_classic_histograms", Flag),
            idle("native_histogram_bucket_limit", Count),
            idle("native_histogram_min_bucket_factor", Number),
            refused_unless("convert_classic_histograms_to_nhcb", Flag, HISTOGRAMS, OFF),
            // The body is the same, compressed or not: `body_size_limit` is of what it unpacks to.
            idle("enable_compression", Flag),
            idle("scrape_failure_log_file", Text),
            idle("keep_dropped_targets", Count),
            // Names of Kestra are what both schemes allow.
            idle("metric_name_validation_scheme", Text),
            idle("metric_name_escaping_scheme", Text),
            simulated("relabel_configs", Takes::Sections(&RELABEL)),
            simulated("metric_relabel_configs", Takes::Sections(&RELABEL)),
        ],
        LIMITS,
        CLIENT,
        DISCOVERIES,
    ],
    check: checks::job,
};

const PROXY: &str = "what a proxy answers is not known here";

/// How requests are made.
const CLIENT: &[Row] = &[
    simulated("basic_auth", Takes::Section(&BASIC_AUTH)),
    simulated("authorization", Takes::Section(&AUTHORIZATION)),
    simulated("bearer_token", Text),
    simulated("bearer_token_file", Text),
    refused("oauth2", Takes::Section(&OAUTH2), "no server gives out tokens here"),
    // Nothing of Kestra's ports speaks TLS: with `scheme: https` a scrape fails before a certificate is looked at.
    idle("tls_config", Takes::Section(&TLS)),
    // Kestra redirects none of the paths of its ports, and speaks HTTP/1.
    idle("follow_redirects", Flag),
    idle("enable_http2", Flag),
    refused("proxy_url", Text, PROXY),
    refused("no_proxy", Text, PROXY),
    refused_unless("proxy_from_environment", Flag, PROXY, OFF),
    refused("proxy_connect_header", Map(&TEXTS), PROXY),
    simulated("http_headers", Takes::Named(&HEADER)),
];

/// The same in what is not simulated: only that it is sound is looked at.
const OTHER_CLIENT: &[Row] = &[
    idle("basic_auth", Takes::Section(&BASIC_AUTH)),
    idle("authorization", Takes::Section(&AUTHORIZATION)),
    idle("bearer_token", Text),
    idle("bearer_token_file", Text),
    idle("oauth2", Takes::Section(&OAUTH2)),
    idle("tls_config", Takes::Section(&TLS)),
    idle("follow_redirects", Flag),
    idle("enable_http2", Flag),
    idle("proxy_url", Text),
    idle("no_proxy", Text),
    idle("proxy_from_environment", Flag),
    idle("proxy_connect_header", Map(&TEXTS)),
    idle("http_headers", Takes::Named(&HEADER)),
];

static BASIC_AUTH: Section = Section {
    name: "`basic_auth`",
    rows: &[&[
        simulated("username", Text),
        simulated("username_file", Text),
        refused("username_ref", Text, SECRETS),
        simulated("password", Text),
        simulated("password_file", Text),
        refused("password_ref", Text, SECRETS),
    ]],
    check: checks::basic_auth,
};

const SECRETS: &str = "no manager of secrets is here";

static AUTHORIZATION: Section = Section {
    name: "`authorization`",
    rows: &[&[
        simulated("type", Text),
        simulated("credentials", Text),
        simulated("credentials_file", Text),
        refused("credentials_ref", Text, SECRETS),
    ]],
    check: checks::authorization,
};

static OAUTH2: Section = Section {
    name: "`oauth2`",
    rows: &[&[
        idle("client_id", Text),
        idle("client_secret", Text),
        idle("client_secret_file", Text),
        idle("client_secret_ref", Text),
        idle("scopes", TEXTS),
        idle("token_url", Text),
        idle("endpoint_params", Map(&Text)),
        idle("tls_config", Takes::Section(&TLS)),
        idle("proxy_url", Text),
        idle("no_proxy", Text),
        idle("proxy_from_environment", Flag),
        idle("proxy_connect_header", Map(&TEXTS)),
    ]],
    check: checks::oauth2,
};

static TLS: Section = Section {
    name: "`tls_config`",
    rows: &[&[
        idle("ca", Text),
        idle("ca_file", Text),
        idle("ca_ref", Text),
        idle("cert", Text),
        idle("cert_file", Text),
        idle("cert_ref", Text),
        idle("key", Text),
        idle("key_file", Text),
        idle("key_ref", Text),
        idle("server_name", Text),
        idle("insecure_skip_verify", Flag),
        idle("min_version", Choice(&["TLS10", "TLS11", "TLS12", "TLS13"])),
        idle("max_version", Choice(&["TLS10", "TLS11", "TLS12", "TLS13"])),
    ]],
    check: checks::tls,
};

static HEADER: Section = Section {
    name: "a header",
    rows: &[&[simulated("values", TEXTS), simulated("secrets", TEXTS), simulated("files", TEXTS)]],
    check: nothing,
};

/// A rule of relabelling.
pub(super) static RELABEL: Section = Section {
    name: "a rule of relabelling",
    rows: &[&[
        simulated("source_labels", TEXTS),
        simulated("separator", Text),
        simulated("target_label", Text),
        simulated("regex", Text),
        simulated("modulus", Count),
        simulated("replacement", Text),
        simulated("action", Text),
    ]],
    check: checks::relabel,
};

const ELSEWHERE: &str = "what it finds is not known here; name targets with `static_configs`, or take the job out";

/// How targets are found. All of 3.5 are here, also those that Debian's build leaves out.
const DISCOVERIES: &[Row] = &[
    simulated("static_configs", Takes::Sections(&STATIC)),
    simulated("file_sd_configs", Takes::Sections(&FILES)),
    simulated("http_sd_configs", Takes::Sections(&HTTP)),
    simulated("dns_sd_configs", Takes::Sections(&DNS)),
    simulated("kubernetes_sd_configs", Takes::Sections(&KUBERNETES)),
    refused("azure_sd_configs", Unread, ELSEWHERE),
    refused("consul_sd_configs", Unread, ELSEWHERE),
    refused("digitalocean_sd_configs", Unread, ELSEWHERE),
    refused("docker_sd_configs", Unread, ELSEWHERE),
    refused("dockerswarm_sd_configs", Unread, ELSEWHERE),
    refused("ec2_sd_configs", Unread, ELSEWHERE),
    refused("eureka_sd_configs", Unread, ELSEWHERE),
    refused("gce_sd_configs", Unread, ELSEWHERE),
    refused("hetzner_sd_configs", Unread, ELSEWHERE),
    refused("ionos_sd_configs", Unread, ELSEWHERE),
    refused("kuma_sd_configs", Unread, ELSEWHERE),
    refused("lightsail_sd_configs", Unread, ELSEWHERE),
    refused("linode_sd_configs", Unread, ELSEWHERE),
    refused("marathon_sd_configs", Unread, ELSEWHERE),
    refused("nerve_sd_configs", Unread, ELSEWHERE),
    refused("nomad_sd_configs", Unread, ELSEWHERE),
    refused("openstack_sd_configs", Unread, ELSEWHERE),
    refused("ovhcloud_sd_configs", Unread, ELSEWHERE),
    refused("puppetdb_sd_configs", Unread, ELSEWHERE),
    refused("scaleway_sd_configs", Unread, ELSEWHERE),
    refused("serverset_sd_configs", Unread, ELSEWHERE),
    refused("stackit_sd_configs", Unread, ELSEWHERE),
    refused("triton_sd_configs", Unread, ELSEWHERE),
    refused("uyuni_sd_configs", Unread, ELSEWHERE),
    refused("vultr_sd_configs", Unread, ELSEWHERE),
];

static STATIC: Section = Section {
    name: "an entry of `static_configs`",
    rows: &[&[simulated("targets", TEXTS), simulated("labels", Map(&Text))]],
    check: nothing,
};

static FILES: Section = Section {
    name: "an entry of `file_sd_configs`",
    rows: &[&[simulated("files", TEXTS), idle("refresh_interval", Duration)]],
    check: checks::files,
};

static HTTP: Section = Section {
    name: "an entry of `http_sd_configs`",
    rows: &[&[simulated("url", Text), idle("refresh_interval", Duration)], OTHER_CLIENT],
    check: checks::http,
};

static DNS: Section = Section {
    name: "an entry of `dns_sd_configs`",
    rows: &[&[
        simulated("names", TEXTS),
        simulated("type", Text),
        simulated("port", Whole),
        idle("refresh_interval", Duration),
    ]],
    check: checks::dns,
};

static KUBERNETES: Section = Section {
    name: "an entry of `kubernetes_sd_configs`",
    rows: &[
        &[
            idle("api_server", Text),
            simulated("role", Text),
            idle("kubeconfig_file", Text),
            simulated("namespaces", Takes::Section(&NAMESPACES)),
            simulated("selectors", Takes::Sections(&SELECTOR)),
            simulated("attach_metadata", Takes::Section(&ATTACH)),
        ],
        OTHER_CLIENT,
    ],
    check: checks::kubernetes,
};

static NAMESPACES: Section = Section {
    name: "`namespaces`",
    rows: &[&[simulated("own_namespace", Flag), simulated("names", TEXTS)]],
    check: nothing,
};

static SELECTOR: Section = Section {
    name: "a selector",
    rows: &[&[simulated("role", Text), simulated("label", Text), simulated("field", Text)]],
    check: nothing,
};

static ATTACH: Section = Section { name: "`attach_metadata`", rows: &[&[simulated("node", Flag)]], check: nothing };

static RUNTIME: Section = Section { name: "`runtime`", rows: &[&[idle("gogc", Whole)]], check: nothing };

static ALERTING: Section = Section {
    name: "`alerting`",
    rows: &[&[
        simulated("alert_relabel_configs", Takes::Sections(&RELABEL)),
        idle("alertmanagers", Takes::Sections(&ALERTMANAGER)),
    ]],
    check: nothing,
};

static ALERTMANAGER: Section = Section {
    name: "an Alertmanager",
    rows: &[
        &[
            idle("timeout", Duration),
            idle("api_version", Choice(&["v2"])),
            idle("path_prefix", Text),
            idle("scheme", Text),
            idle("relabel_configs", Takes::Sections(&RELABEL)),
            simulated("alert_relabel_configs", Takes::Sections(&RELABEL)),
            idle("sigv4", Unread),
        ],
        OTHER_CLIENT,
        OTHER_DISCOVERIES,
    ],
    check: checks::alertmanager,
};

/// The same where nothing is scraped.
const OTHER_DISCOVERIES: &[Row] = &[
    idle("static_configs", Takes::Sections(&STATIC)),
    idle("file_sd_configs", Takes::Sections(&FILES)),
    idle("http_sd_configs", Takes::Sections(&HTTP)),
    idle("dns_sd_configs", Takes::Sections(&DNS)),
    idle("kubernetes_sd_configs", Takes::Sections(&KUBERNETES)),
    idle("azure_sd_configs", Unread),
    idle("consul_sd_configs", Unread),
    idle("digitalocean_sd_configs", Unread),
    idle("docker_sd_configs", Unread),
    idle("dockerswarm_sd_configs", Unread),
    idle("ec2_sd_configs", Unread),
    idle("eureka_sd_configs", Unread),
    idle("gce_sd_configs", Unread),
    idle("hetzner_sd_configs", Unread),
    idle("ionos_sd_configs", Unread),
    idle("kuma_sd_configs", Unread),
    idle("lightsail_sd_configs", Unread),
    idle("linode_sd_configs", Unread),
    idle("marathon_sd_configs", Unread),
    idle("nerve_sd_configs", Unread),
    idle("nomad_sd_configs", Unread),
    idle("openstack_sd_configs", Unread),
    idle("ovhcloud_sd_configs", Unread),
    idle("puppetdb_sd_configs", Unread),
    idle("scaleway_sd_configs", Unread),
    idle("serverset_sd_configs", Unread),
    idle("stackit_sd_configs", Unread),
    idle("triton_sd_configs", Unread),
    idle("uyuni_sd_configs", Unread),
    idle("vultr_sd_configs", Unread),
];

static REMOTE_WRITE: Section = Section {
    name: "an entry of `remote_write`",
    rows: &[
        &[
            idle("url", Text),
            idle("protobuf_message", Choice(&["prometheus.WriteRequest", "io.prometheus.write.v2.Request"])),
            idle("remote_timeout", Duration),
            idle("headers", Map(&Text)),
            idle("write_relabel_configs", Takes::Sections(&RELABEL)),
            idle("name", Text),
            idle("send_exemplars", Flag),
            idle("send_native_histograms", Flag),
            idle("round_robin_dns", Flag),
            idle("sigv4", Unread),
            idle("azuread", Unread),
            idle("google_iam", Unread),
            idle("queue_config", Takes::Section(&QUEUE)),
            idle("metadata_config", Takes::Section(&METADATA)),
        ],
        OTHER_CLIENT,
    ],
    check: checks::remote,
};

static QUEUE: Section = Section {
    name: "`queue_config`",
    rows: &[&[
        idle("capacity", Whole),
        idle("max_shards", Whole),
        idle("min_shards", Whole),
        idle("max_samples_per_send", Whole),
        idle("batch_send_deadline", Duration),
        idle("min_backoff", Duration),
        idle("max_backoff", Duration),
        idle("retry_on_http_429", Flag),
        idle("sample_age_limit", Duration),
    ]],
    check: nothing,
};

static METADATA: Section = Section {
    name: "`metadata_config`",
    rows: &[&[idle("send", Flag), idle("send_interval", Duration), idle("max_samples_per_send", Whole)]],
    check: nothing,
};

static REMOTE_READ: Section = Section {
    name: "an entry of `remote_read`",
    rows: &[
        &[
            idle("url", Text),
            idle("name", Text),
            idle("required_matchers", Map(&Text)),
            idle("remote_timeout", Duration),
            idle("headers", Map(&Text)),
            idle("read_recent", Flag),
            idle("filter_external_labels", Flag),
            idle("chunked_read_limit", Count),
        ],
        OTHER_CLIENT,
    ],
    check: checks::remote,
};

static OTLP: Section = Section {
    name: "`otlp`",
    rows: &[&[
        idle("promote_all_resource_attributes", Flag),
        idle("promote_resource_attributes", TEXTS),
        idle("ignore_resource_attributes", TEXTS),
        idle("translation_strategy", Text),
        idle("keep_identifying_resource_attributes", Flag),
        idle("convert_histograms_to_nhcb", Flag),
    ]],
    check: checks::otlp,
};

static STORAGE: Section = Section {
    name: "`storage`",
    rows: &[&[idle("tsdb", Takes::Section(&TSDB)), idle("exemplars", Takes::Section(&EXEMPLARS))]],
    check: nothing,
};

static TSDB: Section =
    Section { name: "`tsdb`", rows: &[&[idle("out_of_order_time_window", Duration)]], check: nothing };

static EXEMPLARS: Section = Section { name: "`exemplars`", rows: &[&[idle("max_exemplars", Whole)]], check: nothing };

static TRACING: Section = Section {
    name: "`tracing`",
    rows: &[&[
        idle("client_type", Choice(&["http", "grpc"])),
        idle("endpoint", Text),
        idle("sampling_fraction", Number),
        idle("insecure", Flag),
        idle("tls_config", Takes::Section(&TLS)),
        idle("headers", Map(&Text)),
        idle("compression", Text),
        idle("timeout", Duration),
    ]],
    check: checks::tracing,
};

impl Section {
    pub(super) fn row(&self, key: &str) -> Option<&'static Row> {
        self.keys().find(|row| row.key == key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'static Row> + Clone {
        self.rows.iter().flat_map(|rows| rows.iter())
    }
}

/// Every option of what decides about scrapes: the section it stands in, its key, and what becomes of it here.
#[cfg(feature = "internals")]
pub fn options() -> Vec<(&'static str, &'static str, OptionStanding)> {
    let sections = [
        ("file", &FILE),
        ("global", &GLOBAL),
        ("scrape_config", &SCRAPE),
        ("basic_auth", &BASIC_AUTH),
        ("authorization", &AUTHORIZATION),
        ("tls_config", &TLS),
        ("http_headers", &HEADER),
        ("relabel_config", &RELABEL),
        ("static_config", &STATIC),
        ("file_sd_config", &FILES),
        ("http_sd_config", &HTTP),
        ("dns_sd_config", &DNS),
        ("kubernetes_sd_config", &KUBERNETES),
    ];
    let rows = sections.into_iter().flat_map(|(name, section)| section.keys().map(move |row| (name, row)));
    rows.map(|(name, row)| (name, row.key, row.standing)).collect()
}

/// An entry of a file of `file_sd_configs`.
pub(super) fn target_group() -> &'static Section {
    &STATIC
}

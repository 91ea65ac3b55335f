//! Options of the client that sends: `http_config`, `tls_config` and what belongs to them.

use super::table::Of::{All, New, Old};
use super::table::Rule::{AtMostOne, Check, Needs};
use super::table::Takes::{Any, AnyUrl, Choice, Flag, List, Map, Text};
use super::table::{Section, Takes, entries, flag, get, is_set, newer, place_of, row, text};
use crate::document::{Node, Reading};
use crate::monitor::RESERVED_HEADERS;
use crate::pager::Version;

const VERSIONS: &[&str] = &["TLS10", "TLS11", "TLS12", "TLS13"];

pub(super) static TLS: Section = Section {
    name: "`tls_config`",
    rows: &[
        newer("ca", Text),
        newer("cert", Text),
        newer("key", Text),
        row("ca_file", Text),
        row("cert_file", Text),
        row("key_file", Text),
        newer("ca_ref", Text),
        newer("cert_ref", Text),
        newer("key_ref", Text),
        row("server_name", Text),
        row("insecure_skip_verify", Flag),
        row("min_version", Choice(VERSIONS)),
        row("max_version", Choice(VERSIONS)),
    ],
    rules: &[
        (New, AtMostOne(&["ca", "ca_file", "ca_ref"])),
        (New, AtMostOne(&["cert", "cert_file", "cert_ref"])),
        (New, AtMostOne(&["key", "key_file", "key_ref"])),
        (New, Check(key_and_certificate)),
    ],
};

fn key_and_certificate(node: &Node, _: Version, reading: &mut Reading) {
    let any = |keys: [&str; 3]| keys.iter().any(|key| is_set(node, key));
    let (certificate, key) = (any(["cert", "cert_file", "cert_ref"]), any(["key", "key_file", "key_ref"]));
    if certificate != key {
        let (there, lacks) = if key { ("a key", "cert_file") } else { ("a certificate", "key_file") };
        let what = format!("`tls_config` has {there} and not what belongs to it");
        reading.error(&node.place.first_line(), what, format!("add `{lacks}`"));
    }
}

static BASIC: Section = Section {
    name: "`basic_auth`",
    rows: &[
        row("username", Text),
        newer("username_file", Text),
        newer("username_ref", Text),
        row("password", Text),
        row("password_file", Text),
        newer("password_ref", Text),
    ],
    rules: &[
        (All, AtMostOne(&["username", "username_file", "username_ref"])),
        (All, AtMostOne(&["password", "password_file", "password_ref"])),
    ],
};

static AUTHORIZATION: Section = Section {
    name: "`authorization`",
    rows: &[row("type", Text), row("credentials", Text), row("credentials_file", Text), newer("credentials_ref", Text)],
    rules: &[(All, AtMostOne(&["credentials", "credentials_file", "credentials_ref"])), (All, Check(not_basic))],
};

fn not_basic(node: &Node, _: Version, reading: &mut Reading) {
    if text(node, "type").trim().eq_ignore_ascii_case("basic") {
        reading.error(&place_of(node, "type"), "`authorization` is of the type `basic`", "write `basic_auth` instead");
    }
}

static OAUTH2: Section = Section {
    name: "`oauth2`",
    rows: &[
        row("client_id", Text),
        row("client_secret", Text),
        row("client_secret_file", Text),
        newer("client_secret_ref", Text),
        newer("client_certificate_key_id", Text),
        newer("client_certificate_key", Text),
        newer("client_certificate_key_file", Text),
        newer("client_certificate_key_ref", Text),
        newer("grant_type", Text),
        newer("signature_algorithm", Text),
        newer("iss", Text),
        newer("audience", Text),
        newer("claims", Map(&Any)),
        row("scopes", List(&Text)),
        row("token_url", Text),
        row("endpoint_params", Map(&Text)),
        row("tls_config", Takes::Section(&TLS)),
        row("proxy_url", AnyUrl),
        newer("no_proxy", Text),
        newer("proxy_from_environment", Flag),
        newer("proxy_connect_header", Map(&List(&Text))),
    ],
    rules: &[
        (All, Needs(&["client_id"])),
        (All, Needs(&["token_url"])),
        (Old, Needs(&["client_secret", "client_secret_file"])),
        (All, AtMostOne(&["client_secret", "client_secret_file", "client_secret_ref"])),
        (New, Check(proxy)),
    ],
};

static HEADER: Section = Section {
    name: "a header of `http_headers`",
    rows: &[row("values", List(&Text)), row("secrets", List(&Text)), row("files", List(&Text))],
    rules: &[],
};

pub(super) static HTTP: Section = Section {
    name: "`http_config`",
    rows: &[
        row("basic_auth", Takes::Section(&BASIC)),
        row("authorization", Takes::Section(&AUTHORIZATION)),
        row("oauth2", Takes::Section(&OAUTH2)),
        row("bearer_token", Text),
        row("bearer_token_file", Text),
        row("tls_config", Takes::Section(&TLS)),
        row("follow_redirects", Flag),
        row("enable_http2", Flag),
        row("proxy_url", AnyUrl),
        newer("no_proxy", Text),
        newer("proxy_from_environment", Flag),
        newer("proxy_connect_header", Map(&List(&Text))),
        newer("http_headers", Map(&Takes::Section(&HEADER))),
    ],
    rules: &[
        (All, AtMostOne(&["bearer_token", "bearer_token_file"])),
        (All, AtMostOne(&["basic_auth", "oauth2", "authorization", "bearer_token"])),
        (All, AtMostOne(&["basic_auth", "oauth2", "authorization", "bearer_token_file"])),
        (New, Check(proxy)),
        (New, Check(headers)),
    ],
};

fn proxy(node: &Node, _: Version, reading: &mut Reading) {
    let from_environment = flag(text(node, "proxy_from_environment")).unwrap_or(false);
    let url = is_set(node, "proxy_url");
    let advice = "add `proxy_url`, or leave it out";
    if from_environment && url {
        reading.error(
            &place_of(node, "proxy_url"),
            "`proxy_url` stands beside `proxy_from_environment`",
            "keep one of them",
        );
    }
    if from_environment && is_set(node, "no_proxy") {
        reading.error(
            &place_of(node, "no_proxy"),
            "`no_proxy` stands beside `proxy_from_environment`",
            "keep one of them",
        );
    } else if is_set(node, "no_proxy") && get(node, "proxy_url").is_none() {
        reading.error(&place_of(node, "no_proxy"), "`no_proxy` stands there without `proxy_url`", advice);
    }
    if !entries(node, "proxy_connect_header").is_empty() && !from_environment && !url {
        let what = "`proxy_connect_header` stands there without a proxy";
        reading.error(&place_of(node, "proxy_connect_header"), what, advice);
    }
}

fn headers(node: &Node, _: Version, reading: &mut Reading) {
    for entry in entries(node, "http_headers") {
        if RESERVED_HEADERS.contains(&entry.key.to_lowercase().as_str()) {
            let what = format!("the header `{}` must not be set", entry.key);
            reading.error(
                &entry.place,
                what,
                "leave it out; `authorization` and `basic_auth` have options of their own",
            );
        }
    }
}

/// Whether `http_config` has an authorization, also one by its old name.
pub(super) fn is_authorized(node: &Node) -> bool {
    get(node, "http_config").is_some_and(|http| {
        get(http, "authorization").is_some() || is_set(http, "bearer_token") || is_set(http, "bearer_token_file")
    })
}

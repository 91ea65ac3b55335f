//! Who may ask: the basic auth of the server, that of the endpoints, and endpoints that are sensitive.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::reply::Reply;
use super::version::{ServerAuth, Version};
use super::{Listener, Request};
use crate::profile::Role;
use crate::scenario::Settings;

/// What the basic auth of the server answers a request, if it turns it away: only a process with a webserver has it. Where
/// no password is set any credentials will do.
pub(super) fn of_server(
    request: &Request,
    settings: &Settings,
    version: &Version,
    role: Role,
    path: &str,
    matched: bool,
) -> Option<Reply> {
    let endpoint = request.listener == Listener::Management && matched;
    let (enabled, covered, realm) = match version.server_auth {
        ServerAuth::Api => {
            let api = path.starts_with("/api/v1/") && path.trim_end_matches('/') != "/api/v1/configs";
            (true, api, "Basic")
        }
        ServerAuth::AllButEndpoints => (false, !endpoint && path != "/ping", "Basic realm=Kestra"),
    };
    if !settings.server.enabled.unwrap_or(enabled) || !covered || !role.runs(Role::Webserver) {
        return None;
    }
    let given = request.header("authorization").and_then(|value| value.strip_prefix("Basic "));
    let fits = match (given, settings.server.credentials.both()) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(given), Some((user, password))) => {
            STANDARD.decode(given.trim()).is_ok_and(|given| given == format!("{user}:{password}").as_bytes())
        }
    };
    (!fits).then(|| Reply::bare(401, "Unauthorized").header("WWW-Authenticate", realm))
}

/// The header that carries a user and a password.
pub fn basic_auth(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// What an endpoint answers instead of doing its work: 401 without a word when it is sensitive or the credentials do not
/// fit; odd credentials fail oddly (0.20 variants/basicauth/odd, 1.3 config/basic_auth).
pub(super) fn of_endpoint(request: &Request, settings: &Settings, endpoint: &str, href: &str) -> Option<Reply> {
    if endpoint.is_empty() {
        return None;
    }
    let unauthorized = || Some(Reply::bare(401, "Unauthorized"));
    // Levels can be set without a user unless that is forbidden too.
    let writes = endpoint == "loggers" && request.method == "POST";
    if settings.sensitive(endpoint) && (!writes || settings.write_sensitive) {
        return unauthorized();
    }
    let (user, password) = settings.credentials.both()?;
    let Some(given) = request.header("authorization").and_then(|value| value.strip_prefix("Basic")) else {
        return unauthorized();
    };
    // Six characters are cut off, whatever there is.
    let Some(encoded) = given.get(1..) else {
        let detail = "Range [6, 5) out of bounds for length 5";
        return Some(Reply::exception(500, detail, href));
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    if let Some(wrong) = encoded.chars().find(|c| !legal(*c)) {
        let detail = format!("Illegal base64 character {:x}", u32::from(wrong));
        return Some(Reply::error(422, "Illegal argument", &detail, href));
    }
    match STANDARD.decode(encoded) {
        Ok(given) if given == format!("{user}:{password}").as_bytes() => None,
        Ok(_) => unauthorized(),
        Err(_) => {
            let detail = "Input byte array has wrong 4-byte ending unit";
            Some(Reply::error(422, "Illegal argument", detail, href))
        }
    }
}

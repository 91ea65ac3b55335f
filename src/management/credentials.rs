//! Who may ask: the basic auth of the server, that of the endpoints, and endpoints that are sensitive.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::{Error, Kind};
use super::route::Process;
use super::uri::Target;
use super::{Listener, Request};
use crate::profile::{OddCredentials, Role, ServerAuth};

/// What the basic auth of the server answers a request, if it turns it away: only a process with a webserver has it. Where
/// no password is set any credentials will do.
pub(super) fn of_server(request: &Request, process: Process<'_>, target: Target<'_>, matched: bool) -> Option<Error> {
    let Process { profile, settings, role, .. } = process;
    let path = target.path;
    let endpoint = request.listener == Listener::Management && matched;
    let (enabled, covered, realm) = match profile.answers().server_auth {
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
    (!fits).then(|| Error::new(Kind::Unauthorized { challenge: Some(realm) }, "", target.href))
}

/// The header that carries a user and a password.
pub fn basic_auth(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// What an endpoint, by the name it is configured by, answers instead of doing its work: 401 when it is sensitive or the credentials do not fit; odd
/// credentials fail oddly (0.20 variants/basicauth/odd, 1.3 config/basic_auth) or are no credentials (2.0).
pub(super) fn of_endpoint(request: &Request, process: Process<'_>, endpoint: &str, href: &str) -> Option<Error> {
    let Process { profile, settings, sensitive, .. } = process;
    let unauthorized = || Some(Error::new(Kind::Unauthorized { challenge: None }, "", href));
    // Levels can be set without a user unless that is forbidden too.
    let writes = endpoint == "loggers" && request.method == "POST";
    if sensitive && settings.sensitive(endpoint) && (!writes || settings.write_sensitive) {
        return unauthorized();
    }
    let (user, password) = settings.credentials.both()?;
    let Some(given) = request.header("authorization").and_then(|value| value.strip_prefix("Basic")) else {
        return unauthorized();
    };
    // Six characters are cut off, whatever there is.
    let odd = match given.get(1..).map(|encoded| STANDARD.decode(encoded).map_err(|_| encoded)) {
        Some(Ok(given)) if given == format!("{user}:{password}").as_bytes() => return None,
        Some(Ok(_)) => return unauthorized(),
        Some(Err(encoded)) => Error::new(Kind::Argument, &complaint(encoded), href),
        None => Error::internal("Range [6, 5) out of bounds for length 5", href),
    };
    match profile.answers().odd_credentials {
        OddCredentials::Failure => Some(odd),
        OddCredentials::Unauthorized => unauthorized(),
    }
}

/// What Java says of text that is no base 64.
fn complaint(encoded: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    match encoded.chars().find(|c| !legal(*c)) {
        Some(wrong) => format!("Illegal base64 character {:x}", u32::from(wrong)),
        None => "Input byte array has wrong 4-byte ending unit".to_owned(),
    }
}

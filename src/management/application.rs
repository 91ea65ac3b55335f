//! Port 8080, as far as monitoring touches it: `/ping` everywhere, the rest of the webserver behind its credentials.

use super::reply::Reply;
use super::{Context, Handled, Request};
use crate::profile::Role;

/// Whether the API's basic auth turns the request away: all of `/api/v1/` but `/api/v1/configs`, on both ports of a
/// process with a webserver. The mock has no password of its own: any Basic credentials will do.
pub(super) fn wants_credentials(request: &Request, role: Role, path: &str) -> bool {
    role.runs(Role::Webserver)
        && path.starts_with("/api/v1/")
        && path.trim_end_matches('/') != "/api/v1/configs"
        && !request.header("authorization").is_some_and(|value| value.starts_with("Basic "))
}

/// `GET /ping`: text, called JSON.
pub(super) fn ping(_: &Context<'_>) -> Handled {
    Ok(Reply::json("pong"))
}

/// `GET /`: to the UI.
pub(super) fn root(_: &Context<'_>) -> Handled {
    Ok(Reply::bare(307, "Temporary Redirect").header("location", "/ui/").header("date", ""))
}

/// `GET /api/v1/configs`: open, the UI asks it before the login.
pub(super) fn configs(context: &Context<'_>) -> Handled {
    Ok(Reply::json(context.version.configs))
}

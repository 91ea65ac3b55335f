//! Port 8080, as far as monitoring touches it: `/ping` everywhere, the rest of the webserver behind its credentials.

use super::reply::Reply;
use super::{Context, Handled};

/// `GET /ping`: text, called JSON.
pub(super) fn ping(_: &Context<'_>) -> Handled {
    Ok(Reply::json("pong"))
}

/// `GET /`: to the UI.
pub(super) fn root(_: &Context<'_>) -> Handled {
    Ok(Reply::bare(307, "Temporary Redirect").header("location", "/ui/").dated())
}

/// `GET /api/v1/configs`: open, the UI asks it before the login.
pub(super) fn configs(context: &Context<'_>) -> Handled {
    Ok(Reply::json(context.version.configs))
}

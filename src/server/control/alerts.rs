//! What the served cluster's own Prometheus makes of it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;

use super::{Answered, App, Refusal};

/// The alerts that are pending or fire, as Prometheus lists them, and how it goes with the sending.
pub(super) async fn list(State(shared): App) -> Answered<Json<Value>> {
    let world = shared.world()?;
    if !world.session.has_live_rules() {
        let advice = "start it with `serve --rules FILE`: then a Prometheus of its own evaluates them";
        return Err(Refusal::new(StatusCode::NOT_FOUND, "no rules are evaluated here", advice));
    }
    Ok(Json(world.alerts_told()))
}

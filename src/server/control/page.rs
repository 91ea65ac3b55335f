//! The page: three files that are part of the binary, and a policy by which a browser loads nothing else.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Answered, App};
use crate::document::Field;
use crate::scenario;

const HTML: &str = include_str!("../page/page.html");
const SCRIPT: &str = include_str!("../page/page.js");
const STYLE: &str = include_str!("../page/page.css");

/// What a browser may do for the page: its own script and style, and requests to this port; nothing from elsewhere, nothing
/// inline, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Another version of the binary has another page.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

/// `GET /`.
pub(super) async fn html() -> Response {
    file("text/html; charset=utf-8", HTML)
}

/// `GET /page.js`.
pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", SCRIPT)
}

/// `GET /page.css`.
pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

/// `GET /api/fault-kinds`: the table of faults, for whoever fills in a form, and what there is in this cluster.
pub(super) async fn fault_kinds(State(shared): App) -> Answered<Json<Value>> {
    let plan = &shared.plan;
    let member = |index: usize| plan.cluster.members.get(index).map(|it| it.name.as_str());
    let when = |field: &&Field| json!({ "key": field.key, "doc": field.doc, "example": field.example });
    Ok(Json(json!({
        "kinds": scenario::fault_rows(plan),
        "when": scenario::WHEN.iter().filter(|field| field.key != "to").map(|field| when(&field)).collect::<Vec<_>>(),
        "members": (0..plan.cluster.members.len()).filter_map(member).collect::<Vec<_>>(),
        "flows": plan.flows.iter().map(crate::flow::Flow::name).collect::<Vec<_>>(),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of the page in all.
    const MOST: usize = 150_000;

    #[test]
    fn the_page_is_small_and_has_nothing_inline_or_from_elsewhere() {
        let all = [HTML, SCRIPT, STYLE];
        assert!(all.iter().map(|text| text.len()).sum::<usize>() <= MOST);
        let inline =
            [" style=", "<style", " onclick=", " onload=", " onerror=", " oninput=", " onsubmit=", "javascript:"];
        assert!(!inline.iter().any(|it| HTML.contains(it)), "inline");
        assert_eq!(HTML.matches("<script").count(), 1);
        assert!(HTML.contains("<script src=\"page.js\" defer></script>"));
        // The name of SVG is no address that anybody asks.
        let others = |text: &str| text.replace("http://www.w3.org/2000/svg", "").contains("://");
        assert!(!all.into_iter().any(others), "an address of somebody else");
    }
}

//! The log of a member, as its console shows it or as JSON lines.

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::body::Named;
use super::{Answered, App, Refusal, parameter};
use crate::document;
use crate::profile::LineLevel;

/// `GET /members/{name}/log`: the lines that are kept of a member, oldest first; `level` leaves out what is beneath it, `tail`
/// all but the last lines. A header tells how many were dropped to make room.
pub(super) async fn log(State(shared): App, Named(name): Named, uri: Uri) -> Answered<Response> {
    let names = || shared.addresses.members.iter().map(|member| member.name.as_str());
    let Some(index) = names().position(|member| member == name) else {
        let advice = document::instead(&name, names());
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("no member is called `{name}`"), advice));
    };
    let level = parameter(&uri, "level").map(|text| {
        let advice = "write TRACE, DEBUG, INFO, WARN or ERROR";
        LineLevel::named(&text).ok_or_else(|| Refusal::bad(format!("`{text}` is no level of a line"), advice))
    });
    let least = level.transpose()?.unwrap_or(LineLevel::Trace);
    let tail = parameter(&uri, "tail").map(|text| {
        text.parse::<usize>()
            .map_err(|_| Refusal::bad(format!("`{text}` is no number of lines"), "write a whole number"))
    });
    let tail = tail.transpose()?.unwrap_or(usize::MAX);
    let format = parameter(&uri, "format").unwrap_or_else(|| "console".to_owned());
    if !["console", "text", "json"].contains(&format.as_str()) {
        let advice = "write console (with colours, as Kestra writes it), text (without) or json";
        return Err(Refusal::bad(format!("`{format}` is no format of a log"), advice));
    }
    let world = shared.world()?;
    let simulation = world.session.simulation();
    let kept = simulation.lines().and_then(|lines| lines.of(index));
    let newest = kept.into_iter().flat_map(|lines| lines.iter().rev());
    let newest = newest.filter(|event| event.level >= least).take(tail);
    let mut lines: Vec<String> = newest
        .filter_map(|event| simulation.line(event))
        .map(|line| match format.as_str() {
            "json" => line.json(false),
            format => line.console(format == "console"),
        })
        .collect();
    lines.reverse();
    let body: String = lines.into_iter().flat_map(|line| [line, "\n".to_owned()]).collect();
    let kind = if format == "json" { "application/jsonl" } else { "text/plain; charset=utf-8" };
    let dropped = kept.map_or(0, |lines| lines.dropped());
    let headers =
        [(header::CONTENT_TYPE, kind.to_owned()), (HeaderName::from_static("x-lines-dropped"), dropped.to_string())];
    Ok((headers, body).into_response())
}

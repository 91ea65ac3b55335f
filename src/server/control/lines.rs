//! The log of a member, as its console shows it or as JSON lines.

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::{Answered, App, Refusal, parameter};
use crate::document;
use crate::simulator::{Level, levels};

/// `GET /members/{name}/log`: the lines that are kept of a member, oldest first; `level` leaves out what is beneath it, `tail`
/// all but the last lines.
pub(super) async fn log(State(shared): App, Path(name): Path<String>, uri: Uri) -> Answered<Response> {
    let names = || shared.addresses.members.iter().map(|member| member.name.as_str());
    let Some(index) = names().position(|member| member == name) else {
        let advice = document::instead(&name, names());
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("no member is called `{name}`"), advice));
    };
    let level = parameter(&uri, "level").map(|text| match levels::named(&text) {
        Some(Some(level)) if level != Level::Off => Ok(level),
        _ => Err(Refusal::bad(format!("`{text}` is no level of a line"), "write TRACE, DEBUG, INFO, WARN or ERROR")),
    });
    let least = level.transpose()?.unwrap_or(Level::All);
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
    let newest = simulation.lines().into_iter().flat_map(|lines| lines.iter().rev());
    let newest = newest.filter(|event| event.member == index).filter_map(|event| simulation.line(event));
    let fits = |level: &str| levels::named(level).flatten().is_some_and(|level| level >= least);
    let mut lines: Vec<String> = newest
        .filter(|line| fits(line.level))
        .take(tail)
        .map(|line| match format.as_str() {
            "json" => line.json(),
            format => line.console(format == "console"),
        })
        .collect();
    lines.reverse();
    let body: String = lines.into_iter().flat_map(|line| [line, "\n".to_owned()]).collect();
    let kind = if format == "json" { "application/jsonl" } else { "text/plain; charset=utf-8" };
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

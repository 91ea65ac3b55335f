//! `/refresh` and `/stop`: what they change is a command.

use super::reply::Reply;
use super::{Context, Handled};
use crate::simulator::Command;

/// `POST /refresh`: the first one of a process names what changed, later ones and forced ones nothing.
pub(super) fn refresh(context: &Context<'_>) -> Handled {
    let force = serde_json::from_slice(&context.request.body)
        .is_ok_and(|body: serde_json::Value| body.get("force") == Some(&serde_json::Value::Bool(true)));
    let first = !context.process.refreshed();
    let command = first.then_some(Command::Refresh { member: context.index });
    let keys: &[String] = if first && !force { &context.answers.refreshed } else { &[] };
    Ok(Reply::json(serde_json::json!(keys).to_string()).with_command(command))
}

/// `POST /stop`: says so at once; the process goes on for about two seconds (standalone/stop).
pub(super) fn stop(context: &Context<'_>) -> Handled {
    let command = Some(Command::Stop { member: context.index });
    Ok(Reply::json(r#"{"message":"Server shutdown started"}"#).with_command(command))
}

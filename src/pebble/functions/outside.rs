//! Functions that ask the world outside.

use super::super::error::{Fault, Found};
use super::super::filters::dates;
use super::super::invoke::{Call, Row, row};
use super::super::value::Value;

/// The functions of this file.
pub const ROWS: &[Row] = &[
    row("now", &["format", "timeZone", "existingFormat", "locale"], |call| {
        let now = call.run.host.now.to_zoned(call.run.host.zone.clone());
        dates::formatted(&call, &now)
    }),
    // How many arguments there are depends on the version: `secret` counts them itself.
    row("secret", &["key", "namespace", "subkey"], secret),
    row("kv", &["key", "namespace", "errorOnMissing"], kv),
    row("env", &["name", "default"], |call| {
        let Some(name) = call.text("name")? else {
            return Err(Fault::unsupported("`env` without a name is not simulated"));
        };
        match call.run.host.environment.get(name) {
            Some(value) => Value::text(value.as_str()),
            None => Ok(call.argument("default").cloned().unwrap_or(Value::Null)),
        }
    }),
    row("read", &["path", "namespace"], read),
    row("fileURI", &["path", "namespace"], |mut call| {
        let path = path(&call, "fileURI")?;
        let namespace = namespace(&mut call)?.replace('.', "/");
        Value::text(format!("kestra:///{namespace}/_files{path}"))
    }),
];

/// The namespace that is asked for, or the flow's.
fn namespace(call: &mut Call<'_, '_>) -> Found<String> {
    if let Some(name) = call.text("namespace")? {
        return Ok(name.to_owned());
    }
    let flow = call.run.variable("flow")?;
    let name = match &flow {
        Some(Value::Map(flow)) => flow.entries.get("namespace"),
        _ => None,
    };
    Ok(name.map_or_else(String::new, Value::java_text))
}

fn secret(call: Call<'_, '_>) -> Found<Value> {
    let allowed = call.run.dialect.secret_arguments;
    if let Some(at) = call.arguments.keys().position(|name| !allowed.contains(&name.as_str())) {
        let (position, count) = (at + 1, allowed.len());
        let message =
            format!("The argument at position {position} is not allowed. Only {count} argument(s) are allowed.");
        return Err(call.fault(&message));
    }
    let Some(key) = call.text("key")? else {
        return Err(call.fault("The 'secret' function expects an argument 'key'."));
    };
    if call.argument("subkey").is_some() {
        return Err(Fault::unsupported("the `subkey` of `secret` is not simulated"));
    }
    match call.run.host.secrets.get(key) {
        Some(secret) => Value::text(secret),
        None if call.run.dialect.secret_must_exist => {
            let message = format!("Cannot find secret for key '{key}'.");
            let cause = Fault::java("io.kestra.core.secret.SecretNotFoundException", message.clone());
            Err(call.fault(&message).because(cause))
        }
        None => Ok(Value::Null),
    }
}

fn kv(mut call: Call<'_, '_>) -> Found<Value> {
    let Some(key) = call.text("key")?.map(str::to_owned) else {
        return Err(call.fault("The 'kv' function expects an argument 'key'."));
    };
    let namespace = namespace(&mut call)?;
    let found = call.run.host.kv.get(&namespace).and_then(|values| values.get(&key));
    let fails = match call.argument("errorOnMissing") {
        Some(Value::Bool(fails)) => *fails,
        Some(Value::Text(text)) => text.eq_ignore_ascii_case("true"),
        _ => call.run.dialect.kv_must_exist,
    };
    match found {
        Some(value) => Value::from_json(value),
        None if fails => Err(call.fault(&format!("The key '{key}' does not exist in the namespace '{namespace}'."))),
        None => Ok(Value::Null),
    }
}

/// A path below a namespace, beginning with `/`.
fn path(call: &Call<'_, '_>, function: &str) -> Found<String> {
    let Some(path) = call.text("path")? else {
        return Err(call.fault(&format!("The '{function}' function expects an argument 'path'.")));
    };
    if path.contains("://") || path.contains("..") {
        return Err(Fault::unsupported(format!(
            "`{function}` of an address is not simulated: files of namespaces are"
        )));
    }
    Ok(format!("/{}", path.trim_start_matches('/')))
}

/// There are no files of namespaces: every one is missing.
fn read(mut call: Call<'_, '_>) -> Found<Value> {
    let path = path(&call, "read")?;
    let namespace = namespace(&mut call)?;
    let message = if call.run.dialect.read_names_namespace {
        format!("File '{path}' was not found in namespace '{namespace}'.")
    } else {
        format!("/app/storage/{}/_files{path} (No such file or directory)", namespace.replace('.', "/"))
    };
    let cause = Fault::java("java.io.FileNotFoundException", message.clone());
    Err(call.fault(&message).because(cause))
}

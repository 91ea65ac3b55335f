//! Endpoints whose answer hardly depends on the member.

use super::database::Database;
use super::error::{Error, Kind};
use super::reply::Reply;
use super::version::Beans;
use super::{Context, Handled, Listener, route};
use crate::scenario::Settings;

/// `GET /info`.
pub(super) fn info(context: &Context<'_>) -> Handled {
    Ok(Reply::json(context.version.info))
}

/// `GET /beans`: up to 1.3 it always fails. Of 2.0 there is the beginning of the list, where the recording was cut.
pub(super) fn beans(context: &Context<'_>) -> Handled {
    if let Beans::Listed(beans) = context.version.beans {
        return Ok(Reply::json(beans));
    }
    let detail = format!(
        "Duplicate key io.micronaut.context.DefaultRuntimeBeanDefinition (attempted merging values \
         {{dependencies=[], scope=null, type=io.micronaut.context.env.DefaultEnvironment, qualifier=@Primary}} and \
         {{dependencies=[], scope=null, type=org.flywaydb.core.Flyway, qualifier=@Named('{}')}})",
        Database::of(context).datasource
    );
    Err(Error::new(Kind::Conflict, &detail, context.target.href).into())
}

/// `GET /flyway`: 1.3 fails at it while it writes the body, so HEAD succeeds. The report's identity hash is made from
/// the instant of the request.
pub(super) fn flyway(context: &Context<'_>) -> Handled {
    if context.request.method == "HEAD" {
        let name = if context.version.capitals { "Content-Type" } else { "content-type" };
        return Ok(Reply::bare(200, "OK").header(name, "application/json").dated());
    }
    let hash = identity_hash(context.request.arrived.as_nanoseconds() as u64);
    let detail = format!(
        "Error encoding object [io.micronaut.flyway.endpoint.FlywayReport@{hash:x}] to JSON: No serializer found for \
         class org.flywaydb.core.internal.resolver.sql.SqlMigrationExecutor and no properties discovered to create \
         BeanSerializer (to avoid exception, disable SerializationFeature.FAIL_ON_EMPTY_BEANS) (through reference \
         chain: io.micronaut.flyway.endpoint.FlywayReport[\"migrations\"]->java.util.Arrays$ArrayList[0]->\
         org.flywaydb.core.internal.info.MigrationInfoImpl[\"resolvedMigration\"]->\
         org.flywaydb.core.internal.resolver.ResolvedMigrationImpl[\"executor\"])"
    );
    Err(Error::new(Kind::Framework, &detail, context.target.href).into())
}

/// What Java prints behind the class of an object that does not say what it is.
pub(super) fn identity_hash(key: u64) -> u64 {
    0x4000_0000 | key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 34
}

/// `GET /routes`: all endpoints of the role. A real webserver lists its API too, which the mock does not have.
pub(super) fn routes(context: &Context<'_>) -> Handled {
    let settings = Settings::default();
    let process = route::Process::of(context.member, context.simulation.plan(), &settings);
    let mut body = serde_json::Map::new();
    for line in context.version.routes.lines() {
        let Some(((method, path), java)) =
            line.split_once('\t').and_then(|(route, java)| Some((route.split_once(' ')?, java)))
        else {
            continue;
        };
        let sample = path.split_once('{').map_or(path.to_owned(), |(prefix, _)| format!("{prefix}x"));
        let here = |listener| !matches!(route::find(process, listener, method, &sample), route::Found::Nothing);
        if !here(Listener::Management) && !here(Listener::Application) {
            continue;
        }
        let produces = if path == "/prometheus" { super::metrics::TEXT } else { "application/json" };
        let methods = if method == "GET" { &["GET", "HEAD"][..] } else { &["POST"] };
        for method in methods {
            let key = format!("{{[{path}],method=[{method}],produces=[{produces}]}}");
            body.insert(key, serde_json::json!({ "method": java }));
        }
    }
    Ok(Reply::json(serde_json::Value::Object(body).to_string()))
}

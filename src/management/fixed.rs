//! Endpoints whose answer hardly depends on the member: two that fail, and the list of all.

use super::database::Database;
use super::error::{Error, Kind};
use super::reply::Reply;
use super::{Context, Handled, route};
use crate::profile::{Endpoint, Fixed, Handler, Method, Says};
use crate::scenario::Settings;

/// `GET /beans`, where it always fails.
pub(super) fn beans_duplicate(context: &Context<'_>) -> Handled {
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
        let name = if context.answers.capitals { "Content-Type" } else { "content-type" };
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

/// `GET /routes`: all endpoints of the role, also those that are switched off. A real webserver lists its API too, which the
/// mock does not have.
pub(super) fn routes(context: &Context<'_>) -> Handled {
    let settings = Settings::default();
    let process = route::Process::of(context.member, context.simulation.plan(), &settings);
    let here = process.profile.endpoints().iter().filter(|endpoint| process.has(endpoint));
    let mut listed: Vec<(&Endpoint, &str)> =
        here.filter_map(|endpoint| Some((endpoint, endpoint.java.as_deref()?))).collect();
    listed.sort_by_key(|(endpoint, _)| (&endpoint.path, endpoint.method.name()));
    let mut body = serde_json::Map::new();
    for (Endpoint { path, method, says, .. }, java) in listed {
        let produces = match says {
            Says::Handler(Handler::Prometheus) => super::metrics::TEXT,
            Says::Fixed(Fixed { content_type: Some(content_type), .. }) => content_type,
            _ => "application/json",
        };
        let methods = if *method == Method::Get { &["GET", "HEAD"][..] } else { &["POST"] };
        for method in methods {
            let key = format!("{{[{path}],method=[{method}],produces=[{produces}]}}");
            body.insert(key, serde_json::json!({ "method": java }));
        }
    }
    Ok(Reply::json(serde_json::Value::Object(body).to_string()))
}

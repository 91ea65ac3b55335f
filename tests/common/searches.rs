//! A small reading of Elasticsearch's searches, enough for the saved queries: what a real server is compared with.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The values of a field: those of all entries where it leads through lists.
fn values<'d>(document: &'d Value, path: &str) -> Vec<&'d Value> {
    // Sub-fields hold the same value.
    let path = path.strip_suffix(".fulltext").unwrap_or(path);
    path.split('.').fold(vec![document], |found, key| {
        let flat = found.into_iter().flat_map(|it| match it {
            Value::Array(all) => all.iter().collect(),
            one => vec![one],
        });
        flat.filter_map(|it| it.get(key)).collect()
    })
}

fn matches(query: &Value, document: &Value) -> bool {
    let (kind, body) = query.as_object().and_then(|query| query.iter().next()).expect("a query");
    let all = |key: &str| body.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    match kind.as_str() {
        "bool" => {
            all("filter").iter().all(|query| matches(query, document))
                && !all("must_not").iter().any(|query| matches(query, document))
        }
        "term" => {
            let (field, value) = body.as_object().and_then(|body| body.iter().next()).expect("a field");
            values(document, field).contains(&value)
        }
        "exists" => !values(document, body["field"].as_str().expect("a field")).is_empty(),
        other => panic!("no query {other} is read here"),
    }
}

/// Dates as milliseconds, numbers as they are.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(|date| date.as_millisecond() as f64),
        value => value.as_f64(),
    }
}

fn aggregate(aggregations: &Value, documents: &[&Value], within: &str) -> Map<String, Value> {
    let of = |(name, body): (&String, &Value)| (name.clone(), one(body, documents, within));
    aggregations.as_object().expect("aggregations").iter().map(of).collect()
}

fn one(body: &Value, documents: &[&Value], within: &str) -> Value {
    let below = body.get("aggs");
    let (kind, of) = body.as_object().expect("a body").iter().find(|(kind, _)| *kind != "aggs").expect("a kind");
    let field = of.get("field").and_then(Value::as_str).unwrap_or_default();
    let field = field.strip_prefix(within).unwrap_or(field);
    let numbers = || documents.iter().flat_map(|it| values(it, field)).filter_map(number);
    let bucket = |key: Value, inside: Vec<&Value>| {
        let mut bucket = below.map(|below| aggregate(below, &inside, within)).unwrap_or_default();
        bucket.insert("key".into(), key);
        bucket.insert("doc_count".into(), inside.len().into());
        Value::Object(bucket)
    };
    match kind.as_str() {
        "nested" => {
            let path = of["path"].as_str().expect("a path");
            let inside: Vec<&Value> = documents
                .iter()
                .flat_map(|it| values(it, path))
                .flat_map(|it| it.as_array().into_iter().flatten())
                .collect();
            let below = below.map(|below| aggregate(below, &inside, &format!("{path}."))).unwrap_or_default();
            let mut told = below;
            told.insert("doc_count".into(), inside.len().into());
            Value::Object(told)
        }
        "terms" => {
            let mut groups: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
            for document in documents {
                for value in values(document, field) {
                    groups.entry(value.as_str().expect("a keyword")).or_default().push(document);
                }
            }
            let mut buckets: Vec<Value> = groups.into_iter().map(|(key, inside)| bucket(key.into(), inside)).collect();
            let order = of.get("order").and_then(Value::as_object).and_then(|it| it.keys().next().cloned());
            let rank = |bucket: &Value| match &order {
                Some(path) => bucket.pointer(&format!("/{}", path.replace('.', "/"))).and_then(Value::as_f64),
                None => bucket["doc_count"].as_f64(),
            };
            // Of the same rank by key, which they are in.
            buckets.sort_by(|one, other| rank(other).partial_cmp(&rank(one)).expect("numbers"));
            buckets.truncate(of["size"].as_u64().expect("a size") as usize);
            json!({ "buckets": buckets })
        }
        "date_histogram" => {
            let mut groups: BTreeMap<i64, Vec<&Value>> = BTreeMap::new();
            for document in documents {
                for at in values(document, field).into_iter().filter_map(number) {
                    groups.entry((at as i64).div_euclid(60_000) * 60_000).or_default().push(document);
                }
            }
            json!({ "buckets": groups.into_iter().map(|(key, inside)| bucket(key.into(), inside)).collect::<Vec<_>>() })
        }
        "min" => json!({ "value": numbers().reduce(f64::min) }),
        "max" => json!({ "value": numbers().reduce(f64::max) }),
        "stats" => {
            let (count, sum) = (numbers().count(), numbers().sum::<f64>());
            let (min, max) = (numbers().reduce(f64::min), numbers().reduce(f64::max));
            let avg = (count > 0).then(|| sum / count as f64);
            json!({ "count": count, "min": min, "max": max, "avg": avg, "sum": sum })
        }
        other => panic!("no aggregation {other} is read here"),
    }
}

/// What a search of documents gives: `total` and the aggregations.
pub fn search<'d>(body: &Value, documents: impl Iterator<Item = &'d Value>) -> Value {
    let found: Vec<&Value> = documents.filter(|it| matches(&body["query"], it)).collect();
    json!({ "total": found.len(), "aggregations": aggregate(&body["aggs"], &found, "") })
}

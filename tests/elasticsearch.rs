//! Documents on their way into a store, and what it says to them. With a real OpenSearch too, which answers the saved queries
//! with the numbers of the report: `.ci/opensearch` puts it under target/peers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use common::searches::search;
use common::server::{Mock as Served, binary, eventually, raw, scratch, try_ask};
use mock_kestra::documents::{Index, QUERIES};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// A store that is none: it takes bulks as its answer says, which gets the number of documents.
async fn store(bulk: impl Fn(usize) -> ResponseTemplate + Send + Sync + 'static) -> MockServer {
    let store = MockServer::start().await;
    let made = ResponseTemplate::new(200).set_body_json(json!({ "acknowledged": true }));
    for index in ["/kestra_executions", "/kestra_logs"] {
        let put = Mock::given(method("PUT")).and(path(index)).and(header("content-type", "application/json"));
        put.respond_with(made.clone()).mount(&store).await;
    }
    let answer = move |request: &Request| bulk(String::from_utf8_lossy(&request.body).lines().count() / 2);
    let kind = header("content-type", "application/x-ndjson");
    Mock::given(method("POST")).and(path("/_bulk")).and(kind).respond_with(answer).mount(&store).await;
    store
}

fn taken(documents: usize) -> Value {
    let item = json!({ "index": { "_index": "kestra_logs", "_id": "x", "status": 201 } });
    json!({ "took": 1, "errors": false, "items": vec![item; documents] })
}

fn export(url: &str, more: &[&str]) -> (Option<i32>, String) {
    let output = binary().args(["export", "elasticsearch", "worker-killed", "--url", url]).args(more).output();
    let Output { status, stdout, stderr } = output.expect("it runs");
    assert!(stdout.is_empty());
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

fn wait<T>(what: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(what)
}

#[test]
fn a_store_gets_indices_and_then_all_documents_in_bulks_as_kestra_s_indexer_sends_them() {
    wait(async {
        let store = store(|documents| ResponseTemplate::new(200).set_body_json(taken(documents))).await;
        let url = store.uri().replace("http://", "http://elastic:geheim@");
        let (code, told) = tokio::task::spawn_blocking(move || export(&url, &[])).await.unwrap();
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("2943 documents") && told.contains("elastic:***@") && !told.contains("geheim"), "{told}");
        let asked = store.received_requests().await.expect("requests");
        let puts: Vec<&Request> = asked.iter().filter(|it| it.method.as_str() == "PUT").collect();
        assert_eq!(puts.len(), 2);
        assert!(puts.iter().all(|it| it.body_json::<Value>().unwrap()["mappings"]["dynamic"] == false));
        assert!(asked.iter().all(|it| it.headers["authorization"].to_str().unwrap().starts_with("Basic ")));
        let bulks: Vec<usize> = asked
            .iter()
            .filter(|it| it.url.path() == "/_bulk")
            .map(|it| String::from_utf8_lossy(&it.body).lines().count() / 2)
            .collect();
        assert_eq!(bulks.iter().sum::<usize>(), 2943);
        assert!(bulks.iter().all(|it| *it <= 500), "{bulks:?}");
        assert!(asked[..2].iter().all(|it| it.method.as_str() == "PUT"), "indices are first");
    });
}

/// What a store answers to so many documents.
type Answers = dyn Fn(usize) -> ResponseTemplate + Send + Sync;

#[test]
fn what_a_store_refuses_is_told_and_ends_it() {
    let item = |status: u16, kind: &str, reason: &str| {
        let error = json!({ "type": kind, "reason": reason });
        json!({ "index": { "_index": "kestra_logs", "_id": "l2", "status": status, "error": error } })
    };
    let with = move |item: Value| {
        move |documents: usize| {
            let mut answer = taken(documents);
            answer["errors"] = true.into();
            answer["items"][1] = item.clone();
            ResponseTemplate::new(200).set_body_json(answer)
        }
    };
    let refused = with(item(400, "mapper_parsing_exception", "failed to parse field [timestamp]"));
    let cases: [(Box<Answers>, &str); 5] = [
        (
            Box::new(refused),
            "1 of 500 documents are refused; kestra_logs/l2: mapper_parsing_exception: failed to parse field",
        ),
        (
            Box::new(|documents| ResponseTemplate::new(200).set_body_json(taken(documents - 1))),
            "of 500 documents 499 were read",
        ),
        (Box::new(|_| ResponseTemplate::new(200).set_body_string("<html>")), "no Elasticsearch and no OpenSearch"),
        (Box::new(|_| ResponseTemplate::new(413)), "413 Payload Too Large"),
        (Box::new(|_| ResponseTemplate::new(401).set_body_string("who are you")), "401 Unauthorized: who are you"),
    ];
    for (bulk, expected) in cases {
        wait(async {
            let store = store(bulk).await;
            let url = store.uri();
            let (code, told) = tokio::task::spawn_blocking(move || export(&url, &[])).await.unwrap();
            assert_eq!(code, Some(3), "{told}");
            assert!(told.contains(expected), "{told}");
            assert!(!told.contains(" documents\n"), "{told}");
        });
    }
}

#[test]
fn a_store_that_has_too_much_to_do_gets_a_bulk_again() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    wait(async {
        let asked = AtomicUsize::new(0);
        let store = store(move |documents| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => ResponseTemplate::new(429),
            1 => {
                let mut answer = taken(documents);
                answer["errors"] = true.into();
                answer["items"][0]["index"] =
                    json!({ "status": 429, "error": { "type": "rejected_execution_exception", "reason": "busy" } });
                ResponseTemplate::new(200).set_body_json(answer)
            }
            _ => ResponseTemplate::new(200).set_body_json(taken(documents)),
        })
        .await;
        let url = store.uri();
        let (code, told) = tokio::task::spawn_blocking(move || export(&url, &[])).await.unwrap();
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("429 Too Many Requests: try 2 in 100 ms"), "{told}");
        assert!(told.contains("there is too much to do for 1 of 500 documents: try 3 in 200 ms"), "{told}");
        let bulks = store.received_requests().await.expect("requests");
        let bulks: Vec<&Request> = bulks.iter().filter(|it| it.url.path() == "/_bulk").collect();
        assert!(bulks[0].body == bulks[1].body && bulks[1].body == bulks[2].body && bulks[2].body != bulks[3].body);
    });
}

#[test]
fn an_index_that_is_there_gets_the_mapping_or_it_is_told_that_it_does_not_fit() {
    for fits in [true, false] {
        wait(async {
            let store = MockServer::start().await;
            let there = json!({ "error": { "type": "resource_already_exists_exception", "reason": "index [x] already exists" }, "status": 400 });
            let there = ResponseTemplate::new(400).set_body_json(there);
            let conflict = json!({ "error": { "type": "illegal_argument_exception", "reason": "cannot be changed from type [text] to [keyword]" } });
            let mapped = match fits {
                true => ResponseTemplate::new(200).set_body_json(json!({ "acknowledged": true })),
                false => ResponseTemplate::new(400).set_body_json(conflict),
            };
            for index in ["mine-executions", "mine-logs"] {
                Mock::given(method("PUT"))
                    .and(path(format!("/{index}")))
                    .respond_with(there.clone())
                    .mount(&store)
                    .await;
                Mock::given(method("PUT"))
                    .and(path(format!("/{index}/_mapping")))
                    .respond_with(mapped.clone())
                    .mount(&store)
                    .await;
            }
            let answer = |it: &Request| {
                ResponseTemplate::new(200).set_body_json(taken(String::from_utf8_lossy(&it.body).lines().count() / 2))
            };
            Mock::given(method("POST")).and(path("/_bulk")).respond_with(answer).mount(&store).await;
            let url = store.uri();
            let (code, told) = tokio::task::spawn_blocking(move || export(&url, &["--prefix", "mine-"])).await.unwrap();
            if fits {
                assert_eq!(code, Some(0), "{told}");
                let asked = store.received_requests().await.expect("requests");
                let mapping = asked.iter().find(|it| it.url.path().ends_with("_mapping")).expect("a mapping");
                let mapping: Value = mapping.body_json().unwrap();
                assert!(mapping["properties"]["namespace"].is_object() && mapping.get("settings").is_none());
            } else {
                assert_eq!(code, Some(3), "{told}");
                assert!(told.contains("the index mine-executions is there with another mapping"), "{told}");
                assert!(told.contains("--prefix"), "{told}");
            }
        });
    }
}

#[test]
fn bad_input_is_told_and_nothing_is_half_written() {
    let folder = scratch("out").parent().unwrap().to_owned();
    let out = folder.join("bulk.ndjson");
    let out = out.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let Output { status, stderr, .. } =
            binary().args(["export", "elasticsearch"]).args(arguments).output().expect("it runs");
        (status.code(), String::from_utf8_lossy(&stderr).into_owned())
    };
    for (arguments, code, expected) in [
        (&["worker-killed", "--url", "ftp://x"][..], 2, "http://127.0.0.1:9200"),
        (&["worker-killed", "--url", "http://127.0.0.1:1"], 3, "connection refused"),
        (&["worker-killed", "--url", "http://x", "--out", out], 2, "cannot be used with"),
        (&["worker-killed", "--header", "a: b"], 2, "--url"),
        (&["worker-killed", "--url", "http://127.0.0.1:1", "--header", "a b: c"], 2, "`a b` cannot be a header"),
        (&["worker-killed", "--prefix", "Kestra"], 2, "small letters"),
        (&["worker-killed", "--prefix", "_x"], 2, "small letters"),
        (&["no-such"], 2, "no-such"),
        (&["worker-killed", "--out", "/no/such/folder/x"], 3, "cannot write to /no/such/folder/x"),
        (&["worker-killed", "--files", "/dev/null/x"], 3, "cannot write /dev/null/x"),
    ] {
        let (got, told) = run(arguments);
        assert_eq!(got, Some(code), "{arguments:?}: {told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left");
    let (code, told) = run(&["worker-killed", "--out", out, "--files", folder.join("files").to_str().unwrap()]);
    assert_eq!(code, Some(0), "{told}");
    let mut files: Vec<String> = std::fs::read_dir(folder.join("files"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut expected: Vec<String> = QUERIES.iter().map(|query| format!("query-{}.json", query.name)).collect();
    expected.extend(["queries.md", "kestra_executions.json", "kestra_logs.json"].map(str::to_owned));
    expected.sort();
    assert_eq!(files, expected);
}

#[test]
fn what_is_served_is_written_as_it_happens() {
    wait(async {
        let store = store(|documents| ResponseTemplate::new(200).set_body_json(taken(documents))).await;
        let url = store.uri();
        let stored = tokio::task::spawn_blocking(move || {
            let served = Served::start(&["healthy", "--paused", "--elasticsearch", &url]);
            served.post("/api/advance", r#"{ "by": "5m" }"#);
            let (_, seen) = served.ask("GET", "/api/executions", "");
            // What came since the last look is written at the end.
            assert_eq!(Command::new("kill").arg(served.pid().to_string()).status().unwrap().code(), Some(0));
            assert_eq!(served.wait(), Some(0));
            seen
        })
        .await
        .unwrap();
        let mut last: BTreeMap<String, Value> = BTreeMap::new();
        for bulk in store.received_requests().await.expect("requests").iter().filter(|it| it.url.path() == "/_bulk") {
            let text = String::from_utf8_lossy(&bulk.body).into_owned();
            let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            for pair in lines.chunks(2).filter(|pair| pair[0]["index"]["_index"] == "kestra_executions") {
                last.insert(pair[0]["index"]["_id"].as_str().unwrap().to_owned(), pair[1].clone());
            }
        }
        let seen = stored["executions"].as_array().expect("executions");
        assert!(!seen.is_empty());
        for it in seen {
            let document = &last[it["id"].as_str().unwrap()];
            assert_eq!(document["state"]["current"], it["state"], "{it}");
        }
    });
}

/// A real OpenSearch.
struct OpenSearch {
    child: Child,
    address: String,
}

impl OpenSearch {
    fn start() -> OpenSearch {
        let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/opensearch/run");
        assert!(run.exists(), "{} is missing: run .ci/opensearch", run.display());
        let folder = scratch("opensearch").parent().unwrap().to_owned();
        let mut child =
            Command::new(run).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line}")).to_owned();
        OpenSearch { child, address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        // A body without a type is refused.
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{kind}", self.address);
        let answer = raw(&self.address, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
        let (head, told) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head} {told}");
        serde_json::from_str(told).unwrap_or_else(|why| panic!("{path}: {why}: {told}"))
    }

    /// What a saved query gives, as the reading of ours tells it.
    fn search(&self, index: &str, body: &str) -> Value {
        let answer = self.ask("POST", &format!("/{index}/_search"), body);
        let mut aggregations = answer["aggregations"].clone();
        plain(&mut aggregations);
        json!({ "total": answer["hits"]["total"]["value"], "aggregations": aggregations })
    }
}

impl Drop for OpenSearch {
    fn drop(&mut self) {
        // It ends with its standard input, and takes its folder away.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Takes out what only tells how an answer was made, and what is told twice.
fn plain(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(plain),
        Value::Object(fields) => {
            fields.retain(|key, _| {
                !key.ends_with("_as_string") && !key.starts_with("doc_count_error") && key != "sum_other_doc_count"
            });
            fields.values_mut().for_each(plain);
        }
        _ => {}
    }
}

/// The same up to the last digits of sums, whatever the order of their parts.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        (one, other) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs().max(1.0),
            _ => one == other,
        },
    }
}

/// The documents of an export, by index.
fn exported(scenario: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
    let output = binary().args(["export", "elasticsearch", scenario]).output().expect("it runs");
    assert!(output.status.success());
    let lines: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut stored: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for pair in lines.chunks(2) {
        let text = |key: &str| pair[0]["index"][key].as_str().unwrap().to_owned();
        stored.entry(text("_index")).or_default().insert(text("_id"), pair[1].clone());
    }
    stored
}

#[test]
#[ignore = "it needs a real OpenSearch: .ci/opensearch"]
fn a_real_opensearch_takes_all_and_answers_the_saved_queries() {
    let store = OpenSearch::start();
    for (number, scenario) in
        ["worker-killed", "healthy", "executor-down", "log-flood", "results-lost"].iter().enumerate()
    {
        let prefix = format!("s{number}_");
        let url = store.url();
        let export = |place: &str| {
            let output =
                binary().args(["export", "elasticsearch", scenario, "--url", place, "--prefix", &prefix]).output();
            let output = output.expect("it runs");
            assert!(output.status.success(), "{scenario}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let documents = exported(scenario);
        // The second time changes nothing.
        for _ in 0..2 {
            export(&url);
            store.ask("POST", "/_refresh", "");
            for index in [Index::Executions, Index::Logs] {
                let expected = documents.get(&format!("kestra_{}", index.name())).map_or(0, BTreeMap::len);
                let counted = store.ask("GET", &format!("/{prefix}{}/_count", index.name()), "");
                assert_eq!(counted["count"], expected, "{scenario}: {}", index.name());
            }
        }
        for query in QUERIES {
            let body: Value = serde_json::from_str(query.body).expect("JSON");
            let own = documents.get(&format!("kestra_{}", query.index.name()));
            let ours = search(&body, own.into_iter().flat_map(BTreeMap::values));
            let mut theirs = store.search(&format!("{prefix}{}", query.index.name()), query.body);
            if body.get("track_total_hits").is_none() {
                theirs["total"] = ours["total"].clone();
            }
            assert!(same(&theirs, &ours), "{scenario}: {}: {theirs} and {ours}", query.name);
        }
    }
}

#[test]
#[ignore = "it needs a real OpenSearch: .ci/opensearch"]
fn a_real_opensearch_follows_what_is_served() {
    let store = OpenSearch::start();
    let served = Served::start(&["healthy", "--speed", "60", "--elasticsearch", &store.url()]);
    eventually("executions and log entries are there", || {
        let count = |index: &str| {
            let answer = try_ask(&store.address, "GET", &format!("/kestra_{index}/_count"), "").ok()?;
            serde_json::from_str::<Value>(&answer.body).ok()?["count"].as_u64()
        };
        count("executions").is_some_and(|it| it > 20) && count("logs").is_some_and(|it| it > 20)
    });
    Command::new("kill").arg(served.pid().to_string()).status().unwrap();
    assert_eq!(served.wait(), Some(0));
}

/// What the saved queries show of each shipped scenario: `scenarios/elasticsearch/README.md`. `UPDATE_QUERIES=1` writes it anew.
#[test]
#[ignore = "it exports every shipped scenario, which takes minutes: .ci/run asks for it by name"]
fn what_the_saved_queries_show_is_as_it_is_told() {
    let mut rows: Vec<(String, String)> = common::scenario_files()
        .iter()
        .map(|file| (file.file_stem().unwrap().to_str().unwrap().to_owned(), shown(file.to_str().unwrap())))
        .collect();
    rows.sort();
    let mut table = String::new();
    for query in QUERIES {
        writeln!(table, "- `{}.json`, of `kestra_{}`: {}", query.name, query.index.name(), query.tells).unwrap();
    }
    table += "\nWhat they show at the end of each shipped scenario, with seed 1:\n\n";
    table += "| scenario | executions | FAILED | of flows | not ended | task runs FAILED | slowest task | log entries | ERROR |\n";
    table += "|---|--:|--:|---|--:|--:|---|--:|--:|\n";
    rows.iter().for_each(|(name, row)| writeln!(table, "| {name} | {row} |").unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/elasticsearch/README.md");
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let head = there.split("- `").next().unwrap_or_default();
    let expected = format!("{head}{table}");
    if std::env::var_os("UPDATE_QUERIES").is_some() {
        std::fs::write(&path, &expected).expect("written");
    }
    assert!(std::fs::read_to_string(&path).unwrap() == expected, "UPDATE_QUERIES=1 writes it anew");
}

/// A row of the table.
fn shown(scenario: &str) -> String {
    let documents = exported(scenario);
    let ask = |name: &str| {
        let query = QUERIES.iter().find(|query| query.name == name).expect("a query");
        let own = documents.get(&format!("kestra_{}", query.index.name()));
        search(&serde_json::from_str(query.body).expect("JSON"), own.into_iter().flat_map(BTreeMap::values))
    };
    let bucket = |answer: &Value, path: &str, key: &str| {
        let found = answer.pointer(path).and_then(Value::as_array).into_iter().flatten().find(|it| it["key"] == key);
        found.map_or(0, |it| it["doc_count"].as_u64().unwrap())
    };
    let states = ask("executions-by-state");
    let failed = ask("failed-by-flow");
    let flows: Vec<&str> = failed["aggregations"]["namespace"]["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|it| it["flow"]["buckets"].as_array().unwrap())
        .filter_map(|it| it["key"].as_str())
        .collect();
    let flows = match flows.len() {
        0..=3 => flows.join(", "),
        more => format!("{}, and {} more", flows[..2].join(", "), more - 2),
    };
    let slowest = &ask("slowest-tasks")["aggregations"]["runs"]["task"]["buckets"][0];
    let slowest = match slowest["seconds"]["max"].as_f64() {
        Some(seconds) => format!("{} {seconds:.0} s", slowest["key"].as_str().unwrap()),
        None => String::new(),
    };
    let runs = ask("task-runs-by-state");
    let levels = ask("log-lines-by-level");
    format!(
        "{} | {} | {flows} | {} | {} | {slowest} | {} | {}",
        states["total"],
        bucket(&states, "/aggregations/state/buckets", "FAILED"),
        ask("not-ended-by-flow")["total"],
        bucket(&runs, "/aggregations/runs/state/buckets", "FAILED"),
        levels["total"],
        bucket(&levels, "/aggregations/level/buckets", "ERROR"),
    )
}

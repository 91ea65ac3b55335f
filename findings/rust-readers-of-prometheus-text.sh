#!/usr/bin/env bash
# Two Rust crates that read Prometheus's text format, beside Prometheus's own reader, on what any Java server with Micrometer
# may answer. prometheus-parse gives no error and other series: a label value ends at a comma, a label with `=` in its value is
# gone, a sample with `}` in one is gone, an escaped backslash stays two, sum and count of a summary are untyped.
# openmetrics-parser, asked for Prometheus's format, refuses the whole text for quotes in a HELP line, for a counter whose name
# does not end in _total, and for a family whose series do not have the same labels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p texts ask/src
printf '# TYPE queue_size gauge\nqueue_size{queue="main,retry",role="worker"} 1\n' > texts/1-comma
printf '# TYPE queue_size gauge\nqueue_size{queue="a=b",role="worker"} 1\n' > texts/2-equals
printf '# TYPE requests_active gauge\nrequests_active{uri="/flows/{id}"} 1\n' > texts/3-brace
printf '# TYPE disk_free gauge\ndisk_free{path="C:\\\\data"} 1\n' > texts/4-backslash
printf '# TYPE took summary\ntook_count{role="worker"} 1\ntook_sum{role="worker"} 2\n' > texts/5-summary
printf '# HELP heap_used of the pool "Eden"\n# TYPE heap_used gauge\nheap_used{role="worker"} 1\n' > texts/6-help
printf '# TYPE collections counter\ncollections{role="worker"} 1\n' > texts/7-counter
printf '# TYPE jobs gauge\njobs{role="worker"} 1\njobs{role="worker",group="gpu"} 2\n' > texts/8-labels

cat > go.mod <<'GOMOD'
module finding

go 1.23.0

require github.com/prometheus/common v0.66.1
GOMOD
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func main() {
	for _, name := range os.Args[1:] {
		file, err := os.Open(name)
		if err != nil {
			panic(err)
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(file)
		if err != nil {
			fmt.Println(name, "refused")
			continue
		}
		for family, it := range families {
			for _, metric := range it.Metric {
				var labels []string
				for _, pair := range metric.Label {
					labels = append(labels, pair.GetName()+"="+pair.GetValue())
				}
				fmt.Println(name, family, strings.ToLower(it.GetType().String()), strings.Join(labels, " "))
			}
		}
	}
}
GO
(go mod tidy && go build -o reference .) > go.log 2>&1 || { cat go.log; exit 2; }

cat > ask/Cargo.toml <<'TOML'
[package]
name = "ask"
version = "0.1.0"
edition = "2021"

[workspace]

[dependencies]
openmetrics-parser = "=0.4.4"
prometheus-parse = "=0.2.5"
TOML
cat > ask/src/main.rs <<'RUST'
use std::env::args;
use std::fs::read_to_string;

fn main() {
    for name in args().skip(2) {
        let text = read_to_string(&name).unwrap();
        if args().nth(1).as_deref() == Some("openmetrics-parser") {
            let verdict = match openmetrics_parser::prometheus::parse_prometheus(&text) {
                Ok(_) => "accepted",
                Err(_) => "refused",
            };
            println!("{name} {verdict}");
            continue;
        }
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        let samples = prometheus_parse::Scrape::parse(lines).unwrap().samples;
        if samples.is_empty() {
            println!("{name} no sample");
        }
        for sample in samples {
            let mut labels: Vec<String> = sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            labels.sort();
            let kind = match sample.value {
                prometheus_parse::Value::Gauge(_) => "gauge",
                prometheus_parse::Value::Counter(_) => "counter",
                prometheus_parse::Value::Untyped(_) => "untyped",
                _ => "other",
            };
            println!("{name} {} {kind} {}", sample.metric, labels.join(" "));
        }
    }
}
RUST
cargo build -q --manifest-path ask/Cargo.toml --target-dir built > cargo.log 2>&1 || { cat cargo.log; exit 2; }
{
    echo "prometheus/common 0.66.1"
    ./reference texts/*
    echo "prometheus-parse 0.2.5"
    built/debug/ask prometheus-parse texts/*
    echo "openmetrics-parser 0.4.4"
    built/debug/ask openmetrics-parser texts/*
} | tee seen
diff - seen <<'EXPECTED'
prometheus/common 0.66.1
texts/1-comma queue_size gauge queue=main,retry role=worker
texts/2-equals queue_size gauge queue=a=b role=worker
texts/3-brace requests_active gauge uri=/flows/{id}
texts/4-backslash disk_free gauge path=C:\data
texts/5-summary took summary role=worker
texts/6-help heap_used gauge role=worker
texts/7-counter collections counter role=worker
texts/8-labels jobs gauge role=worker
texts/8-labels jobs gauge role=worker group=gpu
prometheus-parse 0.2.5
texts/1-comma queue_size gauge queue=main role=worker
texts/2-equals queue_size gauge role=worker
texts/3-brace no sample
texts/4-backslash disk_free gauge path=C:\\data
texts/5-summary took_count untyped role=worker
texts/5-summary took_sum untyped role=worker
texts/6-help heap_used gauge role=worker
texts/7-counter collections counter role=worker
texts/8-labels jobs gauge role=worker
texts/8-labels jobs gauge group=gpu role=worker
openmetrics-parser 0.4.4
texts/1-comma accepted
texts/2-equals accepted
texts/3-brace accepted
texts/4-backslash accepted
texts/5-summary accepted
texts/6-help refused
texts/7-counter refused
texts/8-labels refused
EXPECTED
echo "as found: two crates read other series than Prometheus does, or refuse what it reads"

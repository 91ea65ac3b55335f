#!/usr/bin/env bash
# Prometheus reads its own files with two YAML libraries that disagree on merge keys: where a mapping has a key of its own
# before `<<`, a prometheus.yml (yaml.v2) takes the merged value, and a rule file (yaml.v3) keeps its own one. And of a rule
# file with several documents the first is read only: one that is empty makes a file whose rules nobody checks, and no error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > go.mod <<'GOMOD'
module finding

go 1.23.0

require github.com/prometheus/prometheus v0.305.0
GOMOD
cat > main.go <<'GO'
package main

import (
	"fmt"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/rulefmt"
)

const scrape = `
scrape_configs:
  - &base { job_name: base, scrape_interval: 10s, scrape_timeout: 5s }
  - job_name: own
    scrape_interval: 60s
    <<: *base
`

const rules = `
groups:
  - &base { name: base, interval: 10s, rules: [] }
  - name: own
    interval: 60s
    <<: *base
`

const two = `---
---
groups: [ { name: g, rules: [ { alert: A, expr: "sum(" } ] } ]
`

func main() {
	// The merged name would be there twice: it is told that the merge has won.
	if _, err := config.Load(scrape, promslog.NewNopLogger()); err != nil {
		fmt.Println("prometheus.yml:", err)
	}
	groups, errs := rulefmt.Parse([]byte(rules), false)
	for _, group := range groups.Groups {
		fmt.Println("rule file:", group.Name, group.Interval, errs)
	}
	groups, errs = rulefmt.Parse([]byte(two), false)
	fmt.Println("two documents:", len(groups.Groups), "groups,", len(errs), "errors")
}
GO
(go mod tidy && go build -o ask .) > go.log 2>&1 || { cat go.log; exit 2; }
echo "github.com/prometheus/prometheus v0.305.0 (3.5.0)"
./ask | tee seen
diff - seen <<'EXPECTED'
prometheus.yml: found multiple scrape configs with job name "base"
rule file: base 10s []
rule file: own 1m []
two documents: 0 groups, 0 errors
EXPECTED
echo "as found: one file of Prometheus lets the merge win, the other the key"

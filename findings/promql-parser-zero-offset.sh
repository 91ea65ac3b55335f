#!/usr/bin/env bash
# promql-parser (Rust, here by its Python package): an offset of nothing, `offset 0s`, is refused, as are numbers with digit
# separators, and the quoting \Q...\E in a matcher. A range of nothing, `x[0]`, and a subquery's step of nothing, which
# Prometheus refuses, are accepted.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > expressions <<'TEXT'
x offset 0s
1_000
x{a=~"\\Qa.b\\E"}
x[0]
x[5m:0]
TEXT
cat > go.mod <<'GOMOD'
module finding

go 1.23.0

require github.com/prometheus/prometheus v0.305.0
GOMOD
cat > main.go <<'GO'
package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		verdict := "accepts"
		if _, err := parser.ParseExpr(in.Text()); err != nil {
			verdict = "refuses"
		}
		fmt.Println("prometheus", verdict, in.Text())
	}
}
GO
(go mod tidy && go build -o ask .) > go.log 2>&1 || { cat go.log; exit 2; }
python3 -m venv venv > pip.log && venv/bin/pip install -q promql-parser==0.12.0 >> pip.log 2>&1 || { cat pip.log; exit 2; }
cat > ask.py <<'PYTHON'
import promql_parser

for expression in open("expressions").read().splitlines():
    try:
        promql_parser.parse(expression)
        verdict = "accepts"
    except ValueError:
        verdict = "refuses"
    print("promql-parser", verdict, expression)
PYTHON
echo "github.com/prometheus/prometheus v0.305.0 (3.5.0), promql-parser 0.12.0"
{ ./ask < expressions && venv/bin/python ask.py; } | tee seen
diff - seen <<'EXPECTED'
prometheus accepts x offset 0s
prometheus accepts 1_000
prometheus accepts x{a=~"\\Qa.b\\E"}
prometheus refuses x[0]
prometheus refuses x[5m:0]
promql-parser refuses x offset 0s
promql-parser refuses 1_000
promql-parser refuses x{a=~"\\Qa.b\\E"}
promql-parser accepts x[0]
promql-parser accepts x[5m:0]
EXPECTED
echo "as found: promql-parser differs from Prometheus in both directions"

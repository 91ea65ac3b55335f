#!/usr/bin/env bash
# @prometheus-io/lezer-promql (the grammar of the editor in Prometheus's own page, and of others): numbers, a repeated sign of
# an offset, a colon in a grouping label and a metric called `offset` that Prometheus of the same version evaluates are syntax
# errors in it, so the editor marks sound expressions as wrong.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > expressions <<'TEXT'
5.
0x_1F
x offset --5m
sum by (a:b) (x)
offset
1_000
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
npm init -y > npm.log && npm install --silent @prometheus-io/lezer-promql@0.305.0 @lezer/lr@1.4.2 @lezer/highlight@1.2.1 > npm.log 2>&1 || { cat npm.log; exit 2; }
cat > ask.mjs <<'JS'
import { readFileSync } from "node:fs";
import { parser } from "@prometheus-io/lezer-promql";

for (const expression of readFileSync("expressions", "utf8").trimEnd().split("\n")) {
  let sound = true;
  parser.parse(expression).iterate({ enter: (node) => { sound &&= !node.type.isError; } });
  console.log("lezer", sound ? "accepts" : "refuses", expression);
}
JS
echo "github.com/prometheus/prometheus v0.305.0 (3.5.0), @prometheus-io/lezer-promql 0.305.0"
{ ./ask < expressions && node ask.mjs; } | tee seen
diff - seen <<'EXPECTED'
prometheus accepts 5.
prometheus accepts 0x_1F
prometheus accepts x offset --5m
prometheus accepts sum by (a:b) (x)
prometheus accepts offset
prometheus accepts 1_000
lezer refuses 5.
lezer refuses 0x_1F
lezer refuses x offset --5m
lezer refuses sum by (a:b) (x)
lezer refuses offset
lezer accepts 1_000
EXPECTED
echo "as found: the editor's grammar refuses what the server evaluates"

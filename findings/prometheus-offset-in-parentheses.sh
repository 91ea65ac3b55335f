#!/usr/bin/env bash
# PromQL since Prometheus 3.14, which takes durations that are reckoned without a switch: what follows an offset in parentheses
# belongs to the offset. `g offset (5m) + 1` is `g` five minutes and one second ago, while `g offset 5m + 1` and
# `g offset -(5m) + 1` add one to a value; no warning tells of it. With a metric in its place of the number it is a syntax error.
set -euo pipefail
PATH=$PATH:/usr/local/go/bin
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > main.go <<'GO'
package main

import (
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	for _, text := range []string{
		"g offset 5m + 1", "g offset (5m) + 1", "(g offset (5m)) + 1", "g offset -(5m) + 1", "g offset 5m + h", "g offset (5m) + h",
	} {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		sum, isSum := expr.(*parser.BinaryExpr)
		selector, isSelector := expr.(*parser.VectorSelector)
		switch {
		case err != nil:
			fmt.Printf("%s: a syntax error\n", text)
		case isSum:
			fmt.Printf("%s: a sum of %s and %s\n", text, sum.LHS, sum.RHS)
		case isSelector:
			fmt.Printf("%s: a selector alone, offset by %s\n", text, selector.OriginalOffsetExpr)
		}
	}
}
GO
version=v0.316.0
printf 'module finding\n\ngo 1.26.0\n\nrequire github.com/prometheus/prometheus %s\n' "$version" > go.mod
(go mod tidy && go build -o ask .) > go.log 2>&1 || { cat go.log; exit 2; }
echo "github.com/prometheus/prometheus $version" | tee seen
./ask | tee -a seen
diff - seen <<'EXPECTED'
github.com/prometheus/prometheus v0.316.0
g offset 5m + 1: a sum of g offset 5m and 1
g offset (5m) + 1: a selector alone, offset by (5m) + 1
(g offset (5m)) + 1: a sum of (g offset (5m)) and 1
g offset -(5m) + 1: a sum of g offset -(5m) and 1
g offset 5m + h: a sum of g offset 5m and h
g offset (5m) + h: a syntax error
EXPECTED
echo "as found: parentheses let an offset take the sum that follows it"

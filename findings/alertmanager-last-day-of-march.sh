#!/usr/bin/env bash
# Alertmanager's muted and active intervals: `days_of_month: ['-1']`, the last day of a month, is the 30th of March (beside the
# 31st, which is none) where clocks go forward in March, up to 0.33: the length of the month is told from its hours. 0.35 has
# mended that. In both `times: []` is no "all day", as an interval without `times` is: it never holds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > main.go <<'GO'
package main

import (
	"fmt"
	"time"
	_ "time/tzdata"

	"github.com/prometheus/alertmanager/timeinterval"
	"gopkg.in/yaml.v2"
)

func holds(text string, date string) bool {
	var interval timeinterval.TimeInterval
	if err := yaml.Unmarshal([]byte(text), &interval); err != nil {
		panic(err)
	}
	at, err := time.Parse(time.RFC3339, date)
	if err != nil {
		panic(err)
	}
	return interval.ContainsTime(at)
}

func main() {
	for _, zone := range []string{"Europe/Berlin"} {
		for _, day := range []string{"2026-03-30", "2026-03-31", "2026-01-30", "2026-01-31"} {
			text := "{ days_of_month: ['-1'], location: " + zone + " }"
			fmt.Println(zone, day, holds(text, day+"T12:00:00Z"))
		}
	}
	fmt.Println("without times", holds("{ location: UTC }", "2026-01-31T12:00:00Z"))
	fmt.Println("times: []", holds("{ times: [], location: UTC }", "2026-01-31T12:00:00Z"))
}
GO
for version in v0.33.1 v0.35.0; do
    mkdir "$version"
    cp main.go "$version"
    (
        cd "$version"
        printf 'module finding\n\ngo 1.23.0\n\nrequire (\n\tgithub.com/prometheus/alertmanager %s\n\tgopkg.in/yaml.v2 v2.4.0\n)\n' "$version" > go.mod
        (go mod tidy && go build -o ask .) > go.log 2>&1 || { cat go.log; exit 2; }
    )
    echo "github.com/prometheus/alertmanager $version"
    "$version/ask"
done | tee seen
diff - seen <<'EXPECTED'
github.com/prometheus/alertmanager v0.33.1
Europe/Berlin 2026-03-30 true
Europe/Berlin 2026-03-31 false
Europe/Berlin 2026-01-30 false
Europe/Berlin 2026-01-31 true
without times true
times: [] false
github.com/prometheus/alertmanager v0.35.0
Europe/Berlin 2026-03-30 false
Europe/Berlin 2026-03-31 true
Europe/Berlin 2026-01-30 false
Europe/Berlin 2026-01-31 true
without times true
times: [] false
EXPECTED
echo "as found: March has 30 days for 0.33 where clocks go forward, and an empty list of times is never"

#!/usr/bin/env bash
# `group_by: []` of a child route is the word for "one group of all" that the documentation leads one to write. Alertmanager
# 0.25 takes it as if nothing were written, so that the child groups as its parent does; 0.35 makes one group of it. The same
# file sends one message or as many as there are names, and `amtool check-config` of both is content.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > main.go <<'GO'
package main

import (
	"fmt"
	"sort"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
)

const text = `
route:
  receiver: r
  group_by: [ alertname, instance ]
  routes:
    - { receiver: r, matchers: [ 'kind="empty"' ], group_by: [] }
    - { receiver: r, matchers: [ 'kind="none"' ] }
receivers: [ { name: r } ]
`

func main() {
	file, err := config.Load(text)
	if err != nil {
		panic(err)
	}
	for _, child := range dispatch.NewRoute(file.Route, nil).Routes {
		names := []string{}
		for name := range child.RouteOpts.GroupBy {
			names = append(names, string(name))
		}
		sort.Strings(names)
		fmt.Println(child.Matchers, names)
	}
}
GO
for version in v0.25.0 v0.35.0; do
    mkdir "$version"
    cp main.go "$version"
    (
        cd "$version"
        printf 'module finding\n\ngo 1.23.0\n\nrequire github.com/prometheus/alertmanager %s\n' "$version" > go.mod
        (go mod tidy && go build -o ask .) > go.log 2>&1 || { cat go.log; exit 2; }
    )
    echo "github.com/prometheus/alertmanager $version"
    "$version/ask"
done | tee seen
diff - seen <<'EXPECTED'
github.com/prometheus/alertmanager v0.25.0
{kind="empty"} [alertname instance]
{kind="none"} [alertname instance]
github.com/prometheus/alertmanager v0.35.0
{kind="empty"} []
{kind="none"} [alertname instance]
EXPECTED
echo "as found: an empty list inherits in one version and is a list in the other"

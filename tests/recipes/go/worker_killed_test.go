package recipe

import (
	"net/http"
	"testing"
)

func check(t *testing.T, err error) {
	if t.Helper(); err != nil {
		t.Fatal(err)
	}
}

type alerts struct {
	Data struct {
		Alerts []struct {
			State  string
			Labels map[string]string
		}
	}
}

func TestAKilledWorkerIsNoticedAndSoIsItsReturn(t *testing.T) {
	control, members := serve(t, "healthy-cluster")
	var fault struct{ Name string }
	ask(t, "POST", control+"/api/advance", `{"by": "5m"}`, nil)
	ask(t, "GET", members["worker-1"]+"/prometheus", "", nil)
	ask(t, "POST", control+"/api/faults", `{"kill": "worker-1", "for": "1h"}`, &fault)
	if _, err := http.Get(members["worker-1"] + "/prometheus"); err == nil {
		t.Fatal("a killed worker answers")
	}
	var during, after alerts
	ask(t, "POST", control+"/api/advance", `{"by": "3m"}`, nil)
	ask(t, "GET", control+"/api/alerts", "", &during)
	if all := during.Data.Alerts; len(all) != 1 || all[0].State != "firing" || all[0].Labels["instance"] != "worker-1:8081" {
		t.Fatalf("%+v", all)
	}
	ask(t, "DELETE", control+"/api/faults/"+fault.Name, "", nil)
	ask(t, "POST", control+"/api/advance", `{"by": "2m"}`, nil)
	ask(t, "GET", control+"/api/alerts", "", &after)
	if all := after.Data.Alerts; len(all) != 0 {
		t.Fatalf("%+v", all)
	}
}

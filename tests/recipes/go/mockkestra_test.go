// What watches Kestra, tested in Go. Needs mock-kestra (or MOCK_KESTRA=its path).
package recipe

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ask asks the control port, and reads its answer into found; a problem ends the test.
func ask(t *testing.T, method, url, body string, found any) {
	t.Helper()
	request, _ := http.NewRequest(method, url, strings.NewReader(body))
	answer, err := http.DefaultClient.Do(request)
	check(t, err)
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode >= 300 || found != nil && json.Unmarshal(text, found) != nil {
		t.Fatalf("%s %s: %s", method, url, text)
	}
}

// serve serves a scenario, standing still, until the test is over: its control port, and its members by name.
func serve(t *testing.T, scenario string) (string, map[string]string) {
	ready := filepath.Join(t.TempDir(), "ready.json")
	program := os.Getenv("MOCK_KESTRA")
	if program == "" {
		program = "mock-kestra"
	}
	mock := exec.Command(program, "serve", scenario, "--paused",
		"--rules", "../rules.yml", "--port", "0", "--control", "0", "--ready-file", ready)
	check(t, mock.Start())
	t.Cleanup(func() { mock.Process.Kill(); mock.Wait() })
	var ports struct {
		Control string
		Members []struct {
			Name, Host string
			Management int
		}
	}
	for end := time.Now().Add(time.Minute); ports.Control == ""; time.Sleep(50 * time.Millisecond) {
		if text, _ := os.ReadFile(ready); json.Unmarshal(text, &ports) != nil && time.Now().After(end) {
			t.Fatal("mock-kestra did not get ready")
		}
	}
	members := map[string]string{}
	for _, it := range ports.Members {
		members[it.Name] = fmt.Sprintf("http://%s:%d", it.Host, it.Management)
	}
	return "http://" + ports.Control, members
}

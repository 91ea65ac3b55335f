"""A fixture that serves a scenario, and a test of what watches Kestra. Needs mock-kestra (or MOCK_KESTRA=its path)."""

import json
import os
import pathlib
import subprocess
import time
import urllib.request
import pytest

RULES = pathlib.Path(__file__).parent.parent / "rules.yml"


class MockKestra:
    def __init__(self, scenario, folder):
        ready = folder / "ready.json"
        program = os.environ.get("MOCK_KESTRA", "mock-kestra")
        arguments = ["serve", scenario, "--paused", "--rules", RULES, "--port", "0", "--control", "0", "--ready-file", ready]
        self.process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
        while not ready.exists():
            assert self.process.poll() is None, "mock-kestra has ended"
            time.sleep(0.05)
        ports = json.loads(ready.read_text())
        self.control = f"http://{ports['control']}"
        self.members = {it["name"]: f"http://{it['host']}:{it['management']}" for it in ports["members"]}

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control + path, data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def scrape(self, member):
        with urllib.request.urlopen(f"{self.members[member]}/prometheus", timeout=10) as answer:
            return answer.read().decode()

    def firing(self):
        alerts = self.ask("GET", "/api/alerts")["data"]["alerts"]
        return [it["labels"]["instance"] for it in alerts if it["state"] == "firing"]


@pytest.fixture
def kestra(tmp_path):
    mock = MockKestra("healthy-cluster", tmp_path)
    yield mock
    mock.process.terminate()
    assert mock.process.wait(timeout=10) == 0


def test_a_killed_worker_is_noticed_and_so_is_its_return(kestra):
    kestra.ask("POST", "/api/advance", {"by": "5m"})
    assert "kestra_worker_job_running" in kestra.scrape("worker-1")
    fault = kestra.ask("POST", "/api/faults", {"kill": "worker-1", "for": "1h"})["name"]
    with pytest.raises(OSError):
        kestra.scrape("worker-1")
    kestra.ask("POST", "/api/advance", {"by": "3m"})
    assert kestra.firing() == ["worker-1:8081"]
    kestra.ask("DELETE", f"/api/faults/{fault}")
    kestra.ask("POST", "/api/advance", {"by": "2m"})
    assert kestra.firing() == []

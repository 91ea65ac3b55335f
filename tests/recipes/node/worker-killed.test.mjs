// What watches Kestra, tested with Node's own test runner. Needs mock-kestra (or MOCK_KESTRA=its path).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const RULES = fileURLToPath(new URL("../rules.yml", import.meta.url));

/** Serves a scenario, standing still, until the test is over. */
async function serve(t, scenario) {
  const folder = mkdtempSync(join(tmpdir(), "mock-kestra-"));
  const ready = join(folder, "ready.json");
  const program = process.env.MOCK_KESTRA ?? "mock-kestra";
  const args = ["serve", scenario, "--paused", "--rules", RULES, "--port", "0", "--control", "0", "--ready-file", ready];
  const mock = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  const ended = once(mock, "exit");
  t.after(async () => {
    mock.kill();
    await ended;
    rmSync(folder, { recursive: true });
  });
  while (!existsSync(ready)) {
    assert.equal(mock.exitCode, null, "mock-kestra has ended");
    await sleep(50);
  }
  const ports = JSON.parse(readFileSync(ready, "utf8"));
  const members = Object.fromEntries(ports.members.map(it => [it.name, `http://${it.host}:${it.management}`]));
  const ask = async (method, path, body) => {
    const answer = await fetch(`http://${ports.control}${path}`, { method, body: body && JSON.stringify(body) });
    const found = await answer.json();
    assert.ok(answer.ok, `${found.detail}; ${found.advice}`);
    return found;
  };
  const scrape = async member => (await fetch(`${members[member]}/prometheus`)).text();
  const firing = async () => (await ask("GET", "/api/alerts")).data.alerts.filter(it => it.state === "firing");
  return { ask, scrape, firing };
}

test("a killed worker is noticed, and so is its return", async t => {
  const kestra = await serve(t, "healthy-cluster");
  await kestra.ask("POST", "/api/advance", { by: "5m" });
  assert.match(await kestra.scrape("worker-1"), /^kestra_worker_job_running/m);
  const fault = await kestra.ask("POST", "/api/faults", { kill: "worker-1", for: "1h" });
  await assert.rejects(kestra.scrape("worker-1"));
  await kestra.ask("POST", "/api/advance", { by: "3m" });
  assert.deepEqual((await kestra.firing()).map(it => it.labels.instance), ["worker-1:8081"]);
  await kestra.ask("DELETE", `/api/faults/${fault.name}`);
  await kestra.ask("POST", "/api/advance", { by: "2m" });
  assert.deepEqual(await kestra.firing(), []);
});

// The page in a real Chromium: each control does what it says, with the mouse and with the keyboard, in both themes and both
// widths; nothing goes wrong in the console, nobody else is asked, and axe has nothing to say.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, open, serve } from "./mock.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = process.env.RULES;
let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

/** A test with a mock and a page of its own; what must not happen has not, at its end. */
function on(scenario, name, body, options) {
  test(name, { timeout: 120_000 }, async () => {
    const mock = await serve(...scenario);
    try {
      const opened = await open(browser, mock, options);
      await body(opened.page, mock);
      assert.deepEqual(opened.wrong, []);
      if (options?.refused !== Infinity) assert.equal(opened.refused.length, options?.refused ?? 0);
      await opened.close();
    } finally { mock.stop(); }
  });
}

const KILLED = ["worker-killed", "--rules", RULES, "--paused"];
const text = (page, id) => page.locator("#" + id).textContent();
const state = mock => mock.json("api/state");
const seconds = async mock => (await state(mock)).seconds;

/** Waits until something is so. */
async function until(what, is) {
  for (let tries = 0; tries < 1200; tries += 1) {
    if (await is()) return;
    await new Promise(done => setTimeout(done, 25));
  }
  assert.fail("it does not come to it that " + what);
}

/** Moves the mock, and waits until the page says so. */
async function go(page, mock, at) {
  await mock.ask("api/run-until", { at, now: true });
  await until("the page is there", async () => (await text(page, "time")) === at);
}

const condition = (page, member) => page.locator(`[data-member="${member}"]`).getAttribute("class");

/** What axe finds, in a word each. */
async function found(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(it => `${it.id}: ${it.help}: ${it.nodes.slice(0, 4).map(node => node.target.join(" ") + " " + (node.any[0]?.message ?? "")).join("; ")}`);
}

on(KILLED, "time stands still, goes on, faster, further, and back to the start", async (page, mock) => {
  assert.equal(await text(page, "pause"), "Resume");
  await page.click("#pause");
  await until("time goes on", async () => !(await state(mock)).clock.paused);
  await page.click("#speeds button[value='60']");
  await until("it is fast", async () => (await state(mock)).clock.speed === 60);
  await until("the page says so", async () => (await text(page, "pace")) === "60x");
  await page.click("#pause");
  await until("it stands still", async () => (await state(mock)).clock.paused);
  await page.click("#speeds button[value='1']");
  for (const [by, step] of [["1s", 1], ["15s", 15], ["1m", 60], ["5m", 300]]) {
    const before = await seconds(mock);
    await page.getByRole("button", { name: `Step ahead by ${by}`, exact: true }).click();
    await until(`${by} have passed`, async () => Math.abs(await seconds(mock) - before - step) < 0.01);
  }
  await page.fill("#until", "30m");
  await page.getByRole("button", { name: "Jump" }).click();
  await until("it is there", async () => await seconds(mock) === 1800);
  await page.fill("#until", "soon");
  await page.getByRole("button", { name: "Jump" }).click();
  await until("nonsense is refused", async () => (await text(page, "trouble")).includes("soon"));
  await new Promise(done => setTimeout(done, 1500));
  assert.match(await text(page, "trouble"), /soon.*write/, "it can be read until something is done");
  await page.click("#reset");
  await until("it is the start", async () => await seconds(mock) === 0);
  await until("trouble is over", async () => page.locator("#trouble").isHidden());
}, { refused: 1 });

on(KILLED, "lanes, faults and alerts are drawn, what is to come too, and the instant moves over them", async (page, mock) => {
  await go(page, mock, "9m");
  await until("what is to come is drawn", async () => (await page.locator("#labels").textContent()).includes("KestraWorkerDown"));
  assert.match(await page.locator("#lanes .ahead").textContent(), /worker-1: dead from 10m/);
  assert.match(await page.locator("#alerts").textContent(), /KestraWorkerDown.*will fire at 11m16s/);
  assert.equal(await condition(page, "worker-1"), "serving");
  await page.locator("#scrub").fill("640");
  await until("it looks ahead", async () => (await condition(page, "worker-1")) === "dead");
  assert.equal(await text(page, "where"), "10m40s, 1m40s ahead");
  assert.equal(await page.locator("#live").getAttribute("aria-pressed"), "false");
  assert.match(await page.locator("#scrub").getAttribute("aria-valuetext"), /10m40s, to come/);
  assert.match(await page.locator("#lanes").getAttribute("aria-label"), /worker-1 is dead/);
  await page.fill("#at", "-3m");
  await page.getByRole("button", { name: "Look", exact: true }).click();
  await until("it looks back", async () => (await text(page, "where")).startsWith("-3m, 12m ago"));
  await page.click("#live");
  await until("it is live", async () => (await text(page, "where")) === "");
  // Nothing of this has moved the cluster, and what was foreseen comes.
  assert.equal(await seconds(mock), 540);
  await page.getByRole("button", { name: "Step ahead by 5m" }).click();
  await until("the alert fired as foreseen", async () => (await page.locator("#alerts").textContent()).includes("KestraWorkerDownworker-1 workerover since 12m16s"));
  assert.match(await page.locator("#lanes g[clip-path*=lived]").textContent(), /worker-1: dead from 10m to 12m/);
});

on(KILLED, "what is drawn reaches as far as somebody wants", async (page, mock) => {
  await go(page, mock, "20m");
  const width = async () => Number(await page.locator("#scrub").getAttribute("max")) - Number(await page.locator("#scrub").getAttribute("min"));
  for (const [back, ahead, least] of [["300", "0", 300], ["1800", "3600", 4800], ["1000000000", "300", 1500]]) {
    await page.selectOption("#back", back);
    await page.selectOption("#ahead", ahead);
    await until(`${back} and ${ahead} are drawn`, async () => Math.abs(await width() - least) < 610 && await width() >= least - 1);
  }
});

on(KILLED, "a member is looked at in the past, with what changed since", async (page, mock) => {
  await go(page, mock, "14m");
  await page.locator("[data-member='worker-2']").click();
  await until("it is asked", async () => (await text(page, "answer")) === "/health now: 200");
  assert.match(await text(page, "changes"), /status.*UP/);
  // A click on its lane is an instant.
  await page.locator("#lanes").click({ position: { x: 200, y: 5.5 * 26 } });
  await until("an instant is looked at", async () => /health at \d+m.*s: 200; now: 200/.test(await text(page, "answer")));
  await page.getByRole("button", { name: "/prometheus" }).click();
  await until("it is asked", async () => (await text(page, "answer")).startsWith("/prometheus at"));
  await page.fill("#filter", "process_uptime");
  const row = page.locator("#changes tr.changed", { hasText: "process_uptime_seconds" });
  await row.waitFor();
  const [then, now, grown] = await Promise.all([1, 2, 3].map(async cell => Number(await row.locator("td").nth(cell).textContent())));
  assert.ok(Math.abs(now - then - grown) < 0.01 && grown > 60, `${then} ${now} ${grown}`);
  assert.equal(await page.locator("#changes tr:not(.changed) td").count(), 0, "only what changed");
  await page.fill("#filter", "");
  await page.uncheck("#only");
  await until("all is shown", async () => await page.locator("#changes tbody tr:not(.changed)").count() > 50);
  await page.fill("#filter", "jvm_memory_used_bytes");
  await until("it is found", async () => (await page.locator("#changes tbody tr").count()) > 3 && (await page.locator("#changes tbody").textContent()).includes("jvm_memory_used_bytes"));
  assert.equal(await page.locator("#changes tbody tr", { hasNotText: "jvm_memory_used_bytes" }).count(), 0);
  await page.fill("#filter", "");
  await page.click("#pin");
  assert.equal(await page.locator("#since option").count(), 2);
  await page.locator("#scrub").fill("400");
  await until("it is compared with the pin", async () => /at 6m40s: 200; at \d+m/.test(await text(page, "answer")));
  await page.getByRole("button", { name: "/worker" }).click();
  await until("its worker is asked", async () => (await text(page, "answer")).startsWith("/worker at 6m40s"));
  await page.locator("[data-member='worker-1']").click();
  await page.locator("#scrub").fill("660");
  await until("a dead one is told", async () => (await text(page, "answer")).includes("at 11m: no connection, it is dead"));
  await page.click("#close");
  assert.ok(await page.locator("#member").isHidden());
  assert.equal(await page.evaluate(() => document.activeElement.dataset.member), "worker-1");
});

on(KILLED, "a link opens the same", async (page, mock) => {
  await go(page, mock, "14m");
  await page.locator("[data-member='worker-2']").click();
  await page.locator("#scrub").fill("300");
  await page.getByRole("button", { name: "/prometheus" }).click();
  await until("the address says so", async () => page.url().endsWith("#at=300&member=worker-2&look=prometheus"));
  // What it answers is said too, and would hide that something is copied.
  await until("it is asked", async () => (await text(page, "answer")).startsWith("/prometheus at 5m: 200"));
  await page.click("#link");
  await until("it is copied", async () => (await text(page, "said")) === "The link is copied");
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const other = await open(browser, mock, { hash: link.slice(mock.url.length) });
  await until("it is looked at", async () => (await text(other.page, "answer")).startsWith("/prometheus at 5m: 200"));
  assert.equal(await text(other.page, "member-name"), "worker-2");
  assert.equal(await text(other.page, "where"), "5m, 9m ago");
  assert.equal(await text(other.page, "changes"), await text(page, "changes"));
  assert.deepEqual(other.wrong, []);
  await other.close();
});

on(KILLED, "each fault has a form, and what it makes is injected, ended, or refused", async (page, mock) => {
  const table = await mock.json("api/fault-kinds");
  const options = await page.locator("#kind option").evaluateAll(all => all.map(one => one.value));
  assert.deepEqual([...options].sort(), table.kinds.map(kind => kind.keyword).sort());
  for (const kind of table.kinds) {
    await page.selectOption("#kind", kind.keyword);
    assert.equal(await text(page, "doc"), kind.doc.replaceAll("`", ""));
    const named = await page.locator("#fields [name]").evaluateAll(all => [...new Set(all.map(one => one.name))]);
    for (const field of [...kind.fields, ...kind.beside]) assert.ok(named.includes(field.key), `${kind.keyword}: ${field.key}`);
    if (!kind.fields.length) assert.ok(await page.locator("#fields input, #fields select").count() > 0, kind.keyword);
  }
  await page.selectOption("#kind", "hang");
  await page.getByRole("checkbox", { name: "worker-1" }).uncheck();
  await page.getByRole("checkbox", { name: "worker-2" }).check();
  await page.getByText("When", { exact: true }).click();
  await page.fill("#when [name=name]", "stuck");
  await page.fill("#when [name=for]", "2m");
  await page.getByRole("button", { name: "Inject" }).click();
  await page.locator("#faults", { hasText: "hang worker-2" }).waitFor();
  await until("it hangs", async () => (await condition(page, "worker-2")) === "hung");
  assert.equal((await state(mock)).faults[0].ends, "2m");
  await page.getByRole("button", { name: "End stuck" }).click();
  await until("it is over", async () => (await condition(page, "worker-2")) === "serving");
  // Keys of their own, and a choice that has a measure.
  await page.selectOption("#kind", "task-failures");
  await page.fill("#fields [name=share]", "70%");
  await page.getByRole("button", { name: "Inject" }).click();
  await page.locator("#faults", { hasText: "70% of" }).waitFor();
  await page.selectOption("#kind", "database");
  await page.selectOption("#target", ":slow");
  await page.fill("#amount", "20x");
  await page.fill("#when [name=at]", "40m");
  await page.getByRole("button", { name: "Inject" }).click();
  await page.locator("#faults", { hasText: "at 40m, planned by the session" }).waitFor();
  await page.getByRole("button", { name: /Take back database/ }).click();
  await until("it is taken back", async () => !(await page.locator("#faults").textContent()).includes("at 40m"));
  // What cannot be is told with what to write instead.
  await page.selectOption("#kind", "kill");
  await page.fill("#when [name=for]", "a while");
  await page.getByRole("button", { name: "Inject" }).click();
  await until("it is refused", async () => /a while.*/.test(await text(page, "refused")));
  assert.match(await text(page, "refused"), /30s|2m|1h/);
}, { refused: 1 });

/** What every member says at instants, as one number. */
async function fingerprint(mock, instants) {
  const hash = createHash("sha256");
  for (const at of instants) {
    for (const member of mock.members) {
      for (const path of ["prometheus", "health"]) {
        const response = await fetch(`${mock.url}members/${member}/${path}?at=${at}`);
        hash.update(`${member} ${path} ${response.status} ${await response.text()}`);
      }
    }
  }
  return hash.digest("hex");
}

on(KILLED, "what is exported gives the same bytes again", async (page, mock) => {
  await go(page, mock, "2m");
  await page.selectOption("#kind", "no-answer");
  await page.getByRole("button", { name: "Inject" }).click();
  await page.locator("#faults", { hasText: "no answer from worker-1" }).waitFor();
  await page.getByRole("button", { name: "Step ahead by 1m", exact: true }).click();
  await until("it is later", async () => await seconds(mock) === 180);
  await page.selectOption("#kind", "arrivals");
  await page.fill("#fields [name=times]", "5x");
  await page.getByRole("button", { name: "Inject" }).click();
  await page.locator("#faults", { hasText: "5 times as many" }).waitFor();
  await page.getByRole("button", { name: /^End no-answer/ }).click();
  await page.getByRole("button", { name: "Step ahead by 5m" }).click();
  await until("it is later", async () => await seconds(mock) === 480);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#export")]);
  assert.equal(download.suggestedFilename(), "worker-killed-session.yaml");
  const file = join(mock.folder, "session.yaml");
  await download.saveAs(file);
  assert.match(readFileSync(file, "utf8"), /"no-answer":\["worker-1"\]/);
  await until("it is said what is left out", async () => (await text(page, "left-out")) === "All that was done is in it.");
  const command = (await text(page, "again")).split(" ");
  assert.deepEqual(command.slice(-2), ["--seed", "1"]);
  const other = await serve(file, ...command.slice(-2), "--paused");
  try {
    await other.ask("api/run-until", { at: "8m", now: true });
    const instants = ["150s", "185s", "4m", "8m", "11m30s"];
    assert.equal(await fingerprint(other, instants), await fingerprint(mock, instants));
    const untouched = await serve("worker-killed", "--paused");
    assert.notEqual(await fingerprint(untouched, instants), await fingerprint(mock, instants), "what was done matters");
    untouched.stop();
  } finally { other.stop(); }
});

on(["alert-flows", "--paused"], "notifications are marks", async (page, mock) => {
  await go(page, mock, "20m");
  await until("they are drawn", async () => await page.locator("#lanes path.markie").count() > 0);
  assert.match(await page.locator("#lanes").textContent(), /from company\.alerts\./);
  assert.match(await page.locator("#alerts").textContent(), /serve --rules FILE/);
});

on(KILLED, "charts and tables tell the same", async (page, mock) => {
  await go(page, mock, "10m");
  await until("it is drawn", async () => (await text(page, "time")) === "10m");
  const names = await page.locator("#charts figcaption b:first-child").allTextContents();
  assert.deepEqual(names.slice(0, 1).concat(names.filter(name => /Jobs|Heap|Connections/.test(name))), ["Executions a minute", "Jobs in workers", "Jobs in the queue", "Heap in use", "Connections in use"]);
  for (let chart = 0; chart < 5; chart += 1) {
    const points = await page.locator(`#chart-${chart} path.line`).first().getAttribute("d");
    assert.ok(points.split("L").length > 60, points);
  }
  await page.getByText("The same as tables").click();
  await page.locator("#then tbody tr").nth(4).waitFor();
  const told = await mock.json("api/timeline?from=10m");
  const running = told.figures.members.map(one => one.running.at(-1));
  assert.deepEqual(await page.locator("#then tbody tr td:nth-child(3)").allTextContents(), running.map(String));
  assert.ok(await page.locator("#rows tbody tr", { hasText: "to come" }).count() > 0);
  await page.locator("#chart-0").click({ position: { x: 20, y: 50 } });
  await until("a click on a chart is an instant", async () => (await text(page, "where")).endsWith(" ago"));
});

on(KILLED, "all of it can be done with the keyboard", async (page, mock) => {
  const focus = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  await page.keyboard.press("Tab");
  assert.equal(await focus(), "Skip to the cluster");
  const order = [];
  for (let presses = 0; presses < 60 && order.at(-1) !== "scrub"; presses += 1) {
    await page.keyboard.press("Tab");
    order.push(await focus());
  }
  for (const id of ["pause", "1x", "+1m", "until", "reset", "theme", "back", "ahead", "scrub"]) assert.ok(order.includes(id), `${id} in ${order}`);
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await until("it looks back", async () => (await text(page, "where")) === "-2s, 2s ago");
  await page.keyboard.press("End");
  await until("it looks ahead", async () => (await text(page, "where")).endsWith("m ahead"));
  await page.keyboard.press("Home");
  await until("it looks back", async () => (await text(page, "where")).startsWith("-10m"));
  await page.locator("#live").press("Enter");
  await page.locator("[data-member='executor-1']").press("Enter");
  await until("the member is shown", async () => (await focus()) === "member-name");
  await page.locator("#close").press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.member), "executor-1");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("Space");
  await until("space lets time go on", async () => !(await state(mock)).clock.paused && (await text(page, "pause")) === "Pause");
  await page.keyboard.press("Space");
  await until("and stops it", async () => (await state(mock)).clock.paused);
  await page.locator("#kind").focus();
  await page.keyboard.type("hang");
  assert.equal(await page.inputValue("#kind"), "hang");
  await page.locator("#inject button").press("Enter");
  await until("it is injected", async () => (await state(mock)).faults.length === 1);
});

on(KILLED, "the theme is that of the system, or the one that was chosen", async (page, mock) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.click("#theme");
  assert.equal(await text(page, "theme"), "Theme: light");
  await page.click("#theme");
  assert.notEqual(await ground(), light);
  await page.reload();
  await page.waitForSelector("body[data-ready]");
  assert.notEqual(await ground(), light, "it is kept");
  await page.click("#theme");
  await page.emulateMedia({ colorScheme: "dark" });
  assert.notEqual(await ground(), light);
});

for (const width of [375, 1920]) {
  for (const colorScheme of ["light", "dark"]) {
    on(KILLED, `${width} px, ${colorScheme}: nothing runs out, and axe has nothing to say`, async (page, mock) => {
      await go(page, mock, "11m40s");
      await until("the alert is there", async () => (await page.locator("#alerts").textContent()).includes("KestraWorkerDown"));
      await page.locator("[data-member='worker-2']").click();
      await page.locator("#scrub").fill("630");
      await until("it is looked at", async () => (await text(page, "answer")).startsWith("/health at 10m30s"));
      await page.getByText("The same as tables").click();
      await page.getByText("When", { exact: true }).click();
      await page.selectOption("#kind", "lost-results");
      await page.fill("#until", "soon");
      await page.getByRole("button", { name: "Jump" }).click();
      await until("trouble is told", async () => page.locator("#trouble").isVisible());
      const [inner, wide] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
      assert.ok(wide <= inner, `${wide} of ${inner}`);
      assert.deepEqual(await found(page), []);
    }, { width, colorScheme, refused: 1 });
  }
}

on(["healthy-cluster", "--paused"], "a mock that is gone is told, and one that comes back", async (page, mock) => {
  const policy = (await fetch(mock.url)).headers.get("content-security-policy");
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  let bytes = 0;
  for (const path of ["", "page.js", "page.css"]) bytes += (await fetch(mock.url + path).then(it => it.arrayBuffer())).byteLength;
  assert.ok(bytes > 10_000 && bytes <= 150_000, `${bytes} bytes`);
  await page.route("**/api/state", route => route.fulfill({ status: 409, contentType: "application/problem+json", body: JSON.stringify({ detail: "others look", advice: "ask again" }) }));
  await until("it is told", async () => (await text(page, "trouble")) === "others look: ask again");
  await page.unroute("**/api/state");
  await until("it is over", async () => page.locator("#trouble").isHidden());
}, { refused: Infinity });

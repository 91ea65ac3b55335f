// A mock as a process of its own, and a page of it in a browser that keeps count of what must not happen.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const BINARY = process.env.MOCK_KESTRA;
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Serves a scenario on free ports; `stop` ends it. */
export async function serve(...args) {
  const folder = mkdtempSync(join(tmpdir(), "mock-kestra-page-")), ready = join(folder, "ready.json");
  const child = spawn(BINARY, ["serve", ...args, "--port", "0", "--control", "0", "--ready-file", ready], { stdio: ["ignore", "ignore", "inherit"] });
  let addresses;
  for (let tries = 0; !addresses; tries += 1) {
    if (tries > 3000 || child.exitCode !== null) throw new Error("the mock does not get ready");
    await new Promise(done => setTimeout(done, 20));
    try { addresses = JSON.parse(readFileSync(ready, "utf8")); } catch { /* Not yet. */ }
  }
  const url = `http://${addresses.control}/`;
  const ask = async (path, body, method = body === undefined ? "GET" : "POST") => {
    const response = await fetch(url + path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text;
  };
  return {
    url, folder, ask,
    json: async (...args) => JSON.parse(await ask(...args)),
    members: addresses.members.map(member => member.name),
    stop: () => { child.kill(); rmSync(folder, { recursive: true, force: true }); },
  };
}

export const launch = () => chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--force-color-profile=srgb"] });

/** A page of a mock; `wrong` gathers errors of the console and requests to anybody else, `refused` what the mock refused. */
export async function open(browser, mock, { width = 1280, height = 900, colorScheme = "light", hash = "" } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, acceptDownloads: true, permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage(), wrong = [], refused = [];
  // What the mock refuses the browser itself writes into the console.
  const busy = [];
  // A machine that is slow says so with 503, and is asked again.
  const place = text => /status of 503 /.test(text) ? busy : /status of (400|409|422) /.test(text) ? refused : wrong;
  page.on("console", message => { if (["error", "warning"].includes(message.type())) place(message.text()).push(message.text()); });
  page.on("pageerror", error => wrong.push(String(error.stack)));
  page.on("request", request => { if (!request.url().startsWith(mock.url) && !request.url().startsWith("data:")) wrong.push("asked " + request.url()); });
  await page.goto(mock.url + hash);
  await page.waitForSelector("body[data-ready]");
  return { page, wrong, refused, close: () => context.close() };
}

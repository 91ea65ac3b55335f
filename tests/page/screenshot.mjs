// The README's pictures: a real browser, a real mock, the same instant each time.
// node screenshot.mjs page|dashboard FILE.png, where the packages are (target/peers/page).
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { launch, open, serve } from "./mock.mjs";

const SIZE = { width: 1360, height: 960, colorScheme: "light" };

/// The live page, a minute and a half into a failure.
async function live(browser) {
  const mock = await serve("worker-killed", "--rules", process.env.RULES, "--paused");
  try {
    await mock.ask("api/run-until", { at: "7m", now: true });
    await mock.ask("api/faults", { name: "blocked", "no-answer": "webserver-1", for: "95s" });
    await mock.ask("api/run-until", { at: "11m30s", now: true });
    const { page } = await open(browser, mock, SIZE);
    await page.waitForFunction(() => document.querySelectorAll("#lanes .ahead rect").length > 5);
    // Where the machine is slow, what is to come is asked for again.
    await page.waitForTimeout(1500);
    return await page.screenshot();
  } finally {
    mock.stop();
  }
}

/// What the demo does to a dashboard.
async function dashboard(browser) {
  const words = ["dashboard", process.env.DASHBOARD, "--scenario", "demo", "--format", "html"];
  const html = execFileSync(process.env.MOCK_KESTRA, words, { encoding: "utf8", maxBuffer: 1 << 26 });
  const context = await browser.newContext({ viewport: SIZE, colorScheme: SIZE.colorScheme });
  const page = await context.newPage();
  await page.setContent(html);
  return await page.screenshot();
}

const [, , kind, file] = process.argv;
const browser = await launch();
try {
  writeFileSync(file, await { page: live, dashboard }[kind](browser));
} finally {
  await browser.close();
}

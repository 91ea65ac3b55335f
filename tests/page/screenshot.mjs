// The README's picture of the page: a real browser, a real mock, the same instant each time.
// node screenshot.mjs FILE.png, where the packages are (target/peers/page).
import { writeFileSync } from "node:fs";
import { launch, open, serve } from "./mock.mjs";

const [, , file = "page.png"] = process.argv;
const mock = await serve("worker-killed", "--rules", process.env.RULES, "--paused");
const browser = await launch();
try {
  await mock.ask("api/run-until", { at: "7m", now: true });
  await mock.ask("api/faults", { name: "blocked", "no-answer": "webserver-1", for: "95s" });
  await mock.ask("api/run-until", { at: "11m30s", now: true });
  const { page } = await open(browser, mock, { width: 1360, height: 960, colorScheme: "light" });
  await page.waitForFunction(() => document.querySelectorAll("#lanes .ahead rect").length > 5);
  // Where the machine is slow, what is to come is asked for again.
  await page.waitForTimeout(1500);
  writeFileSync(file, await page.screenshot());
} finally {
  await browser.close();
  mock.stop();
}

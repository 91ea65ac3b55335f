// The README's picture of the page: a real browser, a real mock, the same instant each time.
// node screenshot.mjs FILE.png, where the packages are (target/peers/page).
import { writeFileSync } from "node:fs";
import { launch, open, serve } from "./mock.mjs";

const [, , file = "page.png"] = process.argv;
const mock = await serve("database-outage", "--rules", process.env.RULES, "--paused");
const browser = await launch();
try {
  await mock.ask("api/run-until", { at: "8m", now: true });
  await mock.ask("api/faults", { kill: "worker-1", for: "3m" });
  await mock.ask("api/run-until", { at: "11m10s", now: true });
  const { page } = await open(browser, mock, { width: 1440, height: 960, colorScheme: "light" });
  await page.waitForFunction(() => document.querySelectorAll("#lanes .ahead rect").length > 5);
  await page.waitForTimeout(1500);
  writeFileSync(file, await page.screenshot());
} finally {
  await browser.close();
  mock.stop();
}

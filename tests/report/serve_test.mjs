/* Uses the pages of `moesim serve` as a reader would, and as a stranger would.
 *
 *   node tests/report/serve_test.mjs LINK TOLD.csv SAVED.toml   a scenario's page; TOLD.csv is what
 *                                                               simulate tells of 256 GPUs
 *   node tests/report/serve_test.mjs LINK                       a folder's report
 *
 * SCREENSHOTS names a folder for pictures, if set. The browser is CHROMIUM, or /usr/bin/chromium. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const reports = fileURLToPath(new URL("../../reports/", import.meta.url));
const { chromium } = createRequire(path.join(reports, "package.json"))("playwright-core");
const [link, told, saved] = process.argv.slice(2);

/** Status, headers and text of a request. */
function ask(target, { method = "GET", headers = {} } = {}) {
  return new Promise((done, fail) => {
    const sent = request(new URL(target, link), { method, headers }, (reply) => {
      let text = "";
      reply.on("data", (piece) => { text += piece; });
      reply.on("end", () => done({ status: reply.statusCode, headers: reply.headers, text }));
    });
    sent.on("error", fail);
    sent.end();
  });
}

async function check_strangers() {
  assert.equal((await ask("/", { headers: { Host: "evil.example" } })).status, 403, "a foreign Host");
  assert.equal((await ask("/", { headers: { Host: "127.0.0.1:1" } })).status, 403, "another port");
  for (const method of ["POST", "PUT", "DELETE", "HEAD"])
    assert.equal((await ask("/", { method })).status, 405, method);
  assert.equal((await ask("/../scenario.toml.bak")).status, 404);
  assert.equal((await ask(`/?x=${"a".repeat(20000)}`)).status, 414, "a long address");
  const { headers } = await ask("/");
  const scripts = headers["content-security-policy"].match(/script-src ([^;]*)/)[1];
  assert.ok(!scripts.includes("unsafe"), scripts);
  assert.equal(headers["x-content-type-options"], "nosniff");
}

/** Settings that cannot be, or may not be set, are told in words. */
async function check_refusals() {
  const refused = async (query, status, words) => {
    const reply = await ask(`/answer?${query}`);
    assert.equal(reply.status, status, query);
    assert.ok(reply.text.includes(words), reply.text);
  };
  await refused("model.config=/etc/passwd", 400, "cannot be set here");
  await refused("cluster.gpus=8&cluster.gpus=16", 400, "given twice");
  await refused("parallel.tensor=3", 200, '"status":"illegal"');
  await refused("cluster.gpus=none", 200, '"status":"wrong input"');
}

async function picture(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: path.join(process.env.SCREENSHOTS, name), fullPage: true });
}

/** The step time, once it is compared with the dense twin. */
const step_time = async (page) => {
  await page.waitForFunction(() => document.getElementById("savings_kept_percent")
    && document.getElementById("progress").textContent.startsWith("Answered"));
  return page.textContent("#step_time_ms");
};

async function check_live(page) {
  const [names, cells] = (await readFile(told, "utf8")).trim().split("\n").map((line) => line.split(","));
  const expected = cells[names.indexOf("step_time_ms")];
  await page.goto(link);
  const first = await step_time(page);
  const slider = page.locator('input[type=range][data-key="cluster.gpus"]');
  await slider.focus();
  await page.keyboard.press("ArrowRight"); // 128 → 256
  await page.waitForFunction((before) => document.getElementById("step_time_ms")?.textContent !== before, first);
  assert.equal(await step_time(page), expected, "the number of simulate");
  assert.equal(new URL(page.url()).search, "?cluster.gpus=256");
  await page.reload();
  assert.equal(await step_time(page), expected, "the same page again");
  assert.equal(await page.inputValue('input[type=number][name="cluster.gpus"]'), "256");
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  await file.saveAs(saved);
  await picture(page, "live.png");
  const before = await ask("/best?cluster.gpus=256");
  const best = JSON.parse(before.text).result;
  await page.click("#best");
  await page.waitForFunction((time) => document.getElementById("step_time_ms").textContent === time, best.step_time_ms);
  await step_time(page);
  assert.equal(await page.textContent("#plan"), best.plan, "the best plan is the address's");
  assert.ok(Number(best.step_time_ms) <= Number(expected), "the best plan is no slower");
  await picture(page, "live-best.png");
  await page.fill('input[type=number][name="parallel.tensor"]', "3");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("answer").textContent.startsWith("illegal"));
  await picture(page, "live-illegal.png");
}

/** Names that hold markup are shown as text. */
async function check_hostile(page) {
  const markup = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
  await page.goto(`${link}?parallel.${encodeURIComponent(markup)}=1&parallel.schedule=${encodeURIComponent(markup)}`);
  await page.waitForFunction(() => document.getElementById("answer").textContent.startsWith("wrong input"));
  assert.notEqual(await page.title(), "owned");
  assert.equal(await page.locator("main img, main script").count(), 0);
}

async function check_phone(browser) {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  await page.goto(link);
  await step_time(page);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 390), "nothing runs off the edge");
  await picture(page, "live-phone.png");
  await page.close();
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  await check_strangers();
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const complaints = [];
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  if (told) {
    await check_refusals();
    await check_live(page);
    await check_hostile(page);
    await check_phone(browser);
  } else {
    await page.goto(link);
    await page.waitForSelector("section.chart .view svg");
  }
  assert.deepEqual(complaints, []);
} finally {
  await browser.close();
}

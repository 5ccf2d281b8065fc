/* Opens a report as a reader would: from its file, without a network, and uses it.
 *
 *   node tests/report/report_test.mjs REPORT.html [--charts N] [--screenshot FILE.png]
 *
 * --charts N         exactly N charts must be drawn (the rest must be named as left out)
 * --screenshot FILE  also saves the whole page, and beside it FILE with .pdf: the page on paper
 *
 * The browser is CHROMIUM, or /usr/bin/chromium. Exit code 0: every check held. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import {
  check_alternatives, check_answer, check_contrast, check_overlaps, check_width, pdf_pages,
} from "./page_checks.mjs";

const reports = fileURLToPath(new URL("../../reports/", import.meta.url));
const { chromium } = createRequire(path.join(reports, "package.json"))("playwright-core");

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { charts: { type: "string" }, screenshot: { type: "string" } },
});
if (positionals.length !== 1) {
  console.error("usage: node tests/report/report_test.mjs REPORT.html [--charts N] [--screenshot FILE.png]");
  process.exit(2);
}
const address = pathToFileURL(path.resolve(positionals[0])).href;

/** Every complaint of the page and every request that it should not make. */
function watch(page) {
  const found = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) found.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => found.push(`page: ${error}`));
  page.on("request", (request) => {
    if (request.url().split("#")[0] !== address) found.push(`request: ${request.url()}`);
  });
  return found;
}

/** Every chart of this kind of report is drawn with marks, or named as left out. */
async function check_charts(page) {
  const kind = await page.$eval("main", (main) => main.className);
  const folder = path.join(reports, "charts");
  const files = (await readdir(folder)).filter((name) => name.endsWith(".vl.json"));
  const specs = await Promise.all(files.map(async (name) => JSON.parse(await readFile(path.join(folder, name)))));
  const all = specs.filter(({ usermeta }) => usermeta.kinds.includes(kind));
  const drawn = await page.$$eval("section.chart", (sections) => sections.map((section) => ({
    name: section.id,
    marks: section.querySelectorAll(".view svg .mark-rect path, .view svg .mark-line path, .view svg .mark-symbol path").length,
    numbers: section.querySelector(".view svg")?.outerHTML.match(/NaN|undefined|Infinity/g)?.length ?? 0,
  })));
  for (const { name, marks, numbers } of drawn) {
    assert.ok(marks > 0, `chart ${name} has no marks`);
    assert.equal(numbers, 0, `chart ${name} has marks without a place`);
  }
  const left_out = await page.locator("#notes .left-out").count();
  assert.equal(drawn.length + left_out, all.length, "each chart is drawn or named as left out");
  if (options.charts) assert.equal(drawn.length, Number(options.charts), "charts drawn");
  return drawn;
}

/** The waterfall's labels: one for each part that fills at least 6 % of its step. */
async function check_labels(page) {
  const waterfall = page.locator('[id="a_step_parts"] .view svg');
  if (await waterfall.count() === 0) return;
  const expected = await waterfall.locator(".mark-rect.role-mark").evaluateAll((groups) => groups.map((group) => {
    const boxes = [...group.querySelectorAll("path")].map((bar) => bar.getBBox());
    const step = (x) => boxes.filter((box) => box.x === x).reduce((sum, box) => sum + box.height, 0);
    return boxes.filter((box) => box.height >= 0.06 * step(box.x) - 1e-6).length;
  }).reduce((sum, count) => sum + count, 0));
  const labels = await waterfall.locator(".mark-text.role-mark text").count();
  assert.equal(labels, expected, "labels in the waterfall");
}

/** The chart of links: for each point a hundred bins for each of its classes, and a mean a class. */
async function check_links(page) {
  const section = page.locator('[id="6_links"]');
  if (await section.count() === 0) return;
  const table = await page.$eval("#links", (element) => JSON.parse(element.textContent));
  const column = (name) => table.columns.indexOf(name);
  for (const option of await section.locator("select option").evaluateAll((all) => all.map((one) => one.value))) {
    await section.locator("select").selectOption(option);
    await page.waitForFunction(() => new Promise((done) => requestAnimationFrame(() => done(true))));
    const point = Number(option.match(/point (\d+)/)[1]);
    const bins = table.rows.filter((row) => row[column("point")] === point);
    const classes = new Set(bins.map((row) => row[column("link_class")]));
    assert.equal(bins.length, 100 * classes.size, `bins of point ${point}`);
    assert.equal(await section.locator(".mark-rect.role-mark path").count(), bins.length, `cells of point ${point}`);
    const colours = await section.locator(".mark-rect.role-mark path").evaluateAll((cells) => new Set(cells.map((cell) => cell.getAttribute("fill"))).size);
    assert.ok(colours > 1, `point ${point} is drawn in more than one colour`);
    assert.equal(await section.locator(".mark-text.role-mark text").count(), classes.size, `means of point ${point}`);
  }
}

/** Every value of every selector leaves a chart with marks, or a line that says there are none. */
async function check_selectors(page) {
  let tried = 0;
  for (const section of await page.locator("section.chart").all()) {
    const shown = section.locator(".shown");
    for (const select of await section.locator(".selectors select").all()) {
      const first = await select.inputValue();
      for (const value of await select.locator("option").evaluateAll((all) => all.map((one) => one.value))) {
        await select.selectOption(value);
        await page.waitForFunction(() => new Promise((done) => requestAnimationFrame(() => done(true))));
        assert.ok((await shown.textContent()).includes(value), `the chart says that it shows ${value}`);
        const empty = await shown.evaluate((line) => line.classList.contains("empty"));
        const marks = await section.locator(".view svg .mark-rect path, .view svg .mark-symbol path").count();
        assert.ok(empty || marks > 0, `the chart is drawn for ${value}`);
        ++tried;
      }
      await select.selectOption(first);
    }
  }
  return tried;
}

/** A choice stands in the address: opened there, the page shows it. A button saves the chart. */
async function check_links_and_buttons(page) {
  const select = page.locator("section.chart .selectors select:has(option + option)").first();
  if (await select.count() > 0) {
    const wished = await select.evaluate((one) => [...one.options].find((option) => !option.selected).value);
    await select.selectOption(wished);
    await page.waitForFunction((value) => [...new URLSearchParams(location.hash.slice(1)).values()].includes(value), wished);
    const address_end = await page.evaluate(() => location.hash);
    await open_page(page, address_end);
    assert.equal(await select.inputValue(), wished, "the choice of the address");
  }
  for (const [format, begin] of [["svg", "<svg"], ["png", "\x89PNG"]]) {
    const [download] = await Promise.all([
      page.waitForEvent("download"), page.locator(`.tools button[data-format=${format}]`).first().click(),
    ]);
    assert.match(download.suggestedFilename(), new RegExp(`\\.${format}$`));
    const bytes = await readFile(await download.path());
    assert.equal(bytes.toString("latin1").slice(0, 4), begin.slice(0, 4), `a ${format} file`);
  }
}

/** The number of points' rows in the table's body. */
const row_count = (page) => page.locator("#table tbody tr:not(.folded)").count();

/** The table folds what did not run, shows it when asked, filters, sorts by a click and marks the row
 *  that the address names. */
async function check_table(page) {
  const data = await page.$eval("#data", (element) => JSON.parse(element.textContent));
  const ran = data.filter((row) => (row.status ?? "ok") === "ok");
  assert.equal(await row_count(page), ran.length > 0 ? ran.length : data.length, "a row a point that ran");
  const filter = page.locator("#status-filter");
  if (data[0].status !== undefined)
    for (const status of new Set(data.map((row) => row.status))) {
      await filter.selectOption(status);
      assert.equal(await row_count(page), data.filter((row) => row.status === status).length, `rows with ${status}`);
      await filter.selectOption("");
    }
  const fold = page.locator("#table tr.folded button").first();
  if (await fold.count() > 0) await fold.click();
  assert.equal(await row_count(page), data.length, "a row a point");
  const number = page.locator("#table th .sort").first();
  const first_number = () => page.locator("#table tbody td.number").first().textContent();
  await number.click();
  assert.equal(await first_number(), "1", "ascending by row number");
  await number.click();
  assert.equal(await first_number(), String(data.length), "descending by row number");
  assert.match(page.url(), /sort=number&down=1$/, "the address tells the order");
  await number.click();
  const reasons = await page.locator("#table td.reason").allTextContents();
  assert.deepEqual(reasons, data.filter((row) => (row.status ?? "ok") !== "ok").map((row) => row.reason ?? ""));
  await page.evaluate((row) => { location.hash = `#row=${row}`; }, data.length);
  await page.waitForSelector(`#row-${data.length}.marked`);
  return data.length;
}

/** Three windows and a phone, light and dark. */
async function check_windows(page) {
  for (const width of [1440, 1024, 768, 390]) {
    await page.setViewportSize({ width, height: 900 });
    await open_page(page);
    await check_width(page, width);
    await check_overlaps(page, width);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  for (const mode of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme: mode });
    await open_page(page);
    await check_contrast(page, mode);
  }
}

/** At most six pages, no chart higher than its page; the summary is one page. */
async function check_paper(page) {
  await page.emulateMedia({ media: "print" });
  const heights = await page.$$eval("section.chart", (all) => all.map((one) => one.getBoundingClientRect().height));
  assert.ok(Math.max(0, ...heights) < 1000, "a chart has room on a page");
  assert.equal(await page.$$eval("section.chart", (all) => all.filter((one) => one.getClientRects().length > 0 && getComputedStyle(one).breakInside !== "avoid").length), 0, "no chart is cut in two");
  await page.emulateMedia({ media: null });
  const paper = { preferCSSPageSize: true, printBackground: true };
  assert.ok(pdf_pages(await page.pdf(paper)) <= 6, "at most six pages");
  await open_page(page, "#mode=summary");
  assert.equal(pdf_pages(await page.pdf(paper)), 1, "the summary is one page");
  await open_page(page);
}

/** The page as a picture and on paper. */
async function save_pictures(page, file) {
  await page.screenshot({ path: file, fullPage: true });
  await page.pdf({ path: file.replace(/\.png$/, "") + ".pdf", preferCSSPageSize: true, printBackground: true });
}

/** Opens the report afresh, and waits until it is drawn. */
async function open_page(page, shown = "") {
  await page.goto("about:blank");
  await page.goto(address + shown);
  await page.waitForSelector("html[data-ready=true]", { state: "attached", timeout: 60_000 });
}

const profile = await mkdtemp(path.join(tmpdir(), "moesim-report-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  offline: true,
  viewport: { width: 1440, height: 900 },
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  await context.route("**/*", (route) => (route.request().url().split("#")[0] === address ? route.continue() : route.abort()));
  const page = await context.newPage();
  const found = watch(page);
  await open_page(page);
  const drawn = await check_charts(page);
  if (options.screenshot) await save_pictures(page, options.screenshot);
  await check_labels(page);
  await check_links(page);
  await check_alternatives(page);
  const traced = await check_answer(page);
  const tried = await check_selectors(page);
  if (drawn.length > 0) await check_links_and_buttons(page);
  await check_windows(page);
  await check_paper(page);
  const rows = await check_table(page);
  assert.deepEqual(found, [], "no error, no warning, no request");
  console.log(`${drawn.length} charts drawn, ${tried} selections tried, ${traced} numbers traced, ${rows} rows: ok`);
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}

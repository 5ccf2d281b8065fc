/* Checks that hold for every report, whatever it shows: room, contrast, labels, numbers of the answer. */
import assert from "node:assert/strict";

/** Nothing runs off the edge: what is wider scrolls inside a region of its own. */
export async function check_width(page, width) {
  const off = await page.evaluate(() => [...document.querySelectorAll("main, main *")]
    .filter((one) => !one.closest(".table-scroll, .wide") && one.getBoundingClientRect().right > innerWidth + 1)
    .map((one) => `${one.tagName} ${one.id} ${one.className}`));
  assert.deepEqual(off, [], `nothing runs off the edge at ${width} pixels`);
}

/** No two texts of a chart cover each other. Boxes are those of the glyphs, less a pixel. */
export async function check_overlaps(page, width) {
  const covered = await page.$$eval(".view > svg, .view svg.marks", (charts) => charts.flatMap((chart) => {
    const texts = [...chart.querySelectorAll("text")].filter((one) => one.textContent.trim() !== "" && one.getAttribute("opacity") !== "0")
      .map((one) => ({ text: one.textContent, box: one.getBoundingClientRect() })).filter(({ box }) => box.width > 0);
    const found = [];
    for (let i = 0; i < texts.length; ++i)
      for (let k = i + 1; k < texts.length; ++k) {
        const [a, b] = [texts[i].box, texts[k].box];
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (across > 1 && down > 0.25 * Math.min(a.height, b.height))
          found.push(`${chart.closest("section").id}: "${texts[i].text}" and "${texts[k].text}"`);
      }
    return found;
  }));
  assert.deepEqual(covered, [], `no label covers another at ${width} pixels`);
}

/** Contrast of text by WCAG 2: 4.5, or 3 from 24 pixels on and from 18.66 in bold. Text of a chart
 *  stands on the mark below it. Runs in the page. */
function poor_contrasts() {
  const channels = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground_of = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = channels(getComputedStyle(one).backgroundColor);
      if (colour.a > 0) return colour;
    }
    return { r: 255, g: 255, b: 255 };
  };
  const below = (text) => {
    const box = text.getBoundingClientRect();
    const marks = [...text.closest("svg").querySelectorAll(".mark-rect path")].filter((mark) => {
      const at = mark.getBoundingClientRect();
      const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
      return at.left <= x && x <= at.right && at.top <= y && y <= at.bottom;
    });
    const filled = marks.map((mark) => getComputedStyle(mark).fill).filter((fill) => fill.startsWith("rgb"));
    return filled.length > 0 ? channels(filled.at(-1)) : null;
  };
  const found = [];
  for (const element of document.querySelectorAll("main *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== "");
    if (!own || element.closest("#trust svg, option, script") || element.getClientRects().length === 0) continue;
    const style = getComputedStyle(element);
    const drawn = element instanceof SVGElement;
    if (drawn && style.fill === "none") continue;
    const ink = channels(drawn ? style.fill : style.color);
    const ground = (drawn && below(element)) || ground_of(element);
    const [light, dark] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 600) ? 3 : 4.5;
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < needed) found.push(`${element.tagName} "${element.textContent.slice(0, 30)}" ${contrast.toFixed(2)}`);
  }
  return found;
}

export async function check_contrast(page, mode) {
  assert.deepEqual(await page.evaluate(poor_contrasts), [], `contrast in ${mode} mode`);
}

/** Every picture has a text. */
export async function check_alternatives(page) {
  for (const text of await page.$$eval("[role=img]", (all) => all.map((one) => one.getAttribute("aria-label") ?? "")))
    assert.ok(text.length > 20, `an alternative text: "${text}"`);
}

/** The number that a text begins with: "6.54 million", "12,345", "−20 %". */
function number_of(text) {
  return Number(text.replace("−", "-").replaceAll(",", "").match(/-?[\d.]+/)[0]) * (text.includes("million") ? 1e6 : 1);
}

/** The numbers of the first screen are those of the rows that they link to: each is computed again. */
export async function check_answer(page) {
  const data = await page.$eval("#data", (element) => JSON.parse(element.textContent));
  const numbers = await page.$$eval("header a.n", (all) => all.map((one) => ({
    text: one.textContent, row: Number(one.dataset.row), column: one.dataset.column, after: one.nextSibling?.textContent ?? "",
  })));
  for (const { text, row, column } of numbers) {
    let value = data[row - 1][column];
    if (column === "tokens_per_s_per_gpu") value = 1e9 / value / 3600; // GPU-hours per billion tokens
    if (column === "difference_ms") value = Math.abs(value);
    const size = Math.max(Math.abs(value), 1e-9);
    const off = Math.abs(number_of(text) - value);
    assert.ok(off <= 0.51 || off / size < 6e-3, `${text} is row ${row}'s ${column}: ${value}`);
  }
  const first = numbers.find(({ column, after }) => column === "tokens_per_s" && /^ tokens\/s \(/.test(after));
  if (first) { // the ends of the interval: the same tokens in the longest and in the shortest step
    const row = data[first.row - 1];
    const ends = first.after.match(/\(([^–]*)–([^)]*)\)/).slice(1).map(number_of);
    if (ends[1] >= 1e6 && ends[0] < 1000) ends[0] *= 1e6; // "5.03–7.67 million"
    for (const [end, column] of [[ends[0], "step_time_high_ms"], [ends[1], "step_time_low_ms"]]) {
      const value = (row.tokens_per_s * row.step_time_ms) / row[column];
      assert.ok(Math.abs(end / value - 1) < 6e-3, `${end} is ${value}`);
    }
  }
  const constants = await page.$eval("#sensitivity", (element) => JSON.parse(element.textContent));
  if (constants.rows.length > 0) { // they change the step of the row that the answer names
    const base = constants.rows[0][constants.columns.indexOf("base")];
    assert.ok(Math.abs(base / data[numbers[0].row - 1].step_time_ms - 1) < 1e-8, `${base} is its step`);
  }
  return numbers.length;
}

/** The pages of a PDF. */
export function pdf_pages(bytes) {
  return bytes.toString("latin1").match(/\/Type\s*\/Page\b/g).length;
}

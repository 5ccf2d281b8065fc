/* The live page: controls make the address's query, the server replays the step under it, and the
 * answer is drawn. All text from the server is set as text, never as markup. */
"use strict";

const titles = {
  "cluster.gpus": ["GPUs", [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]],
  "cluster.nic_gbit_per_s": ["NIC, Gbit/s", [25, 50, 100, 200, 400, 800, 1600]],
  "model.experts": ["experts", [2, 4, 8, 16, 32, 64, 128, 256, 512]],
  "model.experts_per_token": ["experts per token", [1, 2, 4, 6, 8, 10, 16]],
  "parallel.tensor": ["tensor parallel", [1, 2, 4, 8]],
  "parallel.pipeline": ["pipeline stages", [1, 2, 4, 8, 16, 32]],
  "parallel.expert": ["expert parallel", [1, 2, 4, 8, 16, 32, 64, 128, 256]],
  "training.micro_batch": ["micro-batch, sequences", [1, 2, 4, 8]],
};
const parts = {
  compute_ms: "compute", ep_exposed_ms: "expert parallel, exposed", pp_bubble_ms: "pipeline bubble",
  tp_exposed_ms: "tensor parallel, exposed", dp_exposed_ms: "data parallel, exposed",
  optimizer_ms: "optimizer", other_ms: "other",
};
const losses = {
  lost_router_percent: "router", lost_expert_gemm_percent: "expert GEMMs",
  lost_imbalance_percent: "uneven load", lost_ep_scale_up_percent: "all-to-all inside a domain",
  lost_ep_scale_out_percent: "all-to-all between domains", lost_pp_percent: "pipeline",
  lost_tp_percent: "tensor parallel", lost_dp_percent: "data parallel",
  lost_optimizer_percent: "optimizer", lost_other_percent: "other",
};
const facts = ["step_time_ms", "step_time_low_ms", "step_time_high_ms", "tokens_per_s", "mfu_percent",
  "memory_gib_per_gpu", "savings_kept_percent", "dense_step_time_ms", "ideal_speedup",
  "actual_speedup", "bottleneck", "extrapolated_percent", "plan"];

const by_id = (id) => document.getElementById(id);
const query = () => new URLSearchParams(location.search);
let base = {}; // the controls of the scenario file
let asked = new AbortController();

/** A number with three significant digits, all of the whole part. */
function shown(value) {
  const size = Math.abs(value);
  return value.toLocaleString("en", { maximumFractionDigits: size >= 100 ? 0 : size >= 10 ? 1 : 2 });
}

function element(name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/** A row of a chart: name, number, and a bar from 0; `low` and `high` are the ends of the axis. */
function bar_row(title, value, unit, low, high) {
  const row = element("tr");
  const cell = element("td", { class: "bar", "aria-hidden": "true" });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const place = (number) => 100 * (number - low) / (high - low || 1);
  rect.setAttribute("x", `${place(Math.min(value, 0))}%`);
  rect.setAttribute("width", `${Math.abs(place(value) - place(0))}%`);
  rect.setAttribute("height", "100%");
  if (value < 0) rect.setAttribute("class", "gain");
  svg.append(rect);
  cell.append(svg);
  row.append(element("th", { scope: "row" }, title), element("td", { class: "number" }, `${shown(value)} ${unit}`.replace("-", "−")), cell);
  return row;
}

function draw_bars(table, names, result, unit) {
  const rows = Object.entries(names)
    .filter(([column]) => result[column] !== "" && result[column] !== undefined)
    .map(([column, title]) => [title, Number(result[column])])
    .filter(([, value]) => value !== 0);
  const low = Math.min(0, ...rows.map(([, value]) => value));
  const high = Math.max(0, ...rows.map(([, value]) => value));
  table.replaceChildren(...rows.map(([title, value]) => bar_row(title, value, unit, low, high)));
}

function sentence({ result, status, reason, hint }) {
  if (status !== "ok") return `${status}: ${reason}${hint ? ` (${hint})` : ""}`;
  const interval = result.step_time_low_ms === "" ? ""
    : ` (90 %: ${shown(Number(result.step_time_low_ms))}–${shown(Number(result.step_time_high_ms))})`;
  const kept = result.savings_kept_percent === "" ? ""
    : ` ${shown(Number(result.savings_kept_percent))} % of the saving is kept.`.replace("-", "−");
  return `One step takes ${shown(Number(result.step_time_ms))} ms${interval}, at ${shown(Number(result.mfu_percent))} % MFU and ${shown(Number(result.memory_gib_per_gpu))} GiB on the fullest GPU.${kept}`;
}

function draw(answer) {
  const result = answer.result ?? {};
  const line = by_id("answer");
  line.textContent = sentence(answer);
  line.classList.toggle("wrong", answer.status !== "ok");
  document.querySelector(".charts").classList.remove("stale");
  for (const section of document.querySelectorAll("section")) section.hidden = answer.status !== "ok";
  draw_bars(by_id("parts"), parts, result, "ms");
  draw_bars(by_id("lost"), losses, result, "%");
  const compared = Boolean(result.savings_kept_percent);
  by_id("lost-note").textContent = compared
    ? "Percent of the saving on paper; with savings kept they add up to 100 %. Below 0: the MoE gains."
    : "Compared with the dense twin: the same model with every expert active for every token.";
  by_id("facts").replaceChildren(...facts.filter((name) => result[name]).flatMap((name) => {
    const value = element("dd", { id: name }, result[name]);
    return [element("dt", { title: answer.meanings[name] }, name), value];
  }));
}

/** Asks the server under the query of the address; drops what was asked before. */
async function ask(kind, word) {
  asked.abort();
  const own = asked = new AbortController();
  const begin = performance.now();
  by_id("progress").textContent = word;
  document.querySelector(".charts").classList.add("stale");
  try {
    const reply = await fetch(`${kind}?${query()}`, { signal: own.signal });
    const answer = reply.ok ? await reply.json()
      : { status: "wrong input", reason: await reply.text() };
    by_id("progress").textContent = `Answered in ${shown(performance.now() - begin)} ms.`;
    return answer;
  } catch (error) {
    if (error.name === "AbortError") return null;
    by_id("progress").textContent = "";
    return { status: "failed", reason: "the server does not answer; is moesim serve still running?" };
  }
}

/** The step first, in milliseconds; then its comparison, for which plans are searched. */
async function redraw() {
  show_controls();
  const answer = await ask("answer", "Replaying …");
  if (!answer) return;
  draw(answer);
  if (answer.status !== "ok") return;
  const compared = await ask("savings", "Searching the best plans of the dense twin …");
  if (compared) draw(compared);
}

/** Puts a setting into the address; the file's own value needs none. */
function set(key, value) {
  const settings = query();
  if (Number(value) === base[key]) settings.delete(key);
  else settings.set(key, value);
  history.replaceState(null, "", settings.toString() ? `?${settings}` : "./");
}

/** The controls and the links follow the address. */
function show_controls() {
  const settings = query();
  for (const box of document.querySelectorAll("#controls input[type=number]")) {
    box.value = settings.get(box.name) ?? base[box.name];
    const slider = box.nextElementSibling;
    const values = slider.dataset.values.split(" ").map(Number);
    const nearest = values.reduce((best, value, at) =>
      Math.abs(Math.log(value / box.value)) < Math.abs(Math.log(values[best] / box.value)) ? at : best, 0);
    slider.value = nearest;
    slider.setAttribute("aria-valuetext", box.value);
  }
  by_id("save").href = `scenario.toml?${settings}`;
  const others = [...settings].filter(([key]) => !(key in base)).map((pair) => pair.join(" = "));
  by_id("others").textContent = others.length ? `Also set: ${others.join(", ")}.` : "";
}

function make_control(key, value) {
  const [title, choices] = titles[key];
  const values = [...new Set([...choices, value])].sort((a, b) => a - b);
  const label = element("label", {}, title);
  const box = element("input", { type: "number", name: key, min: "0", step: "any" });
  const slider = element("input", { type: "range", min: "0", max: String(values.length - 1), "data-values": values.join(" "), "aria-label": `${title}, slider`, "data-key": key });
  box.addEventListener("change", () => { set(key, box.value); redraw(); });
  slider.addEventListener("input", () => { set(key, values[Number(slider.value)]); redraw(); });
  label.append(box, slider);
  return label;
}

/** The fastest plan becomes the address's settings, so that controls move on from it. */
async function find_best() {
  const answer = await ask("best", "Searching all plans …");
  if (!answer) return;
  if (answer.status === "ok") {
    const settings = query();
    for (const key of [...settings.keys()])
      if (key.startsWith("parallel.") || key.startsWith("communication.")) settings.delete(key);
    for (const assignment of answer.result.plan.split(" ")) {
      const equals = assignment.indexOf("=");
      settings.set(assignment.slice(0, equals), assignment.slice(equals + 1));
    }
    history.replaceState(null, "", `?${settings}`);
    redraw();
  } else draw(answer);
}

async function start() {
  by_id("controls").addEventListener("submit", (event) => event.preventDefault());
  by_id("best").addEventListener("click", find_best);
  const reply = await fetch("controls");
  base = await reply.json();
  by_id("controls").replaceChildren(...Object.entries(base).map(([key, value]) => make_control(key, value)));
  await redraw();
}
start();

/* Each chart's spec, completed with the sweep's own axes, and drawn. */

const chart_width = 1210;

/** How an axis is called above a chart. */
const axis_titles = {
  "cluster.topology": "topology",
  "cluster.gpus": "GPUs",
  "model.experts": "experts",
  "cluster.nic_gbit_per_s": "NIC Gbit/s",
};
function axis_title(axis) {
  return axis_titles[axis] ?? axis;
}

const topology_colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#111111", "#56b4e9", "#b8860b", "#5d3a9b", "#882255", "#777777"];
const topology_shapes = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left", "circle", "square"];

const theme = {
  background: "#fff",
  font: "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif",
  view: { stroke: null },
  axis: {
    labelFontSize: 18, titleFontSize: 18, titleFontWeight: 600, labelColor: "#111", titleColor: "#111", labelAngle: 0,
    gridColor: "#d9d9d9", domainColor: "#111", tickColor: "#111", titlePadding: 10, labelPadding: 6, labelOverlap: true,
  },
  header: { labelFontSize: 20, labelFontWeight: 600, labelColor: "#111", labelPadding: 8 },
  legend: { orient: "top", labelFontSize: 18, titleFontSize: 18, titleFontWeight: 600, labelColor: "#111", titleColor: "#111", symbolSize: 220, labelLimit: 320, columnPadding: 26, offset: 14 },
  facet: { spacing: 34 },
};

/** The axes that a chart does not draw: each is held at one value, chosen above the chart. */
function held_axes(spec) {
  return axes.filter((axis) => !spec.usermeta.draws.includes(axis) && axis_values.get(axis).length > 1);
}

/** Each combination of held values that occurs, as a map from axis to value, with its points. */
function choices_of(held) {
  const groups = group_by(ok_rows, (row) => JSON.stringify(held.map((axis) => row[axis])));
  return [...groups.values()].map((rows) => ({ rows, values: held.map((axis) => rows[0][axis]) }));
}

/** How many of the level lines a choice's points lie on both sides of. */
function crossed_levels(rows) {
  const kept = rows.map((row) => row.savings_kept_percent).filter((value) => value !== null);
  return contour_levels.filter(({ level }) => Math.min(...kept) < level && Math.max(...kept) >= level).length;
}

/** The combination shown first: the most points, then the most to see, then the fastest NIC. */
function first_choice(spec, held) {
  const nic = held.indexOf("cluster.nic_gbit_per_s");
  const score = (choice) => [
    choice.rows.length,
    spec.usermeta.prefers === "crossings" ? crossed_levels(choice.rows) : 0,
    nic >= 0 ? choice.values[nic] : 0,
  ];
  const better = (a, b) => {
    const [left, right] = [score(a), score(b)];
    const differs = left.findIndex((value, i) => value !== right[i]);
    return differs >= 0 && left[differs] > right[differs];
  };
  return choices_of(held).reduce((best, choice) => (better(choice, best) ? choice : best));
}

/** A selector for each held axis, and the filter that obeys them. */
function selectors_of(spec, held) {
  if (held.length === 0) return { params: [], filters: [] };
  const first = first_choice(spec, held);
  const params = held.map((axis, i) => ({
    name: `held_${i}`,
    value: first.values[i],
    bind: { input: "select", options: axis_values.get(axis), name: axis_title(axis) },
  }));
  const filters = held.map((axis, i) => ({ filter: `datum[${JSON.stringify(field_of(axis))}] === held_${i}` }));
  return { params, filters };
}

/** Calls `visit` for every object in a spec, the inner ones first. */
function walk(node, visit) {
  if (node === null || typeof node !== "object") return;
  Object.values(node).forEach((child) => walk(child, visit));
  if (!Array.isArray(node)) visit(node);
}

/** Gives an axis the same values, and a topology the same colour and shape, whatever is selected. */
function fix_domains(spec) {
  for (const [axis, values] of [...axis_values, ["cluster.topology", values_of(points, "cluster_topology")]])
    walk(spec, (node) => {
      for (const channel of ["x", "color", "shape"]) {
        const definition = node[channel];
        if (definition?.field !== field_of(axis)) continue;
        definition.scale = { ...definition.scale, domain: values };
        if (channel === "color") definition.scale.range = values.map((_, i) => topology_colours[i % topology_colours.length]);
        if (channel === "shape") definition.scale.range = values.map((_, i) => topology_shapes[i % topology_shapes.length]);
      }
    });
}

/** Small multiples share the page's width; a facet of one value becomes a plain chart. */
function lay_out(spec) {
  if (!spec.facet) return spec;
  const values = values_of(points, spec.facet.field);
  if (values.length <= 1) {
    const { facet, spec: inner, ...outer } = spec;
    return { ...outer, ...inner, width: chart_width - 130 };
  }
  const wished = spec.usermeta.columns;
  const columns = values.length <= 2 * wished ? Math.min(values.length, wished) : Math.min(5, Math.ceil(values.length / 2));
  if (values.length > columns) spec.spec.height = Math.min(spec.spec.height, 280);
  spec.facet.sort = values;
  spec.columns = columns;
  spec.spec.width = Math.floor((chart_width - 90) / columns - 34);
  return spec;
}

/** The spec with its data, selectors and sizes; how many values are held, and what to say of them. */
function complete(file_spec) {
  const spec = lay_out(structuredClone(file_spec));
  const held = held_axes(spec);
  const { params, filters } = selectors_of(spec, held);
  const map = spec.usermeta.prefers === "crossings"
    ? heat_map_data("cluster.nic_gbit_per_s", "model.experts", "savings_kept_percent", held) : null;
  if (map) spec.height = Math.max(200, 96 * map.row_labels.length);
  if (map) params.push({ name: "column_labels", value: map.column_labels }, { name: "row_labels", value: map.row_labels });
  fix_domains(spec);
  walk(spec, (node) => {
    if (node.data?.name) node.transform = [...filters, ...(node.transform ?? [])];
  });
  const datasets = map?.datasets ?? { points, waterfall: waterfall_data(), all_to_all: all_to_all_data() };
  const used = new Set();
  walk(spec, (node) => node.data?.name && used.add(node.data.name));
  // A copy for each chart: Vega marks the objects it reads, and marked copies would merge.
  spec.datasets = structuredClone(Object.fromEntries(Object.entries(datasets).filter(([name]) => used.has(name))));
  return { spec: { ...spec, params, config: theme }, held: held.length, describe: (chosen) => describe_choice(held, chosen) };
}

/** In words, which values are shown, and how many points that ran have them. */
function describe_choice(held, chosen) {
  return {
    words: held.map((axis, i) => `${axis_title(axis)} ${chosen[i]}`).join(", "),
    count: ok_rows.filter((row) => held.every((axis, i) => row[axis] === chosen[i])).length,
  };
}

/** Says below the selectors what is shown (paper has no selectors), and if no point has it. */
function show_choice(line, { words, count }) {
  line.textContent = count > 0 ? (words && `Shown: ${words}`) : `No point that ran has ${words}: choose another value.`;
  line.classList.toggle("empty", count === 0);
}

/** Draws one chart into its section. */
async function draw_chart(name, file_spec) {
  const section = document.getElementById(name);
  const completions = { links: complete_links, loads: complete_loads, percentiles: complete_percentiles };
  const { spec, held, describe } = (completions[file_spec.usermeta.table] ?? complete)(file_spec);
  const { view } = await vegaEmbed(section.querySelector(".view"), spec, {
    mode: "vega-lite", renderer: "svg", actions: false, ast: true, bind: section.querySelector(".selectors"),
  });
  const signals = Array.from({ length: held }, (_, i) => `held_${i}`);
  const show = () => show_choice(section.querySelector(".shown"), describe(signals.map((signal) => view.signal(signal))));
  signals.forEach((signal) => view.addSignalListener(signal, show));
  show();
}

/** Draws every chart; one that fails says so in its place and does not stop the others. */
async function draw_charts() {
  for (const [name, spec] of Object.entries(embedded("specs"))) {
    try {
      await draw_chart(name, spec);
    } catch (error) {
      console.error(`chart ${name}: ${error}`);
      document.querySelector(`[id="${name}"] .view`).textContent = `This chart could not be drawn: ${error}`;
    }
  }
}

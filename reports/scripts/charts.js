/* Each chart's spec, completed with the sweep's own axes, and drawn. */

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

/** The axes that a chart does not draw: each is held at one value, chosen above the chart. */
function held_axes(spec) {
  return axes.filter((axis) => !spec.usermeta.draws.includes(axis) && axis_values.get(axis).length > 1);
}

/** Each combination of held values that occurs, with its points. */
function choices_of(held) {
  const groups = group_by(ok_rows, (row) => JSON.stringify(held.map((axis) => row[axis])));
  return [...groups.values()].map((rows) => ({ rows, values: held.map((axis) => rows[0][axis]) }));
}

/** How much of a map its columns or its rows tell: the mean spread of the measure along an axis. */
function spread_along(rows, axis, measure) {
  const others = (row) => JSON.stringify(axes.filter((one) => one !== axis).map((one) => row[one]));
  const spreads = [...group_by(rows, others).values()].map((group) => {
    const values = group.map((row) => row[measure]).filter((value) => typeof value === "number");
    return values.length > 1 ? Math.max(...values) - Math.min(...values) : 0;
  });
  return spreads.length > 0 ? spreads.reduce((sum, value) => sum + value, 0) / spreads.length : 0;
}

/** How many of the level lines a choice's points lie on both sides of. */
function crossed_levels(rows) {
  const kept = rows.map((row) => row.savings_kept_percent).filter((value) => typeof value === "number");
  return contour_levels.filter(({ level }) => Math.min(...kept) < level && Math.max(...kept) >= level).length;
}

/** The combination shown first is the one that says most: that of a map changes along both of its
 *  axes, crosses most levels and spreads most; that of another chart has most points and spreads
 *  most. */
function first_choice(spec, held) {
  const measure = spec.usermeta.measure;
  const score = ({ rows }) => {
    const numbers = rows.map((row) => row[measure]).filter((value) => typeof value === "number");
    const spread = numbers.length > 0 ? Math.max(...numbers) - Math.min(...numbers) : 0;
    if (spec.usermeta.prefers !== "crossings") return [numbers.length, spread];
    const along = spec.usermeta.draws.map((axis) => spread_along(rows, axis, measure));
    return [along.filter((one) => one >= 1).length, crossed_levels(rows), numbers.length, Math.min(...along), spread];
  };
  const better = (a, b) => {
    const [left, right] = [score(a), score(b)];
    const differs = left.findIndex((value, i) => value !== right[i]);
    return differs >= 0 && left[differs] > right[differs];
  };
  return choices_of(held).reduce((best, choice) => (better(choice, best) ? choice : best));
}

/** The held values that the address, or an earlier drawing, asks for; else those that say most. */
function chosen_values(name, spec, held) {
  const first = first_choice(spec, held).values;
  const asked = state.get("chart") === name ? state.all() : new URLSearchParams();
  return held.map((axis, i) => {
    const wished = asked.get(axis) ?? drawn_charts.get(name)?.chosen[i];
    return axis_values.get(axis).find((value) => String(value) === String(wished)) ?? first[i];
  });
}

/** A selector for each held axis, and the filter that obeys them. */
function selectors_of(name, spec, held) {
  if (held.length === 0) return { params: [], filters: [] };
  const chosen = chosen_values(name, spec, held);
  const params = held.map((axis, i) => ({
    name: `held_${i}`,
    value: chosen[i],
    bind: { input: "select", options: axis_values.get(axis), name: axis_title(axis) },
  }));
  const filters = held.map((axis, i) => ({ filter: `datum[${JSON.stringify(field_of(axis))}] === held_${i}` }));
  return { params, filters };
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
function lay_out(spec, room) {
  const margin = 5 * text_size(room);
  if (!spec.facet) return { ...spec, width: Math.max(160, room - margin - (spec.usermeta.margin ?? 0)) };
  const values = values_of(points, spec.facet.field);
  if (values.length <= 1) {
    const { facet, spec: inner, ...outer } = spec;
    return { ...outer, ...inner, width: room - margin };
  }
  const brief = state.is("summary"); // in one row, if that is possible
  const fitting = Math.max(1, Math.min(brief ? 5 : spec.usermeta.columns, Math.floor(room / (brief ? 200 : 260))));
  const columns = Math.min(values.length, values.length <= 2 * fitting ? fitting : Math.min(5, Math.floor(room / 200) || 1));
  if (brief || values.length > columns) spec.spec.height = Math.min(spec.spec.height, 240);
  spec.facet.sort = values;
  spec.columns = columns;
  spec.spec.width = Math.floor((room - margin) / columns - 26);
  return spec;
}

/** The spec with its data, selectors and sizes; how many values are held, and what to say of them. */
function complete(name, file_spec, room) {
  const spec = lay_out(structuredClone(file_spec), room);
  const held = held_axes(spec);
  const { params, filters } = selectors_of(name, spec, held);
  const map = spec.usermeta.prefers === "crossings"
    ? heat_map_data("cluster.nic_gbit_per_s", "model.experts", "savings_kept_percent", held) : null;
  if (map) spec.height = Math.max(160, Math.min(560, (room >= 520 ? 84 : 56) * map.row_labels.length));
  if (map) params.push({ name: "column_labels", value: map.column_labels }, { name: "row_labels", value: map.row_labels });
  fix_domains(spec);
  walk(spec, (node) => {
    if (node.data?.name) node.transform = [...filters, ...(node.transform ?? [])];
  });
  const datasets = map?.datasets ?? { points, waterfall: waterfall_data(), all_to_all: all_to_all_data() };
  const used = new Set();
  walk(spec, (node) => node.data?.name && used.add(node.data.name));
  // A copy for each chart: Vega marks the objects it reads, and marked copies would merge.
  spec.datasets = structuredClone(Object.fromEntries(Object.entries(datasets).filter(([table]) => used.has(table))));
  return { spec: { ...spec, params }, held, describe: (chosen) => describe_choice(held, chosen) };
}

/** In words, which values are shown, and how many points that ran have them. */
function describe_choice(held, chosen) {
  return {
    words: held.map((axis, i) => `${axis_title(axis)} ${chosen[i]}`).join(", "),
    count: ok_rows.filter((row) => held.every((axis, i) => row[axis] === chosen[i])).length,
  };
}

const completions = {
  links: complete_links, loads: complete_loads, percentiles: complete_percentiles,
  candidates: complete_candidates, sensitivity: complete_sensitivity, comparison: complete_comparison,
  curve: complete_curve, contour: complete_contour,
};

/** A chart's spec for a width and colours, ready for Vega-Lite. */
function chart_spec(name, room, colours) {
  const file_spec = embedded("specs")[name];
  const made = (completions[file_spec.usermeta.table] ?? complete)(name, file_spec, room);
  made.spec.config = theme(room, colours);
  paint(made.spec, colours);
  return made;
}

/** What is drawn, by the name of the chart: its view, the values that its selectors hold, and what
 *  these say. */
const drawn_charts = new Map();

/** Says below the selectors what is shown (paper has no selectors), and if no point has it; tells
 *  readers of the page's text the same. */
function show_choice(section, title, { words, count }) {
  const line = section.querySelector(".shown");
  line.textContent = count > 0 ? (words && `Shown: ${words}`) : `No point that ran has ${words}: choose another value.`;
  line.classList.toggle("empty", count === 0);
  const reading = section.querySelector(".reading").textContent;
  section.querySelector(".view").setAttribute("aria-label", [title, words, reading].filter(Boolean).join(". "));
}

/** Draws one chart into its section, in place of an earlier drawing. */
async function draw_chart(name) {
  const section = document.getElementById(name);
  const place = section.querySelector(".view");
  const room = state.is("export") ? 1200 : state.is("summary") ? 1100 : Math.max(260, Math.min(1240, place.clientWidth));
  const { spec, held, describe } = chart_spec(name, room, page_colours());
  drawn_charts.get(name)?.view.finalize();
  section.querySelector(".selectors").replaceChildren();
  const { view } = await vegaEmbed(place, spec, {
    mode: "vega-lite", renderer: "svg", actions: false, ast: true, bind: section.querySelector(".selectors"),
    tooltip: { theme: page_colours() === dark_colours ? "dark" : "light" },
  });
  const title = spec.usermeta.title;
  const drawn = { view, chosen: [], words: "" };
  drawn_charts.set(name, drawn);
  const show = () => {
    drawn.chosen = held.map((_, i) => view.signal(`held_${i}`));
    const choice = describe(drawn.chosen);
    drawn.words = choice.words;
    show_choice(section, title, choice);
    const link = { chart: name, ...Object.fromEntries(held.map((axis, i) => [axis, drawn.chosen[i]])) };
    section.querySelector(".tools a").href = state.link(link);
    return link;
  };
  held.forEach((_, i) => view.addSignalListener(`held_${i}`, () => state.show(show())));
  show();
}

/** Draws every chart; one that fails says so in its place and does not stop the others. */
async function draw_charts() {
  for (const name of Object.keys(embedded("specs"))) {
    try {
      await draw_chart(name);
    } catch (error) {
      console.error(`chart ${name}: ${error}`);
      document.querySelector(`[id="${name}"] .view`).textContent = `This chart could not be drawn: ${error}`;
    }
  }
}

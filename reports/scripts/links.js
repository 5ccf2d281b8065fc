/* The use of the links over the step, of the few points for which the sweep kept it. */

const link_table = embedded("links");

/** "hgx-h100-ndr400, GPUs 256, experts 8 (fastest)": a point, and why it was chosen. */
function link_point_name(point, chosen_as) {
  const row = table_rows[point - 1];
  const place = axes.map((axis) => (axis === "cluster.topology" ? row[axis] : `${axis_title(axis)} ${row[axis]}`));
  return `${[...place, `point ${point}`].join(", ")} (${chosen_as})`;
}

/** The bins with their end and the name of their point, and for each class the means over the step. */
function links_data() {
  const bins = link_table.rows.map((cells) => Object.fromEntries(cells.map((cell, i) => [link_table.columns[i], cell])));
  const links = [];
  const link_means = [];
  for (const members of group_by(bins, (bin) => `${bin.point} ${bin.link_class}`).values()) {
    const shown_point = link_point_name(members[0].point, members[0].chosen_as);
    const length_ms = table_rows[members[0].point - 1].step_time_ms / members.length;
    for (const bin of members) links.push({ ...bin, shown_point, end_ms: bin.time_ms + length_ms });
    const mean = (column) => members.reduce((sum, bin) => sum + bin[column], 0) / members.length;
    link_means.push({
      shown_point, link_class: members[0].link_class, end_ms: links.at(-1).end_ms,
      label: `${percent_text(mean("max_percent"))} %`,
    });
  }
  return { links, link_means };
}

/** One digit after the point where whole percents would hide the value. */
function percent_text(value) {
  return value > 0 && value < 10 ? value.toFixed(1) : value.toFixed(0);
}

/** A bin of the point that keeps least of the saving: the chart opens with it. */
function least_kept_point(links) {
  const kept = (bin) => table_rows[bin.point - 1].savings_kept_percent ?? Infinity;
  return links.reduce((least, bin) => (kept(bin) < kept(least) ? bin : least));
}

/** A chart of some shown points with its data and the selector of its point; the point at first is
 *  the one of `first_row`. */
function complete_shown_points(name, file_spec, datasets, rows, first_row, room) {
  const spec = { ...structuredClone(file_spec), width: Math.max(120, room - ((file_spec.usermeta.margin ?? 0) * text_size(room)) / 16) };
  const names = values_of(rows, "shown_point");
  const asked = state.get("chart") === name ? state.get("point") : drawn_charts.get(name)?.chosen[0];
  const first = names.find((one) => one === asked) ?? first_row.shown_point;
  walk(spec, (node) => {
    if (node.data?.name) node.transform = [{ filter: "datum.shown_point === held_0" }, ...(node.transform ?? [])];
  });
  const params = [{ name: "held_0", value: first, bind: { input: "select", options: names, name: "point" } }];
  return {
    spec: { ...spec, params, datasets: structuredClone(datasets) },
    held: ["point"],
    describe: ([point]) => ({ words: point, count: 1 }),
  };
}

/** The chart of links. */
function complete_links(name, file_spec, room) {
  const datasets = links_data();
  return complete_shown_points(name, file_spec, datasets, datasets.links, least_kept_point(datasets.links), room);
}

/* The loads of experts of the few points for which the sweep kept them, and percentiles over seeds. */

/** The rows of an embedded table as objects, without dots in their names. */
function rows_of(table) {
  return table.rows.map((cells) => Object.fromEntries(cells.map((cell, i) => [field_of(table.columns[i]), cell])));
}

/** The heat map of loads. */
function complete_loads(name, file_spec, room) {
  const loads = rows_of(embedded("loads")).map((row) => ({ ...row, shown_point: link_point_name(row.point, row.chosen_as) }));
  const made = complete_shown_points(name, file_spec, { loads }, loads, loads[0], room);
  made.spec.height = Math.max(160, Math.min(560, 14 * values_of(loads, "layer").length));
  return made;
}

/** The chart over training: one series for each combination of the axes that it does not draw. */
function complete_percentiles(name, file_spec, room) {
  const drawn = ["routing.step", "routing.seed"];
  const others = axes.filter((axis) => !drawn.includes(axis) && axis_values.get(axis).length > 1);
  const percentiles = rows_of(embedded("percentiles")).map((row) => ({
    ...row, series: others.map((axis) => shown_value(row[field_of(axis)])).join(", ") || "all seeds",
  }));
  return drawn_once({ ...structuredClone(file_spec), width: room - 90 }, { percentiles });
}

/** A chart that holds no value: its spec with its data, without the layers that have none. */
function drawn_once(spec, datasets, params = []) {
  if (spec.layer) spec.layer = spec.layer.filter((layer) => datasets[layer.data?.name]?.length !== 0);
  return { spec: { ...spec, params, datasets: structuredClone(datasets) }, held: [], describe: () => ({ words: "", count: 1 }) };
}

/* The loads of experts of the few points for which the sweep kept them, and percentiles over seeds. */

/** The rows of an embedded table as objects, without dots in their names. */
function rows_of(table) {
  return table.rows.map((cells) => Object.fromEntries(cells.map((cell, i) => [field_of(table.columns[i]), cell])));
}

/** The heat map of loads with its data and the selector of its point. */
function complete_loads(file_spec) {
  const loads = rows_of(embedded("loads")).map((row) => ({ ...row, shown_point: link_point_name(row.point, row.chosen_as) }));
  const names = values_of(loads, "shown_point");
  const spec = structuredClone(file_spec);
  spec.height = Math.max(160, Math.min(560, 14 * values_of(loads, "layer").length));
  spec.transform = [{ filter: "datum.shown_point === held_0" }];
  const params = [{ name: "held_0", value: names[0], bind: { input: "select", options: names, name: "point" } }];
  return { spec: { ...spec, params, datasets: { loads }, config: theme }, held: 1, describe: ([name]) => ({ words: name, count: 1 }) };
}

/** The chart over training: one series for each combination of the axes that it does not draw. */
function complete_percentiles(file_spec) {
  const drawn = ["routing.step", "routing.seed"];
  const others = axes.filter((axis) => !drawn.includes(axis) && axis_values.get(axis).length > 1);
  const percentiles = rows_of(embedded("percentiles")).map((row) => ({
    ...row, series: others.map((axis) => shown_value(row[field_of(axis)])).join(", ") || "all seeds",
  }));
  return { spec: { ...structuredClone(file_spec), datasets: { percentiles }, config: theme }, held: 0, describe: () => ({ words: "", count: 1 }) };
}

/* Charts of single questions: the effect of each constant, one step beside another, break-even. */

/** Rows of bars with room for their names at the left. */
function bar_rows(spec, room, count) {
  spec.encoding.y.axis.labelLimit = room >= 520 ? 280 : 150;
  return { ...spec, width: Math.max(120, room - (room >= 520 ? 380 : 190)), height: Math.max(90, (room >= 520 ? 30 : 26) * count) };
}

/** The tornado: the change of the column at each end of each constant's error, in percent. A table
 *  of the constants alone is the report's own; that of a sweep stands beside it. */
function complete_sensitivity(name, file_spec, room) {
  const most_rows = 12;
  const least_share = 0.02; // of the largest effect
  const own = table_columns.includes("effect_percent");
  const all = own ? points : rows_of(embedded("sensitivity"));
  const rows = all.slice(0, most_rows).filter((row) => row.effect_percent >= least_share * all[0].effect_percent);
  const effects = rows.flatMap((row) => [["low", row.low], ["high", row.high]].map(([end, value]) => ({
    ...row, end: `its ${end} end`, change_percent: 100 * (value / row.base - 1),
  })));
  const spec = bar_rows(structuredClone(file_spec), room, rows.length);
  const words = rows[0].of ? `${rows[0].column} of ${rows[0].of}` : rows[0].column;
  return { ...drawn_once(spec, { effects }), describe: () => ({ words, count: 1 }) };
}

/** The waterfall from step A to step B: each part's difference stands on those before it. */
function complete_comparison(name, file_spec, room) {
  const total = points.find((point) => point.part === "total");
  let at = total.a_ms;
  const bars = [{ ...total, part: "A, in all", kind: "total", from_ms: 0, to_ms: total.a_ms }];
  for (const point of points) {
    if (point.part === "total" || Math.abs(point.difference_ms) < 1e-4 * total.a_ms) continue;
    const part = point.part.replaceAll("_", " ").replace(/^(ep|pp|tp|dp) /, (degree) => degree.toUpperCase());
    bars.push({ ...point, part, kind: point.difference_ms > 0 ? "longer in B" : "shorter in B", from_ms: at, to_ms: at + point.difference_ms });
    at += point.difference_ms;
  }
  bars.push({ ...total, part: "B, in all", kind: "total", from_ms: 0, to_ms: total.b_ms });
  const labelled = bars.map((bar, order) => ({
    ...bar, order, end_ms: Math.max(bar.from_ms, bar.to_ms),
    text: bar.kind === "total" ? cell_text(bar.to_ms) : `${bar.difference_ms > 0 ? "+" : "−"}${cell_text(Math.abs(bar.difference_ms))}`,
  }));
  return drawn_once(bar_rows(structuredClone(file_spec), room, bars.length), { bars: labelled });
}

/** A knob's range as it was searched: by ratio, or by difference in a range from 0. */
function knob_scale(values) {
  return Math.min(...values) > 0 ? "log" : "linear";
}

/** The curve of a column over a knob, the condition's right side, and the crossing with its interval.
 *  The first row is the answer. */
function complete_curve(name, file_spec, room) {
  const [answer, ...curve] = points;
  const limit = Number(answer.until.split(" ").pop());
  const spec = { ...structuredClone(file_spec), width: room - 110 };
  walk(spec, (node) => {
    if (node.field === "value" && node.scale) node.scale.type = knob_scale(curve.map((point) => point.value));
    if (node.title === "KNOB") node.title = answer.knob;
    if (node.title === "COLUMN") node.title = answer.column;
  });
  const crossing = answer.value === null ? [] : [{ ...answer, low: answer.low ?? answer.value, high: answer.high ?? answer.value }];
  return { ...drawn_once(spec, { curve, crossing, limit: [{ limit }] }), describe: () => ({ words: answer.until, count: 1 }) };
}

/** The contour of a condition over two knobs: the crossing of the first for each value of the other. */
function complete_contour(name, file_spec, room) {
  const contour = points.filter((point) => point.row === "contour" && point.value !== null);
  const replayed = points.filter((point) => point.row === "point").map((point) => ({ ...point, holds: point.holds === "yes" ? "holds" : "does not hold" }));
  const spec = { ...structuredClone(file_spec), width: room - 110 };
  walk(spec, (node) => {
    if (node.field === "value" && node.scale) node.scale.type = knob_scale(replayed.map((point) => point.value));
    if (node.field === "and_value" && node.scale) node.scale.type = knob_scale(replayed.map((point) => point.and_value));
    if (node.title === "KNOB") node.title = points[0].knob;
    if (node.title === "AND_KNOB") node.title = points[0].and_knob;
  });
  return { ...drawn_once(spec, { contour, replayed, band: contour.filter((point) => point.low !== null && point.high !== null) }), describe: () => ({ words: points[0].until, count: 1 }) };
}

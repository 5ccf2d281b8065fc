/* The cells of the heat map and the level lines between their centres. */

const contour_levels = [
  { level: 0, label: "break-even" },
  { level: 50, label: "50 % kept" },
];

/** Where between two corners the level lies, if their values are on its two sides. */
function crossing(from, to, level) {
  if (!from || !to || from.value < level === to.value < level) return null;
  const share = (level - from.value) / (to.value - from.value);
  return { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) };
}

/** Marching squares: the level's segments in the square above and right of cell (x, y). */
function square_segments(cell_at, x, y, level) {
  const corners = [cell_at(x, y), cell_at(x + 1, y), cell_at(x + 1, y + 1), cell_at(x, y + 1)];
  if (corners.some((corner) => !corner)) return [];
  const hits = corners.map((corner, i) => crossing(corner, corners[(i + 1) % 4], level)).filter(Boolean);
  const segments = [];
  for (let i = 0; i + 1 < hits.length; i += 2) segments.push([hits[i], hits[i + 1]]);
  return segments;
}

/** The level's segments in a map of one row or column: a bar across the cells at each crossing. */
function strip_segments(cell_at, columns, rows, level) {
  const segments = [];
  for (let x = 0; x < columns; ++x)
    for (let y = 0; y < rows; ++y) {
      const right = crossing(cell_at(x, y), cell_at(x + 1, y), level);
      const above = crossing(cell_at(x, y), cell_at(x, y + 1), level);
      if (right) segments.push([{ x: right.x, y: right.y - 0.5 }, { x: right.x, y: right.y + 0.5 }]);
      if (above) segments.push([{ x: above.x - 0.5, y: above.y }, { x: above.x + 0.5, y: above.y }]);
    }
  return segments;
}

/** The segments of one level in one map. */
function level_segments(cells, columns, rows, level) {
  const by_place = new Map(cells.map((cell) => [`${cell.x} ${cell.y}`, cell]));
  const cell_at = (x, y) => by_place.get(`${x} ${y}`);
  if (columns === 1 || rows === 1) return strip_segments(cell_at, columns, rows, level);
  const segments = [];
  for (let x = 0; x + 1 < columns; ++x)
    for (let y = 0; y + 1 < rows; ++y) segments.push(...square_segments(cell_at, x, y, level));
  return segments;
}

/** The heat map's data for every choice of the other axes: cells and level lines. */
function heat_map_data(column_axis, row_axis, value_column, other_axes) {
  const column_labels = values_of(ok_rows, column_axis);
  const row_labels = values_of(ok_rows, row_axis);
  const cells = ok_rows.filter((row) => typeof row[value_column] === "number").map((row) => {
    const x = column_labels.indexOf(row[column_axis]);
    const y = row_labels.indexOf(row[row_axis]);
    return { ...datum_of(row), value: row[value_column], x, y, left: x - 0.5, right: x + 0.5, low: y - 0.5, high: y + 0.5 };
  });
  const maps = group_by(cells, (cell) => choice_key(cell, other_axes));
  const contours = [];
  for (const members of maps.values()) {
    const lines = [];
    const choice = Object.fromEntries(other_axes.map((axis) => [field_of(axis), members[0][field_of(axis)]]));
    for (const { level, label } of contour_levels)
      for (const [a, b] of level_segments(members, column_labels.length, row_labels.length, level))
        lines.push({ ...choice, level, label, x: a.x, y: a.y, x2: b.x, y2: b.y });
    contours.push(...lines);
    for (const cell of members) Object.assign(cell, number_place(cell, lines));
  }
  return { column_labels, row_labels, datasets: { cells, contours } };
}

/** Where the number of a cell stands: the place that is farthest from every level line, its centre
 *  where that is far enough. Distances in cells, which are twice as wide as they are high. */
function number_place(cell, lines) {
  const places = [[0, 0], [-0.3, -0.27], [0.3, -0.27], [-0.3, 0.27], [0.3, 0.27]].map(([right, up]) => {
    const place = { number_x: cell.x + right, number_y: cell.y + up };
    return { place, room: Math.min(Infinity, ...lines.map((line) => distance_to(line, place))) };
  });
  const far_enough = 0.6;
  if (places[0].room > far_enough) return places[0].place;
  return places.reduce((best, one) => (one.room > best.room ? one : best)).place;
}

/** The distance of a place from a line's segment, across counted double. */
function distance_to(line, { number_x, number_y }) {
  const [dx, dy] = [2 * (line.x2 - line.x), line.y2 - line.y];
  const [px, py] = [2 * (number_x - line.x), number_y - line.y];
  const along = Math.max(0, Math.min(1, (px * dx + py * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(px - along * dx, py - along * dy);
}

/** What tells the maps of one chart apart. */
function choice_key(datum, other_axes) {
  return JSON.stringify(other_axes.map((axis) => datum[field_of(axis)]));
}

/** The items by key, in the order of first appearance. */
function group_by(items, key_of) {
  const groups = new Map();
  for (const item of items) {
    const key = key_of(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return groups;
}

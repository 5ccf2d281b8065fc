/* The chart of cost and days: the candidates of a plan, and where their labels stand. */

/** Places for a label beside its mark, the wished one first: offsets in pixels, and its alignment. */
const label_places = [
  { dx: 13, dy: -13, align: "left" }, { dx: 13, dy: 15, align: "left" },
  { dx: -13, dy: -13, align: "right" }, { dx: -13, dy: 15, align: "right" },
  { dx: 4, dy: 24, align: "left" }, { dx: 4, dy: -24, align: "left" }, { dx: -4, dy: 24, align: "right" },
  { dx: -4, dy: -24, align: "right" }, { dx: 4, dy: 42, align: "left" }, { dx: 4, dy: -42, align: "left" },
];

/** The box of a label at a place. */
function label_box(mark, place, size) {
  const width = 0.68 * size * String(mark.label).length;
  const left = mark.px + place.dx - (place.align === "right" ? width : 0);
  return { left, right: left + width, top: mark.py + place.dy - 0.6 * size, bottom: mark.py + place.dy + 0.6 * size };
}

function boxes_meet(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** The labels, each at the first place where it meets no other and no mark; one without such a place is left to
 *  the tooltip and the table. */
function placed_labels(marks, size) {
  const taken = marks.map((mark) => ({ left: mark.px - 9, right: mark.px + 9, top: mark.py - 9, bottom: mark.py + 9 }));
  return marks.flatMap((mark) => {
    const place = label_places.find((one) => !taken.some((box) => boxes_meet(box, label_box(mark, one, size))));
    if (!place) return [];
    taken.push(label_box(mark, place, size));
    return [{ ...mark, lx: mark.px + place.dx, ly: mark.py + place.dy, align: place.align }];
  });
}

/** The chart of candidates: both axes begin at zero. */
function complete_candidates(name, file_spec, room) {
  const spec = structuredClone(file_spec);
  spec.width = Math.max(160, room - 100);
  spec.height = Math.max(260, Math.min(420, Math.round((state.is("summary") ? 0.28 : 0.55) * room)));
  const most = (columns) => Math.max(...points.flatMap((point) => columns.map((column) => Number(point[column]) || 0)));
  const days = 1.08 * most(["days_high", "deadline_days"]);
  const cost = 1.08 * most(["cost_high"]);
  const marks = points.map((point) => ({
    ...point, label: point.cluster_gpus,
    px: (spec.width * point.days) / days, py: spec.height * (1 - point.cost / cost),
  }));
  const labels = placed_labels(marks, text_size(room)).map((mark) => ({
    ...mark, label_days: (mark.lx / spec.width) * days, label_cost: (1 - mark.ly / spec.height) * cost,
  }));
  return drawn_once(spec, { candidates: points, candidate_labels: labels }, [
    { name: "days_most", value: days }, { name: "cost_most", value: cost },
  ]);
}

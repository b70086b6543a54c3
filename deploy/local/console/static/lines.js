// How a way of the picture is drawn, and where there is room beside it.

/** A line through points, with round corners. */
export function route(points, r = 8) {
  let d = `M${points[0].join(' ')}`;
  for (let i = 1; i < points.length - 1; i++) {
    const [a, b, c] = [points[i - 1], points[i], points[i + 1]];
    const cut = (to) => {
      const far = Math.hypot(to[0] - b[0], to[1] - b[1]) || 1,
        t = Math.min(r, far / 2) / far;
      return [b[0] + (to[0] - b[0]) * t, b[1] + (to[1] - b[1]) * t]
        .map((n) => n.toFixed(1))
        .join(' ');
    };
    d += `L${cut(a)}Q${b.join(' ')} ${cut(c)}`;
  }
  return d + `L${points.at(-1).join(' ')}`;
}

/** The place of a lane's label that is farthest from every line that crosses the lane. */
export function free(x1, x2, crossing) {
  const [left, right] = [Math.min(x1, x2), Math.max(x1, x2)],
    middle = (left + right) / 2;
  const room = (x) => Math.min(60, ...crossing.map((c) => Math.abs(c - x)));
  let best = middle;
  for (let x = left + 42; x <= right - 42; x += 6) {
    const better = room(x) - room(best) || Math.abs(best - middle) - Math.abs(x - middle);
    if (better > 0) best = x;
  }
  return best;
}

// Where each thing of the picture stands, and how the ways between them run: at right angles, so
// that they can be followed. Apps stand in a row below the front, their own things below them, and
// the bus last. On a phone the picture is turned, and the bus is at the right.

import { free, route } from './lines.js';

const of = (nodes, kind) => nodes.filter((n) => n.kind === kind);
const owned = (nodes, app) => nodes.filter((n) => n.of === app.id);

/** The picture's size, a box for each node, and a line with its label's place for each edge. */
export function layout(nodes, edges, narrow) {
  const front = nodes.find((n) => n.front),
    apps = of(nodes, 'app').filter((n) => n !== front);
  const calls = lanes(apps, edges),
    way = { nodes, apps, front, calls, boxes: new Map(), ways: [] };
  way.row = TRUNK + 84 + LANE * Math.max(0, ...[...calls.values()].map((c) => c.n + 1));
  const size = narrow ? placeDown(way) : placeAcross(way);
  calls.forEach((lane, edge) => {
    const turn = narrow ? betweenDown : betweenAcross;
    way.ways.push({ edge, ...turn(way, edge, lane) });
  });
  for (const edge of edges) {
    const from = way.boxes.get(edge.from),
      to = way.boxes.get(edge.to);
    if (!from || !to || way.ways.some((w) => w.edge === edge) || edge.from === edge.to) continue;
    way.ways.push({ edge, ...(narrow ? down : across)(way, edge, from, to) });
  }
  return { ...size, boxes: way.boxes, ways: way.ways };
}

/** Calls between apps of the row have a lane each, the short ones nearest to the apps. */
function lanes(apps, edges) {
  const index = (id) => apps.findIndex((a) => a.id === id),
    taken = [],
    found = new Map();
  const calls = edges.filter(
    (e) => e.kind === 'call' && index(e.from) >= 0 && index(e.to) >= 0 && e.from !== e.to,
  );
  const length = (e) => Math.abs(index(e.from) - index(e.to));
  for (const e of calls.sort((a, b) => length(a) - length(b))) {
    const [a, b] = [index(e.from), index(e.to)].sort((x, y) => x - y);
    let n = 0;
    while (taken[n]?.some(([c, d]) => a < d && c < b)) n++;
    (taken[n] ||= []).push([a, b]);
    found.set(e, { n, a: index(e.from), b: index(e.to) });
  }
  return found;
}

/* Wide */

const CARD = 196,
  TALL = 70,
  PILL = 144,
  STEP = 262,
  LANE = 22,
  TRUNK = 172;

function placeAcross({ nodes, apps, front, boxes, row }) {
  const width = Math.max(apps.length, 2) * STEP + 24,
    middle = width / 2;
  of(nodes, 'client').forEach((n) => boxes.set(n.id, { x: middle, y: 30, w: 120, h: 36 }));
  if (front) boxes.set(front.id, { x: middle, y: 118, w: CARD, h: TALL });
  let low = row + TALL / 2;
  apps.forEach((n, i) => {
    const x = 12 + STEP * (i + 0.5);
    boxes.set(n.id, { x, y: row, w: CARD, h: TALL });
    owned(nodes, n).forEach((o, j) => {
      const y = row + 88 + j * 54;
      boxes.set(o.id, { x: x + 9, y, w: PILL, h: 44 });
      low = Math.max(low, y + 22);
    });
  });
  const buses = of(nodes, 'bus');
  buses.forEach((n, i) =>
    boxes.set(n.id, {
      x: middle,
      y: low + 84 + i * 60,
      w: width - 32,
      h: 40,
    }),
  );
  return { width, height: low + (buses.length ? 64 + buses.length * 60 : 20) };
}

function betweenAcross({ boxes, apps, row, calls }, edge, { n, a, b }) {
  const y = row - TALL / 2 - 16 - n * LANE,
    side = Math.sign(b - a);
  const port = (i, s, n) => boxes.get(apps[i].id).x + s * (88 - n * 18);
  const [x1, x2] = [port(a, side, n), port(b, -side, n)],
    top = row - TALL / 2;
  const higher = [...calls.values()]
    .filter((c) => c.n > n)
    .flatMap((c) => {
      const s = Math.sign(c.b - c.a);
      return [port(c.a, s, c.n), port(c.b, -s, c.n)];
    });
  return {
    d: route([
      [x1, top],
      [x1, y],
      [x2, y],
      [x2, top - 3],
    ]),
    label: { x: free(x1, x2, [...higher, ...apps.map((app) => boxes.get(app.id).x)]), y: y - 5 },
  };
}

function across({ front }, edge, from, to) {
  const bottom = (b) => b.y + b.h / 2,
    top = (b) => b.y - b.h / 2;
  switch (edge.kind) {
    case 'request':
      return {
        d: route([
          [from.x, bottom(from)],
          [to.x, top(to) - 3],
        ]),
        label: { x: from.x + 10, y: (bottom(from) + top(to)) / 2 + 4, anchor: 'start' },
      };
    case 'call':
      return {
        d: route([
          [from.x, bottom(from)],
          [from.x, TRUNK],
          [to.x, TRUNK],
          [to.x, top(to) - 3],
        ]),
        label: { x: to.x + 8, y: TRUNK + 19, anchor: 'start' },
      };
    case 'state':
    case 'binding':
    case 'provider': {
      const x = from.x - 74;
      return {
        d: route([
          [x, bottom(from)],
          [x, to.y],
          [to.x - to.w / 2 - 3, to.y],
        ]),
      };
    }
    case 'publish': {
      const x = edge.from === front?.id ? from.x - 40 : from.x - 90;
      return {
        d: route([
          [x, bottom(from)],
          [x, top(to) - 3],
        ]),
        label: { x: x + 8, y: top(to) - 26, anchor: 'start' },
      };
    }
    default: {
      const x = edge.to === front?.id ? to.x + 40 : to.x + 90;
      return {
        d: route([
          [x, top(from)],
          [x, bottom(to) + 3],
        ]),
        label: { x: x - 8, y: top(from) - 10, anchor: 'end' },
      };
    }
  }
}

/* Narrow */

function placeDown({ nodes, apps, front, boxes }) {
  const width = 400;
  of(nodes, 'client').forEach((n) => boxes.set(n.id, { x: 300, y: 46, w: 110, h: 36 }));
  if (front) boxes.set(front.id, { x: 121, y: 46, w: 158, h: 66 });
  let y = 110;
  apps.forEach((n) => {
    const own = owned(nodes, n);
    boxes.set(n.id, { x: 121, y: y + 33, w: 158, h: 66 });
    own.forEach((o, j) => boxes.set(o.id, { x: 281, y: y + 20 + j * 48, w: 136, h: 40 }));
    y += Math.max(66, own.length * 48) + 62;
  });
  of(nodes, 'bus').forEach((n, i) =>
    boxes.set(n.id, {
      x: 378 - i * 30,
      y: (110 + y) / 2 - 16,
      w: 28,
      h: y - 110 - 20,
      turned: true,
    }),
  );
  return { width, height: y };
}

function betweenDown({ boxes, apps }, edge, { n, a, b }) {
  const x = 36 - (n + 1) * 7,
    side = Math.sign(b - a) * (20 - n * 4);
  const [one, two] = [boxes.get(apps[a].id), boxes.get(apps[b].id)];
  return {
    d: route(
      [
        [42, one.y + side],
        [x, one.y + side],
        [x, two.y - side],
        [39, two.y - side],
      ],
      4,
    ),
  };
}

function down({ boxes, nodes }, edge, from, to) {
  const below = (app) => {
    const last = owned(nodes, { id: app }).at(-1),
      box = boxes.get(app);
    return Math.max(box.y + box.h / 2, last ? boxes.get(last.id).y + 20 : 0);
  };
  switch (edge.kind) {
    case 'request':
      return {
        d: route([
          [from.x - from.w / 2, from.y],
          [to.x + to.w / 2 + 3, to.y],
        ]),
      };
    case 'call':
      return {
        d: route(
          [
            [42, from.y],
            [35, from.y],
            [35, to.y],
            [39, to.y],
          ],
          4,
        ),
      };
    case 'state':
    case 'binding':
    case 'provider': {
      const x = from.x + from.w / 2,
        y = from.y - 14;
      return {
        d: route(
          [
            [x, y],
            [x + 8, y],
            [x + 8, to.y],
            [to.x - to.w / 2 - 3, to.y],
          ],
          5,
        ),
      };
    }
    case 'publish': {
      const y = below(edge.from) + 17;
      return {
        d: route([
          [from.x - 44, from.y + 33],
          [from.x - 44, y],
          [to.x - to.w / 2 - 3, y],
        ]),
        label: { x: 200, y: y - 3, anchor: 'start' },
      };
    }
    default: {
      const y = below(edge.to) + 37;
      return {
        d: route([
          [from.x - from.w / 2, y],
          [to.x - 60, y],
          [to.x - 60, to.y + 36],
        ]),
        label: { x: 200, y: y - 3, anchor: 'start' },
      };
    }
  }
}

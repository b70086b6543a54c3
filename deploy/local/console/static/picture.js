// The picture of the system, alive. It is drawn from what is measured, so that a system of other
// services is drawn as well.

import { el } from './dom.js';
import { ms, rate } from './format.js';
import { layout } from './layout.js';

const key = (e) => `${e.from}>${e.to}>${e.kind}`;

/** How fast the dots run. */
const pace = (r) => (r <= 0 ? '' : r < 1 ? ' slow' : r < 20 ? ' live' : ' fast');

const says = (e) => `${rate(e.rate)}/s` + (e.p95 < 0 ? '' : ` · ${ms(e.p95)}`);

/**
 * Draws nodes and edges. A journey, where it is given, is shown instead of rates: the keys of the
 * ways gone already, of the one being gone now, and how often each thing was visited.
 */
export function picture({ nodes, edges }, journey) {
  const narrow = innerWidth < 640,
    { width, height, boxes, ways } = layout(nodes, edges, narrow);
  const lines = ways.map((w) => line(w, journey));
  const labels = journey ? [] : ways.filter((w) => w.label && w.edge.rate > 0).map(flowLabel);
  const label =
    'The system: its apps, each with its sidecar, their stores, the bus and the mail, ' +
    'and what goes between them. The table below says the same.';
  return el(
    'svg',
    {
      class: 'system' + (journey ? ' journeyed' : '') + (narrow ? ' narrow' : ''),
      viewBox: `0 0 ${width} ${height}`,
      role: 'group',
      'aria-label': label,
    },
    heads(),
    lines,
    labels,
    nodes.filter((n) => boxes.has(n.id)).map((n) => thing(n, boxes.get(n.id), edges, journey)),
  );
}

function heads() {
  const head = (name) =>
    el(
      'marker',
      {
        id: 'head-' + name,
        viewBox: '0 0 8 8',
        refX: 6,
        refY: 4,
        markerWidth: 7,
        markerHeight: 7,
        markerUnits: 'userSpaceOnUse',
        orient: 'auto',
      },
      el('path', { d: 'M0 0.5L7 4L0 7.5Z', class: 'head ' + name }),
    );
  return el('defs', {}, ['idle', 'live', 'bad', 'now', 'call'].map(head));
}

function line({ edge, d }, journey) {
  const failed = edge.errors > 0 && !journey;
  let kind = failed ? 'bad' : edge.rate > 0 ? 'live' : 'idle';
  if (journey)
    kind = journey.now === key(edge) ? 'now' : journey.past.has(key(edge)) ? 'live' : 'idle';
  const head = kind === 'live' && edge.kind === 'call' && !journey ? 'call' : kind;
  const dots = journey ? (kind === 'now' ? ' live' : '') : pace(edge.rate);
  return el(
    'g',
    { class: `way ${kind} ${edge.kind}`, 'data-key': key(edge) },
    el('title', {}, `${edge.from} → ${edge.to} (${edge.kind}): ${says(edge)}`),
    el('path', { class: 'road', d, 'marker-end': `url(#head-${head})` }),
    dots && el('path', { class: 'dots' + dots, d }),
  );
}

function flowLabel({ edge, label }) {
  const failed = edge.errors > 0;
  return el(
    'text',
    {
      class: 'flow' + (failed ? ' bad' : ''),
      'data-key': 'label ' + key(edge),
      x: label.x,
      y: label.y,
      'text-anchor': label.anchor || 'middle',
    },
    says(edge) + (failed ? ` · ${rate(edge.errors)}/s fail` : ''),
  );
}

const cut = (text, n) => (text.length > n ? text.slice(0, n - 1) + '…' : text);

function thing(node, box, edges, journey) {
  const { x, y, w, h } = box,
    left = x - w / 2,
    top = y - h / 2;
  const now = journey && [journey.now?.split('>')[0], journey.now?.split('>')[1]].includes(node.id);
  const frame = {
    class: `thing ${node.kind} ${stateOf(node)}${now ? ' now' : ''}`,
    'data-key': 'thing ' + node.id,
  };
  const title = el('title', {}, node.id + (node.kind === 'app' ? `: ${node.state}` : ''));
  const text = (cls, dx, dy, what, anchor) =>
    el('text', { class: cls, x: left + dx, y: top + dy, 'text-anchor': anchor }, what);
  if (node.kind === 'app') {
    return el(
      'a',
      {
        svg: true,
        ...frame,
        href: '#/traces?app=' + encodeURIComponent(node.id),
        'aria-label': `${node.id} is ${node.state}: its traces`,
      },
      title,
      el('rect', { x: left, y: top, width: w, height: h, rx: 9, class: 'box' }),
      el('path', { class: 'sidecar', d: strip(left, top + h - 19, w, 19, 9) }),
      el('circle', { cx: left + 16, cy: top + 19, r: 5, class: 'lamp' }),
      text('name', 28, 24, cut(node.id, 18)),
      text('flow', 28, 41, journey ? steps(node, journey) : doing(node, edges)),
      text('tag', w / 2, h - 6, 'sidecar', 'middle'),
    );
  }
  if (node.kind === 'bus' && box.turned) {
    return el(
      'g',
      frame,
      title,
      el('rect', { x: left, y: top, width: w, height: h, rx: 8, class: 'box' }),
      el(
        'text',
        { class: 'name', x, y, 'text-anchor': 'middle', transform: `rotate(-90 ${x} ${y})` },
        'message bus: ' + node.id,
      ),
    );
  }
  if (node.kind === 'bus' || node.kind === 'client') {
    const name = node.kind === 'bus' ? 'message bus: ' + node.id : node.id;
    return el(
      'g',
      frame,
      title,
      el('rect', {
        x: left,
        y: top,
        width: w,
        height: h,
        rx: node.kind === 'bus' ? 9 : 18,
        class: 'box',
      }),
      el('text', { class: 'name', x, y: y + 5, 'text-anchor': 'middle' }, name),
    );
  }
  const flow = edges.find((e) => e.to === node.id);
  return el(
    'g',
    frame,
    title,
    el('rect', { x: left, y: top, width: w, height: h, rx: 9, class: 'box' }),
    icon(node.kind, left, y),
    text('small', 27, journey && !steps(node, journey) ? h / 2 + 5 : h / 2 - 3, nameOf(node)),
    text(
      'flow' + (flow?.errors > 0 && !journey ? ' bad' : ''),
      27,
      h / 2 + 12,
      journey ? steps(node, journey) : flow?.rate > 0 ? says(flow) : 'idle',
    ),
  );
}

const nameOf = (node) => (node.kind === 'provider' ? 'payment provider' : cut(node.id, 16));

/** A drum, a card or a letter. */
function icon(kind, left, y) {
  const x = left + 8;
  const shapes = {
    store: `M${x} ${y - 5}v10c0 4 13 4 13 0v-10c0 4-13 4-13 0c0-4 13-4 13 0`,
    provider: `M${x} ${y - 5}h14v10h-14zm0 3h14m-11 4h3`,
    binding: `M${x} ${y - 5}h14v10h-14zl7 6l7-6`,
  };
  return el('path', { class: 'icon', d: shapes[kind] });
}

/** The lower part of a card, square above and round below. */
const strip = (x, y, w, h, r) =>
  `M${x} ${y}h${w}v${h - r}q0 ${r} ${-r} ${r}h${2 * r - w}q${-r} 0 ${-r} ${-r}z`;

const stateOf = (n) =>
  n.kind !== 'app'
    ? ''
    : n.state === 'ready'
      ? 'ready'
      : n.state === 'stopped'
        ? 'halted'
        : 'wrong';

/** How many steps of a journey lead to a thing. */
function steps(node, { visits }) {
  const n = visits.get(node.id) || 0;
  return n > 1 ? `${n} steps` : n ? '1 step' : '';
}

/** What an app is asked for, or what is the matter with it. */
function doing(node, edges) {
  if (node.state !== 'ready') return node.state;
  const asked = edges.filter((e) => e.to === node.id);
  const sum = asked.reduce((n, e) => n + e.rate, 0);
  return sum > 0 ? `${rate(sum)}/s · p95 ${ms(Math.max(...asked.map((e) => e.p95)))}` : 'idle';
}

export { key };

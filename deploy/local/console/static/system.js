// The picture of the system, alive. It is drawn from what is measured: apps in a row, what is theirs below, the bus last.

import { ask, el, ms, rate, table } from './dom.js';

/** Where each thing stands. On a narrow screen the picture is turned, so that its text stays readable. */
function places(nodes, narrow) {
  const apps = nodes.filter((n) => n.kind === 'app' && !n.front), at = new Map();
  const turn = (along, down) => narrow ? [down, along + 60] : [along, down];
  const put = (id, along, down) => at.set(id, turn(along, down));
  const step = narrow ? 150 : 210, middle = (apps.length - 1) * step / 2 + 110;
  const rows = narrow ? { client: 50, front: 50, app: 100, own: 255, bus: 350 } : { client: 40, front: 120, app: 250, own: 370, bus: 470 };
  for (const n of nodes) {
    if (n.kind === 'client') narrow ? at.set(n.id, [70, 40]) : put(n.id, middle, rows.client);
    if (n.front) narrow ? at.set(n.id, [240, 40]) : put(n.id, middle, rows.front);
  }
  apps.forEach((n, i) => {
    put(n.id, 110 + i * step, rows.app);
    const own = nodes.filter((o) => o.of === n.id);
    own.forEach((o, j) => put(o.id, 110 + i * step + (j - (own.length - 1) / 2) * (narrow ? 44 : 74), rows.own + (narrow ? 0 : (j % 2) * 34)));
  });
  nodes.filter((n) => n.kind === 'bus').forEach((n) => put(n.id, middle, rows.bus));
  const length = apps.length * step + 20;
  return { at, size: narrow ? [390, length + 60] : [Math.max(length, 500), 510] };
}

function drawing({ nodes, edges }) {
  const narrow = innerWidth < 640, { at, size } = places(nodes, narrow);
  const lines = [], labels = [];
  for (const e of edges) {
    if (!at.has(e.from) || !at.has(e.to) || e.from === e.to) continue;
    const [x1, y1] = at.get(e.from), [x2, y2] = at.get(e.to), between = e.kind === 'call' && !narrow && y1 === y2 || e.kind === 'call' && narrow && x1 === x2;
    const aside = e.kind === 'publish' ? -16 : e.kind === 'deliver' ? 16 : 0;
    const [cx, cy] = between ? (narrow ? [x1 - 85, (y1 + y2) / 2] : [(x1 + x2) / 2, y1 - 75]) : [(x1 + x2) / 2 + (narrow ? 0 : aside), (y1 + y2) / 2 + (narrow ? aside : 0)];
    const live = e.rate > 0, failed = e.errors > 0;
    lines.push(el('path', { d: `M${x1} ${y1}Q${cx} ${cy} ${x2} ${y2}`, class: (live ? 'live' : '') + (failed ? ' failed' : '') }));
    const far = e.kind === 'publish' ? .72 : e.kind === 'deliver' ? .36 : .5; // clear of the stores, which stand between
    const on = (a, c, b) => (1 - far) ** 2 * a + 2 * far * (1 - far) * c + far ** 2 * b, x = on(x1, cx, x2), y = on(y1, cy, y2);
    if (live) labels.push(el('text', { class: 'flow' + (failed ? ' failed' : ''), x, y }, `${rate(e.rate)}/s${e.p95 < 0 ? '' : ' · ' + ms(e.p95)}${failed ? ' · fails' : ''}`));
  }
  const boxes = nodes.filter((n) => at.has(n.id)).map((n) => {
    const [x, y] = at.get(n.id), w = n.kind === 'store' || n.kind === 'binding' ? Math.max(60, n.id.length * 6.6 + 18) : narrow && n.kind === 'bus' ? 60 : 120, h = n.kind === 'app' ? 40 : 26;
    const state = n.kind !== 'app' ? '' : n.state === 'ready' ? 'ready' : 'wrong';
    return el('g', { class: state }, el('rect', { x: x - w / 2, y: y - h / 2, width: w, height: h, rx: n.kind === 'store' ? 13 : 6 }),
      el('text', { x, y: y + 4 }, n.id.length > 18 ? n.id.replace(/-store$/, '…') : n.id), n.kind === 'app' && n.state !== 'ready' && el('text', { x, y: y + 34, class: 'flow failed' }, n.state));
  });
  return el('svg', { class: 'system', viewBox: `0 0 ${size[0]} ${size[1]}`, role: 'img', 'aria-label': 'The system: its apps, stores and bus, and what goes between them. The table below says the same.' }, lines, boxes, labels);
}

export async function systemPage(main) {
  const data = await ask('system');
  const open = main.querySelector('details')?.open;
  main.replaceChildren(el('h1', {}, 'System'), drawing(data),
    el('div', { class: 'two' },
      el('section', {}, el('h2', {}, 'Orders'), table(['Order', 'Last seen'], data.orders.map((o) => [el('a', { href: '#/orders/' + o.id }, o.id), new Date(o.at).toLocaleTimeString()]), 'No order yet. Place one in the shop.')),
      el('section', {}, el('h2', {}, 'Mails'), table(['Mail', 'Why'], data.mails.map((m) => [el('a', { href: m.link }, m.subject), m.order ? el('a', { href: '#/orders/' + m.order }, 'its order') : el('a', { href: '#/mails' }, 'its trace')]), 'No mail yet.'))),
    el('details', { open }, el('summary', {}, 'What goes along each way'), table(['From', 'To', 'What', '#a second', '#p50', '#p95', '#errors a second'],
      data.edges.map((e) => [e.from, e.to, e.kind, rate(e.rate), ms(e.p50), ms(e.p95), rate(e.errors)]))));
}

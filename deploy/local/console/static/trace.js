// Lists of traces, the waterfall of one, and an order's journey.

import { ask, clock, el, table, took } from './dom.js';

export const traceTable = (list, none) => table(['Began', 'What', 'Apps', '#Took', '#Spans', 'Failed'], list.map((t) => [
  clock(t.start / 1000), el('a', { href: '#/traces/' + t.id }, t.name || t.id), t.services.join(', '), took(t.duration), String(t.spans),
  el('span', { class: t.errors ? 'bad' : 'soft' }, t.failure || '–'),
]), none);

/** Spans as a tree, each beside its time. */
export function waterfall(spans) {
  if (!spans.length) return el('p', { class: 'soft' }, 'No spans are kept of this.');
  const ids = new Set(spans.map((s) => s.id)), children = new Map();
  for (const s of spans) {
    const parent = ids.has(s.parent) ? s.parent : '';
    children.set(parent, [...(children.get(parent) || []), s]);
  }
  const from = Math.min(...spans.map((s) => s.start)), to = Math.max(...spans.map((s) => s.start + s.duration)), whole = to - from || 1;
  const rows = [], seen = new Set();
  const visit = (parent, depth) => (children.get(parent) || []).forEach((s) => {
    if (seen.has(s.id)) return;
    seen.add(s.id);
    rows.push(row(s, depth));
    visit(s.id, depth + 1);
  });
  const row = (s, depth) => {
    const bar = el('span', { class: 'bar' + (s.error ? ' failed' : s.sidecar ? ' side' : '') });
    bar.style.left = (s.start - from) / whole * 100 + '%';
    bar.style.width = s.duration / whole * 100 + '%';
    const name = el('span', { class: 'name' + (s.error ? ' bad' : '') }, `${s.service}${s.sidecar ? ' (sidecar)' : ''}: ${s.name}`);
    name.style.paddingLeft = Math.min(depth, 12) * .6 + 'rem';
    const facts = Object.entries(s.attributes || {}).concat((s.events || []).map((e) => ['event ' + e.name, Object.values(e.attributes || {}).join(' ')]));
    return el('li', {}, el('details', {}, el('summary', {}, name, el('span', { class: 'track' }, bar, el('span', { class: 'took' }, took(s.duration)))),
      el('dl', {}, [['kind', s.kind], ...(s.message ? [['error', s.message]] : []), ...facts].map(([k, v]) => [el('dt', {}, k), el('dd', {}, v)]),
        (s.links || []).map((l) => [el('dt', {}, 'goes back to'), el('dd', {}, el('a', { href: '#/traces/' + l.trace_id }, l.trace_id))]))));
  };
  visit('', 0);
  return el('ol', { class: 'fall card', 'aria-label': 'Spans' }, rows);
}

export const logList = (lines) => lines.length ? el('ol', { class: 'logs' }, lines.map(logLine)) : el('p', { class: 'soft' }, 'No lines.');

export const logLine = (l) => el('li', { class: l.level === 'error' ? 'bad' : l.level === 'warn' ? 'wait' : null },
  el('time', { datetime: l.at }, clock(l.at)), el('span', { class: 'src' }, l.source), l.level === 'error' || l.level === 'warn' ? l.level + ': ' : '', l.message, ' ', el('span', { class: 'soft' }, l.fields || ''), ' ',
  l.trace && el('a', { href: '#/traces/' + l.trace }, 'trace'));

export async function tracePage(main, id) {
  const { spans, logs } = await ask('traces/' + encodeURIComponent(id));
  main.replaceChildren(el('h1', {}, 'Trace ' + id), waterfall(spans), el('h2', {}, 'Log lines'), logList(logs));
}

export async function orderPage(main, id) {
  const { answer, moments, spans } = await ask('orders/' + encodeURIComponent(id));
  const from = moments.length ? moments[0].at : 0;
  main.replaceChildren(el('h1', {}, 'Order ' + id),
    el('section', { class: 'card', 'aria-label': 'How it stands' }, answer.map((a) => el('p', {}, a))),
    el('h2', {}, 'Its journey'), el('ol', { class: 'journey' }, moments.map((m) => el('li', { class: (m.error ? 'bad ' : '') + m.kind },
      el('span', { class: 'soft' }, '+' + took(m.at - from) + ' '), `${m.where}: `,
      m.link ? el('a', { href: m.link }, m.what) : m.what, m.took ? ` (${took(m.took)})` : '', ' ', el('span', { class: 'soft' }, m.detail || ''), ' ',
      m.trace && el('a', { href: '#/traces/' + m.trace }, 'trace')))),
    el('h2', {}, 'Its traces'), waterfall(spans));
}

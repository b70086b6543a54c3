// Traces: their list, and the spans of one as a waterfall.

import { ask, el, empty, heading, render, row, table, tiles } from './dom.js';
import { chip, clock, count, hue, idLink, took } from './format.js';
import { filter, logList } from './logs.js';

export function traceTable(list, none) {
  const longest = Math.max(...list.map((t) => t.duration), 1);
  return table(
    ['What', 'Apps', '#Took', '#Spans', 'Failure', '#Began'],
    list.map((t) =>
      row(
        t.id,
        el('a', { class: 'what', href: '#/traces/' + t.id, title: t.id }, t.name || t.id),
        el('span', { class: 'apps' }, t.services.map(chip)),
        [took(t.duration), share(t.duration / longest)],
        String(t.spans),
        t.errors ? el('span', { class: 'bad said' }, t.failure) : el('span', { class: 'soft' }, '–'),
        clock(t.start / 1000),
      ),
    ),
    none,
  );
}

const share = (part) =>
  el(
    'span',
    { class: 'share', 'aria-hidden': 'true' },
    el('span', { style: { width: Math.max(1, part * 100) + '%' } }),
  );

export async function traces(main, query) {
  const { traces: list, kept } = await ask('traces?' + query);
  return () =>
    render(
      main,
      heading('Traces', el('span', { class: 'soft small' }, `${count(kept.traces)} are kept`)),
      filter('traces', query, [
        ['order', 'Order'],
        ['app', 'App'],
        ['route', 'Route or topic'],
        ['text', 'Text'],
        ['longer', 'Longer than ms'],
        ['errors', 'failed only', true],
        ['background', 'background work too', true],
      ]),
      traceTable(list, 'No trace like this is kept.'),
    );
}

/** The spans in the order of their tree, each with its depth. */
function tree(spans) {
  const ids = new Set(spans.map((s) => s.id)),
    seen = new Set(),
    rows = [];
  const children = Map.groupBy(spans, (s) =>
    ids.has(s.parent) && s.parent !== s.id ? s.parent : '',
  );
  const visit = (parent, depth) =>
    (children.get(parent) || []).forEach((s) => {
      if (seen.has(s.id)) return;
      seen.add(s.id);
      rows.push({ span: s, depth });
      visit(s.id, depth + 1);
    });
  visit('', 0);
  return rows;
}

/** Spans as a tree, each beside its time. */
export function waterfall(spans) {
  if (!spans.length) return empty('No spans are kept of this.');
  const from = Math.min(...spans.map((s) => s.start));
  const whole = Math.max(...spans.map((s) => s.start + s.duration)) - from || 1;
  const marks = [0, 0.25, 0.5, 0.75, 1].map((part) => el('span', {}, took(part * whole)));
  return el(
    'div',
    { class: 'fall card' },
    el('div', { class: 'scale', 'aria-hidden': 'true' }, el('span', {}, ''), el('div', {}, marks)),
    el(
      'ol',
      { 'aria-label': 'Spans' },
      tree(spans).map(({ span, depth }) => work(span, depth, from, whole)),
    ),
  );
}

/** A span, whose facts are written when it is opened: a trace may have thousands. */
function work(s, depth, from, whole) {
  const left = ((s.start - from) / whole) * 100,
    width = (s.duration / whole) * 100;
  const bar = el('span', {
    class: `bar ${hue(s.service)}${s.sidecar ? ' side' : ''}${s.error ? ' failed' : ''}`,
    style: { left: left + '%', width: width + '%' },
  });
  const right = left + width > 75; // there is no room for the figure behind the bar
  const figure = el(
    'span',
    {
      class: 'took',
      style: right ? { right: 100 - left + '%' } : { left: left + width + '%' },
    },
    took(s.duration),
  );
  const name = el(
    'span',
    {
      class: 'name' + (s.error ? ' bad' : ''),
      style: { paddingLeft: `calc(${Math.min(depth, 14)} * var(--indent))` },
    },
    el('b', {}, s.service),
    s.sidecar && el('i', {}, ' sidecar'),
    ' ' + plain(s.name),
  );
  const summary = el('summary', {}, name, el('span', { class: 'track' }, bar, figure));
  const details = el(
    'details',
    { 'data-more': 'facts', ontoggle: ({ currentTarget: it }) => it.open && show(it, s) },
    summary,
  );
  return el('li', { 'data-key': s.id }, details);
}

const show = (details, span) => details.children[1] || details.append(facts(span));

/** Dapr's methods by their last word, which says what is done. */
const plain = (name) => name.replace(/^\/?dapr\.proto\.[\w.]+\//, '');

function facts(s) {
  const events = (s.events || []).map((e) => [
    'event ' + e.name,
    Object.values(e.attributes || {}).join(' '),
  ]);
  const list = [
    ['kind', s.kind],
    ['span', s.id],
    ...(s.message ? [['error', s.message]] : []),
    ...Object.entries(s.attributes || {}),
    ...events,
  ];
  return el(
    'dl',
    { class: 'facts' },
    list.map(([k, v]) => [el('dt', {}, k), el('dd', {}, v)]),
    (s.links || []).map((l) => [
      el('dt', {}, 'goes back to'),
      el('dd', {}, el('a', { href: '#/traces/' + l.trace_id }, l.trace_id)),
    ]),
  );
}

/** How long after a trace's end spans of it may still come, in milliseconds. */
const late = 30_000;

export async function tracePage(main, id) {
  const { spans, logs, orders } = await ask('traces/' + encodeURIComponent(id));
  const from = Math.min(...spans.map((s) => s.start)),
    end = Math.max(...spans.map((s) => s.start + s.duration)),
    whole = end - from;
  const ids = new Set(spans.map((s) => s.id)),
    apps = [...new Set(spans.map((s) => s.service))],
    failed = spans.filter((s) => s.error).length;
  const first = spans.find((s) => !ids.has(s.parent)) || spans[0];
  const draw = () =>
    render(
      main,
      heading(first.name),
      el('p', { class: 'soft id' }, 'Trace ' + id),
      tiles([
        ['took', took(whole)],
        ['spans', String(spans.length)],
        ['apps', String(apps.length)],
        ['failed', String(failed), failed ? 'bad' : 'good'],
        ['began', clock(from / 1000)],
      ]),
      orders?.length > 0 &&
        el(
          'p',
          {},
          'Belongs to ',
          orders.map((o) => [idLink('orders', o), ' ']),
        ),
      el('p', {}, apps.map(chip)),
      waterfall(spans),
      el('h2', {}, 'Log lines'),
      logList(logs),
    );
  return () => {
    draw();
    return Date.now() - end / 1000 < late ? 2000 : false; // what has ended does not change
  };
}

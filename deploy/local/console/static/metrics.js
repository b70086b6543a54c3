// Measurements: what routes and topics carry, and every gauge and counter of the apps.

import { chart, spark } from './chart.js';
import { ask, el, heading, render, row, table } from './dom.js';
import { chip, count, ms, rate, took, words } from './format.js';

const sections = [
  'Journals',
  'Transitions',
  'Payments',
  'Notifications',
  'Dead letters',
  'Events',
  'Other',
];

const labels = (c) =>
  Object.values(c.labels || {})
    .filter((l) => l !== c.app)
    .join(' · ');

/** A measurement's name without what is said beside it: whose it is, and its unit. */
const plain = (c) =>
  words(
    c.name
      .replace(/^sidecart_/, '')
      .replace(c.app + '_', '')
      .replace(/(_duration)?(_seconds)?(_total)?$/, ''),
  );

const value = (c) =>
  c.kind === 'gauge' && c.name.endsWith('_seconds') ? took(c.value * 1e6) : count(c.value);

/** What stands at a value, as a card. */
const gauge = (c) =>
  el(
    'article',
    { class: 'card gauge', 'data-key': id(c) },
    el('h3', {}, plain(c)),
    el('p', { class: 'small soft' }, chip(c.app), ' ', labels(c)),
    el('p', { class: 'figure' }, value(c)),
    chart(c.points, `${c.app} ${plain(c)} ${labels(c)}`),
  );

const id = (c) => `${c.app} ${c.name} ${labels(c)}`;

/** What only ever rises, as a table: how often it was, and how often it is. */
const counters = (list) =>
  table(
    ['App', 'What', 'Of which', '#Times', '#a second', '#Course'],
    list.map((c) =>
      row(
        id(c),
        chip(c.app),
        el('span', { class: 'wide' }, plain(c)),
        el('span', { class: 'small soft' }, labels(c)),
        count(c.value),
        rate(c.points?.at(-1)?.[1] || 0),
        spark(c.points, id(c)),
      ),
    ),
  );

function section(name, list) {
  const gauges = list.filter((c) => c.kind === 'gauge'),
    others = list.filter((c) => c.kind !== 'gauge');
  return [
    el('h2', {}, name),
    gauges.length > 0 && el('div', { class: 'gauges' }, gauges.map(gauge)),
    others.length > 0 && counters(others),
  ];
}

const flows = (list, head) =>
  table(
    ['App', head, '#a second', '#p50', '#p95', '#errors', '#Course'],
    list.map((r) =>
      row(
        r.app + r.name,
        chip(r.app),
        el('span', { class: 'wide' }, r.name),
        rate(r.rate),
        ms(r.p50),
        ms(r.p95),
        el('span', { class: r.errors ? 'bad' : null }, rate(r.errors)),
        spark(r.points, r.app + ' ' + r.name),
      ),
    ),
    'Nothing was measured yet.',
  );

export async function metrics(main) {
  const { routes, topics, charts } = await ask('metrics');
  const isBuild = (c) => c.name === 'sidecart_build_info',
    builds = charts.filter(isBuild);
  const busy = charts
    .filter((c) => !isBuild(c))
    .filter((c) => c.value !== 0 || c.points?.some((p) => p[1] !== 0));
  const quiet = charts.length - builds.length - busy.length,
    in_ = (name) => busy.filter((c) => c.group === name);
  const moving = (list) => list.filter((r) => r.rate > 0 || r.points?.some((p) => p[1] > 0));
  return () =>
    render(
      main,
      heading('Measurements of the last five minutes'),
      el('h2', {}, 'Routes'),
      flows(moving(routes), 'Route'),
      el('h2', {}, 'Topics'),
      flows(moving(topics), 'Topic'),
      sections.filter((name) => in_(name).length).map((name) => section(name, in_(name))),
      quiet > 0 &&
        el('p', { class: 'soft small' }, `${quiet} more are zero and were all the time.`),
      builds.length > 0 &&
        el(
          'p',
          { class: 'soft small' },
          'Builds: ',
          builds.map((c) => `${c.app} ${c.labels?.version || '?'}`).join(', '),
        ),
    );
}

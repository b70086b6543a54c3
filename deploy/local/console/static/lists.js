// The pages that are lists: what runs, what failed, orders, mails and measurements.

import { chart, spark } from './chart.js';
import { ask, el, empty, heading, notice, render, table, tiles } from './dom.js';
import { chip, clock, count, idLink, megabytes, money, ms, pill, rate, words } from './format.js';
import { logList } from './logs.js';
import { traceTable } from './trace.js';

const query = (values) => '?' + new URLSearchParams(values);

function button(process, action) {
  const token = sessionStorage.getItem('token');
  return el(
    'button',
    {
      disabled: !token,
      class: action === 'stop' ? 'danger' : null,
      'aria-label': `${action} ${process.name}`,
      title: token ? null : 'Open the link with the token that the launcher printed',
      onclick: async ({ currentTarget: it }) => {
        it.disabled = true;
        notice(`${process.name}: ${action}…`);
        const options = { method: 'POST', headers: { 'X-Console-Token': token } };
        try {
          await ask(`apps/${process.app}/${action}`, options);
          notice(`${process.name}: ${action} is done.`);
        } catch (problem) {
          notice(problem.message);
        }
        document.dispatchEvent(new Event('redraw'));
      },
    },
    action,
  );
}

const ports = (p) =>
  p.addr ||
  Object.entries(p.ports || {})
    .map(([kind, port]) => `${kind} ${port}`)
    .join(' · ');

function processRow(p) {
  const logs = '#/logs' + query({ app: p.kind === 'app' ? p.app : p.name });
  const logged = ['app', 'sidecar', 'launcher'].includes(p.kind);
  return [
    el('span', { class: p.kind }, logged ? el('a', { href: logs }, p.name) : p.name),
    pill(p.state),
    String(p.restarts),
    el('span', { class: 'small soft' }, ports(p)),
    megabytes(p.memory),
    p.processor < 0 ? '–' : (p.processor * 100).toFixed(1) + ' %',
    (p.actions || []).map((a) => button(p, a)),
  ];
}

const routeRow = (r) => [
  chip(r.app),
  el('a', { href: '#/traces' + query({ app: r.app, route: r.name.split(' ')[1] }) }, r.name),
  ms(r.p95),
  ms(r.p50),
  rate(r.rate),
  el('span', { class: r.errors ? 'bad' : null }, rate(r.errors)),
];

function howToAct(processes) {
  if (!processes.some((p) => p.actions)) {
    return 'These apps were started elsewhere, and are stopped there.';
  }
  return sessionStorage.getItem('token')
    ? ''
    : 'To stop, start and restart, open the console by the link that the launcher printed.';
}

export async function overview(main) {
  const data = await ask('overview'),
    { processes, traces } = data;
  const sum = (of) => processes.reduce((n, p) => n + Math.max(0, p[of]), 0);
  const down = processes.filter((p) => !['ready', 'running'].includes(p.state));
  return () =>
    render(
      main,
      heading('What runs'),
      tiles([
        ['processes', String(processes.length)],
        ['not ready', String(down.length), down.length ? 'bad' : 'good'],
        ['memory', megabytes(sum('memory'))],
        ['processor', (sum('processor') * 100).toFixed(0) + ' % of a core'],
        ['restarts', String(sum('restarts')), sum('restarts') ? 'wait' : 'good'],
      ]),
      table(
        ['Process', 'State', '#Restarts', 'Ports', '#Memory', '#Processor', 'Actions'],
        processes.map(processRow),
      ),
      el('p', { class: 'soft small' }, howToAct(processes)),
      el('h2', {}, 'Slowest routes of the last minute'),
      table(
        ['App', 'Route', '#p95', '#p50', '#a second', '#errors a second'],
        data.routes.map(routeRow),
        'No request in the last minute.',
      ),
      el(
        'p',
        { class: 'soft small' },
        `Kept in memory: ${count(traces.traces)} traces with ` +
          `${count(traces.spans)} spans (${megabytes(traces.bytes)}), ${count(data.series)} series.`,
      ),
    );
}

export async function failures(main, given) {
  const last = given.get('last') || '60',
    data = await ask('failures?last=' + last);
  const spans = [
    ['60', 'minute'],
    ['300', '5 minutes'],
    ['900', '15 minutes'],
  ];
  const name = spans.find(([s]) => s === last)?.[1] || last + ' seconds';
  const fine = !data.traces.length && !data.logs.length && !data.events.length;
  return () =>
    render(
      main,
      heading(
        `What failed in the last ${name}`,
        el(
          'nav',
          { class: 'choice', 'aria-label': 'Since' },
          spans.map(([s, text]) =>
            el(
              'a',
              {
                href: '#/failures?last=' + s,
                'aria-current': s === last ? 'true' : null,
              },
              text,
            ),
          ),
        ),
      ),
      fine && empty(`Nothing failed in the last ${name}.`, true),
      data.events.length > 0 && [el('h2', {}, 'Processes'), logList(data.events)],
      data.traces.length > 0 && [el('h2', {}, 'Requests and messages'), traceTable(data.traces)],
      data.logs.length > 0 && [el('h2', {}, 'Errors in logs'), logList(data.logs)],
    );
}

export async function orders(main) {
  const { orders: list } = await ask('orders'),
    is = (s) => list.filter((o) => o.status === s).length;
  const failed = is('payment_failed');
  return () =>
    render(
      main,
      heading('Orders'),
      tiles([
        ['shown', String(list.length)],
        ['pending', String(is('pending')), is('pending') && 'wait'],
        ['paid', String(is('paid')), 'good'],
        ['payment failed', String(failed), failed && 'bad'],
      ]),
      table(
        ['Order', 'Status', 'What it says', '#Total', '#Since'],
        list.map((o) => [
          idLink('orders', o.id),
          pill(o.status),
          o.status === 'pending'
            ? el('a', { href: '#/orders/' + o.id }, 'Why is it pending?')
            : el('span', { class: 'soft' }, words(o.reason || '')),
          money(o.total),
          clock(o.since),
        ]),
        'No order yet. Place one in the shop.',
      ),
    );
}

export async function mails(main) {
  const { mails: list } = await ask('mails');
  return () =>
    render(
      main,
      heading('Mails, and why each was sent'),
      table(
        ['Mail', 'Sent because of', '#At'],
        list.map((m) => [
          el('a', { href: m.link }, m.subject),
          el(
            'span',
            { class: 'why' },
            m.order && el('a', { href: '#/orders/' + m.order, title: m.order }, 'its order'),
            m.trace && el('a', { href: '#/traces/' + m.trace, title: m.trace }, 'its trace'),
            !m.order && !m.trace && el('span', { class: 'soft' }, 'not said in the mail'),
          ),
          clock(m.at),
        ]),
        'No mail yet.',
      ),
    );
}

const sections = [
  'Journals',
  'Transitions',
  'Payments',
  'Notifications',
  'Dead letters',
  'Events',
  'Other',
];

function gauge(c) {
  const labels = Object.values(c.labels || {})
    .filter((l) => l !== c.app)
    .join(' · ');
  const name = words(
    c.name
      .replace(/^sidecart_/, '')
      .replace(c.app + '_', '')
      .replace(/_total$/, ''),
  );
  return el(
    'article',
    { class: 'card gauge' },
    el('h3', {}, name),
    el('p', { class: 'small soft' }, chip(c.app), ' ', labels),
    el('p', { class: 'figure' }, count(c.value)),
    chart(c.points, `${c.app} ${name} ${labels}`, c.kind === 'gauge' ? '' : '/s'),
  );
}

const flows = (list, head) =>
  table(
    ['App', head, '#a second', '#p50', '#p95', '#errors', '#Course'],
    list.map((r) => [
      chip(r.app),
      el('span', { class: 'wide' }, r.name),
      rate(r.rate),
      ms(r.p50),
      ms(r.p95),
      el('span', { class: r.errors ? 'bad' : null }, rate(r.errors)),
      spark(r.points, r.app + ' ' + r.name),
    ]),
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
      sections
        .filter((name) => in_(name).length)
        .map((name) => [el('h2', {}, name), el('div', { class: 'gauges' }, in_(name).map(gauge))]),
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

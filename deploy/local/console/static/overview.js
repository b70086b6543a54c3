// What runs, what it takes, and the slowest routes.

import { ask, el, heading, notice, render, table, tiles } from './dom.js';
import { chip, count, megabytes, ms, pill, rate } from './format.js';

const query = (values) => '?' + new URLSearchParams(values);

/** The apps of which a button was pressed whose effect is not there yet. */
const pressed = new Set();

function button(process, action) {
  const token = sessionStorage.getItem('token'),
    busy = process.doing || pressed.has(process.app);
  return el(
    'button',
    {
      disabled: !token || busy,
      class: action === 'stop' ? 'danger' : null,
      'aria-label': `${action} ${process.name}`,
      title: token ? null : 'Open the link with the token that the launcher printed',
      onclick: async ({ currentTarget: it }) => {
        if (it.disabled) return;
        it.disabled = true;
        pressed.add(process.app);
        notice(`${process.name}: ${action}…`);
        const options = { method: 'POST', headers: { 'X-Console-Token': token } };
        try {
          await ask(`apps/${process.app}/${action}`, options);
          notice(`${process.name}: ${action} is done.`);
        } catch (problem) {
          notice(problem.message);
        }
        pressed.delete(process.app);
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
    pill(p.doing ? p.doing + ' under way' : p.state),
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

// The console: which page, and the pages that are lists.

import { ask, el, ms, notice, rate, spark, table } from './dom.js';
import { systemPage } from './system.js';
import { logLine, logList, orderPage, tracePage, traceTable } from './trace.js';

const main = document.getElementById('main');
const pages = [['', 'System'], ['overview', 'Overview'], ['failures', 'Failures'], ['orders', 'Orders'], ['mails', 'Mails'], ['traces', 'Traces'], ['logs', 'Logs'], ['metrics', 'Metrics']];

const given = /^#token=([A-Za-z0-9]+)$/.exec(location.hash);
if (given) { // it leaves the address, which people share
  sessionStorage.setItem('token', given[1]);
  history.replaceState(null, '', location.pathname + '#/');
}

const megabytes = (n) => n ? Math.round(n / 1048576) + ' MB' : '–';
const stateClass = (s) => s === 'ready' || s === 'running' ? 'good' : s === 'stopped' ? 'wait' : 'bad';

async function overview() {
  const data = await ask('overview'), token = sessionStorage.getItem('token');
  const act = (p, action) => el('button', { disabled: !token, title: token ? null : 'Open the link with the token that the launcher printed', onclick: async ({ currentTarget: it }) => {
    it.disabled = true;
    try {
      await ask(`apps/${p.app}/${action}`, { method: 'POST', headers: { 'X-Console-Token': token } });
      notice(`${p.name}: ${action} is done.`);
    } catch (problem) { notice(problem.message); }
    draw();
  } }, action);
  main.replaceChildren(el('h1', {}, 'Overview'),
    el('p', {}, data.shop && el('a', { href: data.shop }, 'Shop'), ' ', data.inbox && el('a', { href: data.inbox }, 'Inbox')),
    table(['Process', 'State', '#Restarts', 'Ports', '#Memory', '#Processor', 'Actions'], data.processes.map((p) => [
      p.app ? el('a', { href: '#/logs?app=' + encodeURIComponent(p.kind === 'app' ? p.app : p.name) }, p.name) : p.name, el('span', { class: stateClass(p.state) }, p.state), String(p.restarts),
      p.addr || Object.entries(p.ports || {}).map(([k, v]) => `${k} ${v}`).join(', '), megabytes(p.memory), p.processor < 0 ? '–' : (p.processor * 100).toFixed(1) + ' %', (p.actions || []).map((a) => act(p, a)),
    ])),
    el('h2', {}, 'Slowest routes of the last minute'), table(['App', 'Route', '#p95', '#p50', '#a second'], data.routes.map((r) => [r.app, el('a', { href: '#/traces?app=' + r.app + '&route=' + encodeURIComponent(r.name.split(' ')[1]) }, r.name), ms(r.p95), ms(r.p50), rate(r.rate)]), 'No request in the last minute.'),
    el('p', { class: 'soft' }, `Kept: ${data.traces.traces} traces, ${data.traces.spans} spans (${megabytes(data.traces.bytes)}), ${data.series} series.`));
}

async function failures() {
  const data = await ask('failures');
  main.replaceChildren(el('h1', {}, 'What failed in the last minute'), el('h2', {}, 'Traces'), traceTable(data.traces, 'None.'),
    el('h2', {}, 'Processes'), logList(data.events), el('h2', {}, 'Errors in logs'), logList(data.logs));
}

async function orders() {
  const { orders: list } = await ask('orders');
  main.replaceChildren(el('h1', {}, 'Orders'), table(['Order', 'Status', 'Since'], list.map((o) => [
    el('a', { href: '#/orders/' + o.id }, o.id), el('span', { class: o.status === 'pending' ? 'wait' : o.status === 'payment_failed' ? 'bad' : null }, o.status.replace('_', ' ')), new Date(o.since).toLocaleTimeString(),
  ]), 'No order yet. Place one in the shop.'));
}

async function mails() {
  const { mails: list } = await ask('mails');
  main.replaceChildren(el('h1', {}, 'Mails, and why each was sent'), table(['Sent', 'Mail', 'Why'], list.map((m) => [
    new Date(m.at).toLocaleTimeString(), el('a', { href: m.link }, m.subject),
    [m.order && el('a', { href: '#/orders/' + m.order }, 'its order'), ' ', m.trace && el('a', { href: '#/traces/' + m.trace }, 'its trace')],
  ]), 'No mail yet.'));
}

/** A form whose fields stand in the address, so that a search can be shared. */
function filter(page, query, fields) {
  return el('form', { class: 'filter', onsubmit: (event) => {
    event.preventDefault();
    const values = [...new FormData(event.currentTarget)].filter(([, v]) => v);
    location.hash = `#/${page}?` + new URLSearchParams(values);
  } }, fields.map(([name, label, options]) => options === true
    ? el('label', { class: 'check' }, el('input', { type: 'checkbox', name, value: '1', checked: query.has(name) }), label)
    : el('label', {}, label, options
      ? el('select', { name }, ['', ...options].map((o) => el('option', { value: o, selected: query.get(name) === o }, o || 'any')))
      : el('input', { name, value: query.get(name) || '', size: 14 }))), el('button', {}, 'Search'));
}

async function traces(query) {
  const { traces: list } = await ask('traces?' + query);
  main.replaceChildren(el('h1', {}, 'Traces'), filter('traces', query, [['order', 'Order'], ['app', 'App'], ['route', 'Route or topic'], ['text', 'Text'], ['longer', 'Longer than ms'], ['errors', 'failed', true], ['background', 'background work too', true]]),
    traceTable(list, 'No trace like this is kept.'));
}

let stream = null;
async function logs(query) {
  const { sources } = await ask('logs?limit=1');
  const list = el('ol', { class: 'logs', 'aria-label': 'Lines, newest last' });
  main.replaceChildren(el('h1', {}, 'Logs'), filter('logs', query, [['app', 'App', sources], ['level', 'At least', ['info', 'warn', 'error']], ['text', 'Text'], ['trace', 'Trace']]), list);
  stream = new EventSource('/api/logs/stream?' + query);
  stream.onmessage = ({ data }) => {
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 30;
    list.append(logLine(JSON.parse(data)));
    while (list.children.length > 1000) list.firstChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  };
}

async function metrics() {
  const data = await ask('metrics');
  const flows = (list, head) => table(['App', head, '#a second', '#p50', '#p95', '#errors a second', 'Five minutes'], list.map((r) => [r.app, r.name, rate(r.rate), ms(r.p50), ms(r.p95), el('span', { class: r.errors ? 'bad' : null }, rate(r.errors)), spark(r.points, r.app + ' ' + r.name)]));
  const groups = Map.groupBy(data.charts, (c) => c.group);
  main.replaceChildren(el('h1', {}, 'Metrics'), el('h2', {}, 'Routes'), flows(data.routes, 'Route'), el('h2', {}, 'Topics'), flows(data.topics, 'Topic'),
    ...['Journals', 'Transitions', 'Payments', 'Notifications', 'Dead letters', 'Other'].filter((g) => groups.has(g)).map((g) => [el('h2', {}, g),
      table(['App', 'Measurement', '#Now', 'Five minutes'], groups.get(g).map((c) => [c.app, c.name + ' ' + Object.values(c.labels || {}).join(' '), rate(c.value), spark(c.points, c.name)]))]).flat());
}

let timer = 0, drawn = 0;
async function draw() {
  clearTimeout(timer);
  const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?'), [page, id] = path.split('/').map(decodeURIComponent), query = new URLSearchParams(search);
  const turn = ++drawn;
  document.getElementById('nav').replaceChildren(...pages.map(([p, name]) => el('a', { href: '#/' + p, 'aria-current': p === page ? 'page' : null }, name)));
  document.title = (pages.find(([p]) => p === page)?.[1] || 'Console') + ' · Sidecart console';
  const lists = { '': () => systemPage(main), overview, failures, orders, mails, traces: () => traces(query), logs: () => logs(query), metrics };
  const one = { traces: tracePage, orders: orderPage };
  try {
    await (id && one[page] ? one[page](main, id) : (lists[page] || lists[''])());
  } catch (problem) {
    if (turn === drawn) main.replaceChildren(el('h1', {}, 'Not to be had'), el('p', { class: 'bad' }, problem.message));
  }
  const live = !id && ['', 'overview', 'failures', 'orders', 'mails', 'metrics'].includes(page);
  if (live && turn === drawn) timer = setTimeout(function again() { document.hidden || main.contains(document.activeElement) && document.activeElement !== main ? timer = setTimeout(again, 2000) : draw(); }, 2000);
}

addEventListener('hashchange', () => { stream?.close(); main.replaceChildren(); draw(); main.focus(); });
draw();

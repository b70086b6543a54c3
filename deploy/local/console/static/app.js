// The console: which page is shown, and when it is drawn anew.

import { ask, el, heading, held, notice, render } from './dom.js';
import { hue } from './format.js';
import { failures, mails, orders } from './lists.js';
import { closeLogs, logs } from './logs.js';
import { metrics } from './metrics.js';
import { orderPage } from './order.js';
import { overview } from './overview.js';
import { systemPage } from './system.js';
import { tracePage, traces } from './trace.js';

const names = {
  '': 'System',
  overview: 'Overview',
  failures: 'Failures',
  orders: 'Orders',
  mails: 'Mails',
  traces: 'Traces',
  logs: 'Logs',
  metrics: 'Metrics',
};
const lists = { '': systemPage, overview, failures, orders, mails, traces, logs, metrics };
const single = { orders: orderPage, traces: tracePage };
const [main, nav, live] = ['main', 'nav', 'live'].map((id) => document.getElementById(id));

const given = /^#token=([A-Za-z0-9]+)$/.exec(location.hash);
if (given) {
  // it leaves the address, which people share
  sessionStorage.setItem('token', given[1]);
  history.replaceState(null, '', location.pathname + '#/');
}

/** What the address says: a page, the id of one thing on it, and a query. */
function place() {
  const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [page, id] = path.split('/').map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { page: page in lists ? page : '', id, query: new URLSearchParams(search) };
}

let timer = 0,
  turn = 0;

async function draw() {
  clearTimeout(timer);
  const mine = ++turn,
    { page, id, query } = place(),
    one = id && single[page];
  document.title = `${id || names[page]} · Sidecart console`;
  showWhere(page);
  let pause;
  try {
    const [show] = await Promise.all([one ? one(main, id) : lists[page](main, query), colours]);
    if (mine !== turn) return; // the reader went on meanwhile
    pause = show();
  } catch (problem) {
    if (mine !== turn) return;
    const said = el('p', { class: 'card bad' }, problem.message);
    render(main, heading('This cannot be shown'), said);
  }
  main.dataset.ready = location.hash || '#/';
  if (pause !== false) timer = setTimeout(again, pause || 2000);
}

/** Shows where the reader is in the row of pages, which is wider than a phone. */
function showWhere(page) {
  const link = ([path, name]) =>
    el('a', { href: '#/' + path, 'aria-current': path === page ? 'page' : null }, name);
  render(nav, Object.entries(names).map(link));
  const current = nav.querySelector('[aria-current]');
  nav.scrollLeft =
    current.offsetLeft - nav.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
}

function again() {
  if (document.hidden || held()) timer = setTimeout(again, 1000);
  else draw();
}

live.onclick = () => {
  live.ariaPressed = String(!held());
  live.title = held() ? 'Go on' : 'Hold this page still';
  notice(held() ? 'This page is held still.' : 'This page is live again.');
  if (!held()) dispatchEvent(new Event('resume'));
};
addEventListener('hashchange', () => {
  closeLogs();
  if (held()) live.click();
  main.replaceChildren(el('p', { class: 'soft' }, 'Loading…'));
  draw();
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
});
addEventListener('resize', () => {
  if (place().page === 'logs') return showWhere('logs'); // its lines come by themselves
  clearTimeout(timer);
  timer = setTimeout(draw, 200);
});
document.addEventListener('redraw', draw);
for (const [target, name] of [
  [document, 'visibilitychange'],
  [window, 'resume'],
]) {
  target.addEventListener(name, () => {
    if (!document.hidden && !held() && place().page !== 'logs') draw();
  });
}

function links(places) {
  const link = ([href, name]) =>
    href && el('a', { href, target: '_blank', rel: 'noopener' }, name + ' ↗');
  document.querySelector('header').append(el('p', { class: 'places' }, places.map(link)));
}

/** Gives each app its colour, the same on every page; again, where nothing runs yet. */
async function meet() {
  const { shop, inbox, processes } = await ask('overview').catch(() => ({ processes: [] }));
  processes.forEach((p) => p.app && hue(p.app));
  if (!shop) return void setTimeout(meet, 2000);
  links([
    [shop, 'Shop'],
    [inbox, 'Inbox'],
  ]);
}

const colours = meet();
draw();

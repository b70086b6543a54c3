// The console: which page is shown, and when it is drawn anew.

import { ask, el, heading, render } from './dom.js';
import { hue } from './format.js';
import { failures, mails, metrics, orders, overview } from './lists.js';
import { closeLogs, logs } from './logs.js';
import { orderPage } from './order.js';
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
const main = document.getElementById('main'),
  nav = document.getElementById('nav');

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
  render(
    nav,
    Object.entries(names).map(([path, name]) =>
      el('a', { href: '#/' + path, 'aria-current': path === page ? 'page' : null }, name),
    ),
  );
  scrollToCurrent();
  let show;
  try {
    show = await (one ? one(main, id) : lists[page](main, query));
  } catch (problem) {
    show = () =>
      render(
        main,
        heading('This cannot be shown'),
        el('p', { class: 'card bad' }, problem.message),
      );
  }
  if (mine !== turn) return; // the reader went on meanwhile
  const goesOn = show();
  main.dataset.ready = location.hash || '#/';
  if (goesOn !== false) timer = setTimeout(again, 2000);
}

/** Shows where the reader is in the row of pages, which is wider than a phone. */
function scrollToCurrent() {
  const current = nav.querySelector('[aria-current]');
  nav.scrollLeft =
    current.offsetLeft - nav.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
}

function again() {
  if (document.hidden) timer = setTimeout(again, 2000);
  else draw();
}

addEventListener('hashchange', () => {
  closeLogs();
  main.replaceChildren(el('p', { class: 'soft' }, 'Loading…'));
  draw();
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
});
addEventListener('resize', () => {
  scrollToCurrent();
  if (place().page === 'logs') return; // its lines come by themselves
  clearTimeout(timer);
  timer = setTimeout(draw, 200);
});
document.addEventListener('redraw', draw);
ask('overview')
  .then(({ shop, inbox, processes }) => {
    processes.forEach((p) => p.app && hue(p.app)); // the same colours on every page
    const links = [
      [shop, 'Shop'],
      [inbox, 'Inbox'],
    ].filter(([href]) => href);
    document.querySelector('header').append(
      el(
        'p',
        { class: 'places' },
        links.map(([href, name]) =>
          el('a', { href, target: '_blank', rel: 'noopener' }, name + ' ↗'),
        ),
      ),
    );
  })
  .catch(() => {})
  .finally(draw); // that there is no answer, the page itself says

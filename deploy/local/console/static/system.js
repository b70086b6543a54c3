// The first page: the picture, what happens now, and the newest orders and mails.

import { ask, el, empty, heading, render, row, table, tiles } from './dom.js';
import { clock, count, idLink, ms, openMail, pill, rate } from './format.js';
import { picture } from './picture.js';

/** Where the answers stand to what people ask first. */
const questions = [
  ['Why is this order pending?', '#/orders'],
  ['Which service is slow?', '#/overview'],
  ['What failed in the last minute?', '#/failures'],
  ['Why was this mail sent?', '#/mails'],
];

const asked = () =>
  el(
    'nav',
    { class: 'questions', 'aria-label': 'Questions' },
    questions.map(([text, href]) => el('a', { href }, text)),
  );

function figures({ nodes, edges, waiting }) {
  const apps = nodes.filter((n) => n.kind === 'app'),
    ready = apps.filter((n) => n.state === 'ready').length,
    entry = edges.find((e) => e.kind === 'request');
  const sum = (of, list) => list.reduce((n, e) => n + e[of], 0),
    sent = edges.filter((e) => e.kind === 'publish'),
    errors = sum('errors', edges);
  return tiles([
    ['apps ready', `${ready} of ${apps.length}`, ready === apps.length ? 'good' : 'bad'],
    ['requests', rate(entry?.rate || 0) + '/s'],
    ['answered in (p95)', ms(entry?.p95 ?? -1)],
    ['messages', rate(sum('rate', sent)) + '/s'],
    ['failures', rate(errors) + '/s', errors ? 'bad' : 'good'],
    ['orders that wait', count(waiting), waiting ? 'wait' : 'good'],
  ]);
}

const newestOrders = (orders) =>
  table(
    ['Order', 'Status', '#Placed'],
    orders.map((o) => row(o.id, idLink('orders', o.id), pill(o.status), clock(o.placed))),
    'No order yet. Place one in the shop.',
  );

const newestMails = (mails) =>
  table(
    ['Message', '#Why'],
    mails.map((m) => row(m.id, openMail(m), why(m))),
    'No message yet.',
  );

const why = (m) => el('a', { href: m.order ? '#/orders/' + m.order : '#/mails' }, 'why?');

const ways = (edges) =>
  table(
    ['From', 'To', 'What', '#a second', '#p50', '#p95', '#errors a second'],
    edges.map((e) =>
      row(
        `${e.from}>${e.to}>${e.kind}`,
        e.from,
        e.to,
        e.kind,
        rate(e.rate),
        ms(e.p50),
        ms(e.p95),
        rate(e.errors),
      ),
    ),
  );

export async function systemPage(main) {
  const data = await ask('system'),
    { nodes, edges, orders, mails } = data;
  const legend =
    'Dots run where something goes. Figures: a second, and the 95th percentile of half a minute.';
  return () =>
    render(
      main,
      heading('The system, live'),
      figures(data),
      nodes.some((n) => n.kind === 'app') ? picture(data) : empty('The apps are starting.'),
      el('p', { class: 'soft small legend' }, legend),
      asked(),
      el(
        'div',
        { class: 'two' },
        el('section', {}, el('h2', {}, 'Newest orders'), newestOrders(orders)),
        el('section', {}, el('h2', {}, 'Newest messages'), newestMails(mails)),
      ),
      el('details', {}, el('summary', {}, 'Every way as a table'), ways(edges)),
    );
}

// The first page: the picture, what happens now, and the newest orders and mails.

import { ask, el, empty, heading, render, table, tiles } from './dom.js';
import { clock, idLink, ms, pill, rate } from './format.js';
import { picture } from './picture.js';

export async function systemPage(main) {
  const data = await ask('system'),
    { nodes, edges, orders, mails } = data;
  const apps = nodes.filter((n) => n.kind === 'app'),
    ready = apps.filter((n) => n.state === 'ready');
  const sum = (kind, of) => edges.filter((e) => e.kind === kind).reduce((n, e) => n + e[of], 0);
  const errors = edges.reduce((n, e) => n + e.errors, 0),
    entry = edges.find((e) => e.kind === 'request');
  return () =>
    render(
      main,
      heading('The system, live'),
      tiles([
        [
          'apps ready',
          `${ready.length} of ${apps.length}`,
          ready.length === apps.length ? 'good' : 'bad',
        ],
        ['requests', rate(entry?.rate || 0) + '/s'],
        ['answered in (p95)', ms(entry?.p95 ?? -1)],
        ['messages', rate(sum('publish', 'rate')) + '/s'],
        ['failures', rate(errors) + '/s', errors ? 'bad' : 'good'],
      ]),
      apps.length ? picture(data) : empty('The apps are starting.'),
      el(
        'p',
        { class: 'soft small legend' },
        'Dots run where something goes. Figures: a second, and the 95th percentile of half a minute.',
      ),
      el(
        'div',
        { class: 'two' },
        el(
          'section',
          {},
          el('h2', {}, 'Newest orders'),
          table(
            ['Order', 'Status', '#Seen'],
            orders.slice(0, 8).map((o) => [idLink('orders', o.id), pill(o.status), clock(o.at)]),
            'No order yet. Place one in the shop.',
          ),
        ),
        el(
          'section',
          {},
          el('h2', {}, 'Newest mails'),
          table(
            ['Mail', '#Why'],
            mails
              .slice(0, 8)
              .map((m) => [
                el('a', { href: m.link }, m.subject),
                el('a', { href: '#/mails/' + encodeURIComponent(m.id) }, 'why?'),
              ]),
            'No mail yet.',
          ),
        ),
      ),
      el(
        'details',
        {},
        el('summary', {}, 'Every way as a table'),
        table(
          ['From', 'To', 'What', '#a second', '#p50', '#p95', '#errors a second'],
          edges.map((e) => [
            e.from,
            e.to,
            e.kind,
            rate(e.rate),
            ms(e.p50),
            ms(e.p95),
            rate(e.errors),
          ]),
        ),
      ),
    );
}

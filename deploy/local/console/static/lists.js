// The pages that are lists: what failed, orders, mails.

import { ask, el, empty, heading, render, row, table, tiles } from './dom.js';
import { clock, count, idLink, lasted, money, openMail, pill, words } from './format.js';
import { logList } from './logs.js';
import { traceTable } from './trace.js';

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

/** A form that leads to one order, of which the list may not know any more. */
const find = () =>
  el(
    'form',
    {
      class: 'find',
      role: 'search',
      onsubmit: (event) => {
        event.preventDefault();
        const id = new FormData(event.currentTarget).get('order').trim();
        if (id) location.hash = '#/orders/' + encodeURIComponent(id);
      },
    },
    el('input', { name: 'order', 'aria-label': 'An order’s id', placeholder: 'ord_…', size: 22 }),
    el('button', {}, 'Open'),
  );

const more = (n) => n > 0 && el('span', { class: 'soft small' }, ` and ${count(n)} more`);

const total = (o) => money(o.total) || '–';

export async function orders(main) {
  const { orders: list, waiting, counts } = await ask('orders');
  const n = (status) => counts[status] || 0,
    now = Date.now();
  const tile = (status, kind) => [words(status), count(n(status)), n(status) ? kind : null];
  return () =>
    render(
      main,
      heading('Orders', find()),
      tiles([
        tile('pending', 'wait'),
        tile('paid', 'good'),
        tile('payment_failed', 'bad'),
        tile('cancelled'),
        tile('refunded', 'good'),
      ]),
      waiting.length > 0 && [
        el('h2', {}, 'They wait, the longest first', more(n('pending') + n('refunding') - 20)),
        table(
          ['Order', 'Status', 'Why', '#Total', '#For'],
          waiting.map((o) =>
            row(
              o.id,
              idLink('orders', o.id),
              pill(o.status),
              el('a', { href: '#/orders/' + o.id }, `Why is it ${words(o.status)}?`),
              total(o),
              lasted(now - Date.parse(o.since)),
            ),
          ),
        ),
      ],
      el('h2', {}, 'The newest'),
      table(
        ['Order', 'Status', 'What it says', '#Total', '#Placed'],
        list.map((o) =>
          row(
            o.id,
            idLink('orders', o.id),
            pill(o.status),
            o.reason && el('span', { class: 'soft said' }, words(o.reason)),
            total(o),
            clock(o.placed),
          ),
        ),
        'No order yet. Place one in the shop.',
      ),
    );
}

export async function mails(main) {
  const { mails: list } = await ask('mails');
  return () =>
    render(
      main,
      heading('Mails and text messages, and why each was sent'),
      table(
        ['Message', 'Sent because of', '#At'],
        list.map((m) =>
          row(
            m.id,
            [m.kind === 'sms' && el('span', { class: 'tag' }, 'SMS'), openMail(m)],
            el(
              'span',
              { class: 'why' },
              m.order && el('a', { href: '#/orders/' + m.order, title: m.order }, 'its order'),
              m.trace && el('a', { href: '#/traces/' + m.trace, title: m.trace }, 'its trace'),
              !m.order && !m.trace && el('span', { class: 'soft' }, 'not said in the message'),
            ),
            clock(m.at),
          ),
        ),
        'No message yet.',
      ),
    );
}

import { call, follow } from './api.js';
import { button, el, notice, paged, status, table, theirs, when } from './dom.js';
import { money } from './money.js';

const statuses = ['pending', 'paid', 'payment_failed', 'cancelled', 'refunding', 'refunded'];

/** The user's orders, or one of them. */
export function orders(page) {
  return page.argument ? oneOrder(page) : listOfOrders(page);
}

async function listOfOrders({ query }) {
  const wanted = query.get('status') || '';
  const filter = el('select', { class: 'short', 'aria-label': 'Only orders that are', onchange: (e) => { location.hash = '#/orders' + (e.target.value ? '?status=' + e.target.value : ''); } },
    [['', 'all orders'], ...statuses.map((s) => [s, s.replaceAll('_', ' ')])].map(([value, text]) => el('option', { value, selected: value === wanted }, text)));
  const named = (o) => o.items.flatMap((i, n) => [n ? ', ' : '', `${i.quantity} × `, theirs(i.name)]);
  const list = await paged((cursor) => call('GET', '/orders?' + new URLSearchParams({ limit: 20, ...(wanted && { status: wanted }), ...(cursor && { cursor }) })),
    (items) => items.length ? table(['Order', 'Placed', 'Status', '#Total'],
      items.map((o) => [el('a', { href: '#/orders/' + o.id }, named(o)), when(o.created_at), status(o.status), money(o.total)])) : el('p', {}, 'There are no such orders.'));
  return [el('h1', {}, 'Orders'), el('p', {}, filter), ...list];
}

async function oneOrder({ argument, signal }) {
  const box = el('div'), act = el('p');
  const steps = el('ol', { class: 'steps', 'aria-live': 'polite' });
  let drawn = 0;
  const draw = async () => {
    const turn = ++drawn;
    const o = await call('GET', '/orders/' + encodeURIComponent(argument));
    const paid = (await call('GET', '/payments?order_id=' + o.id)).items[0];
    if (turn !== drawn) return;
    box.replaceChildren(el('p', {}, status(o.status), ' · ', money(o.total), ' · ', el('span', { class: 'soft' }, o.id)),
      table(['Product', '#Quantity', '#Price'], o.items.map((i) => [theirs(i.name), String(i.quantity), money(i.unit_price)])), payment(paid));
    steps.replaceChildren(...o.history.map((h) => el('li', {}, status(h.status), ' ', el('span', { class: 'soft' }, when(h.at), h.reason ? [', ', theirs(h.reason)] : []))));
    act.replaceChildren(...(['pending', 'paid'].includes(o.status) ? [button('Cancel this order', { class: 'danger' }, cancel)] : []));
  };
  const watch = () => follow(argument, () => draw().catch(() => {}), signal);
  const cancel = async () => {
    if (!confirm('Cancel this order?')) return;
    try {
      await call('POST', `/orders/${argument}/cancel`);
    } catch (p) {
      notice(p.unanswered ? p.message + ' The order may be cancelled all the same; cancelling again does no harm.' : p.message);
    }
    await draw();
    watch();
  };
  await draw();
  watch();
  return [el('h1', {}, 'Order'), box, el('h2', {}, 'History'), steps, act, el('p', {}, el('a', { href: '#/orders' }, 'All orders'))];
}

function payment(paid) {
  if (!paid) return el('p', { class: 'soft' }, 'No payment yet.');
  return el('p', {}, 'Payment: ', status(paid.status), paid.decline ? ' ' + paid.decline.reason : '',
    paid.refunded_amount.amount ? ` (${money(paid.refunded_amount)} given back)` : '');
}

/** What was sent to the user. */
export async function messages() {
  const list = await paged((cursor) => call('GET', '/notifications?' + new URLSearchParams({ limit: 50, ...(cursor && { cursor }) })),
    (items) => items.length ? table(['When', 'What', 'How', 'Status'], items.map((n) =>
      [when(n.sent_at || n.created_at), n.order_id ? el('a', { href: '#/orders/' + n.order_id }, theirs(n.subject)) : theirs(n.subject), n.channel, el('span', {}, status(n.status), n.reason ? ' ' + n.reason : '')]))
      : el('p', {}, 'Nothing was sent yet.'));
  return [el('h1', {}, 'Messages'), ...list];
}

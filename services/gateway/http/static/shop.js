import { call, follow, loggedIn } from './api.js';
import { el, form, money, notice, status, table, when } from './dom.js';

const methods = [['tok_visa', 'Card that works'], ['tok_declined', 'Card that is declined'], ['tok_insufficient_funds', 'Card without funds'],
  ['tok_slow', 'Card of a slow bank'], ['tok_flaky', 'Card of an unreliable bank']];

let items = JSON.parse(sessionStorage.getItem('cart') || '{}'); // product id to quantity
let order = null; // {key, body} of an order that has no answer yet: tried again it is the same order

function keep() {
  order = null;
  sessionStorage.setItem('cart', JSON.stringify(items));
}

export const cartSize = () => Object.values(items).reduce((a, b) => a + b, 0);

export async function products({ changed }) {
  const list = await call('GET', '/products');
  return [el('h1', {}, 'Shop'), el('ul', { class: 'grid' }, list.items.map((p) => el('li', { class: 'card' },
    el('h2', {}, p.name), el('p', {}, p.description), el('div', { class: 'row' }, el('strong', {}, money(p.price)),
      el('button', { 'aria-label': 'Add ' + p.name + ' to the cart', onclick: () => {
        items[p.id] = Math.min((items[p.id] || 0) + 1, 99);
        keep();
        changed();
        notice(p.name + ' is in your cart.');
      } }, 'Add')))))];
}

export async function cart({ changed }) {
  if (!cartSize()) return [el('h1', {}, 'Cart'), el('p', {}, 'Your cart is empty. ', el('a', { href: '#/' }, 'To the shop'))];
  const known = Object.fromEntries((await call('GET', '/products')).items.map((p) => [p.id, p]));
  for (const id of Object.keys(items)) if (!known[id]) delete items[id];
  const total = el('strong');
  const sum = () => {
    const lines = Object.entries(items).map(([id, n]) => ({ ...known[id].price, amount: known[id].price.amount * n }));
    total.textContent = lines.length ? money({ amount: lines.reduce((a, l) => a + l.amount, 0), currency: lines[0].currency }) : '';
  };
  sum();
  const rows = Object.keys(items).map((id) => [known[id].name, money(known[id].price),
    el('input', { class: 'few', type: 'number', min: 0, max: 99, value: items[id], 'aria-label': 'Quantity of ' + known[id].name, onchange: (e) => {
      items[id] = Math.max(0, Math.min(99, Math.trunc(Number(e.target.value)) || 0));
      if (!items[id]) delete items[id];
      keep();
      changed();
      sum();
    } })]);
  return [el('h1', {}, 'Cart'), table(['Product', '#Price', '#Quantity'], rows), el('p', { class: 'row' }, 'Total ', total),
    loggedIn() ? form([['payment_method', 'Payment', { options: methods, value: 'tok_visa' }]], 'Order and pay', async (v) => {
      const body = { items: Object.entries(items).map(([product_id, quantity]) => ({ product_id, quantity })), ...v };
      if (!order || JSON.stringify(order.body) !== JSON.stringify(body)) order = { key: crypto.randomUUID(), body };
      const placed = await call('POST', '/orders', body, { 'Idempotency-Key': order.key });
      items = {};
      keep();
      location.hash = '#/orders/' + placed.id;
    }) : el('p', {}, el('a', { href: '#/login' }, 'Log in'), ' or ', el('a', { href: '#/register' }, 'register'), ' to order.')];
}

export function orders(page) {
  return page.argument ? oneOrder(page) : listOfOrders(page);
}

async function listOfOrders({ query }) {
  const wanted = query.get('status') || '';
  const filter = el('select', { 'aria-label': 'Only orders that are', onchange: (e) => { location.hash = '#/orders' + (e.target.value ? '?status=' + e.target.value : ''); } },
    [['', 'all orders'], ...['pending', 'paid', 'payment_failed', 'cancelled', 'refunding', 'refunded'].map((s) => [s, s.replaceAll('_', ' ')])]
      .map(([value, text]) => el('option', { value, selected: value === wanted }, text)));
  const body = el('div');
  const head = ['Order', 'Placed', 'Status', '#Total'];
  const rows = [];
  const more = el('button', { class: 'quiet' }, 'More');
  let cursor = null;
  const load = async () => {
    const q = new URLSearchParams({ limit: 20, ...(wanted && { status: wanted }), ...(cursor && { cursor }) });
    const list = await call('GET', '/orders?' + q);
    rows.push(...list.items.map((o) => [el('a', { href: '#/orders/' + o.id }, o.items.map((i) => `${i.quantity} × ${i.name}`).join(', ')), when(o.created_at), status(o.status), money(o.total)]));
    cursor = list.next_cursor;
    more.hidden = !cursor;
    body.replaceChildren(rows.length ? table(head, rows) : el('p', {}, 'There are no such orders.'));
  };
  more.addEventListener('click', () => load().catch((p) => notice(p.message)));
  await load();
  return [el('h1', {}, 'Orders'), el('p', {}, filter), body, more];
}

async function oneOrder({ argument, signal }) {
  const box = el('div');
  const steps = el('ol', { class: 'steps', 'aria-live': 'polite' });
  const act = el('p');
  const draw = async () => {
    const o = await call('GET', '/orders/' + argument);
    const paid = (await call('GET', '/payments?order_id=' + o.id)).items[0];
    box.replaceChildren(el('p', {}, status(o.status), ' · ', money(o.total), ' · ', el('span', { class: 'soft' }, o.id)),
      table(['Product', '#Quantity', '#Price'], o.items.map((i) => [i.name, String(i.quantity), money(i.unit_price)])),
      paid ? el('p', {}, 'Payment: ', status(paid.status), paid.decline ? ' ' + paid.decline.reason : '', paid.refunded_amount.amount ? ` (${money(paid.refunded_amount)} given back)` : '') : el('p', { class: 'soft' }, 'No payment yet.'));
    steps.replaceChildren(...o.history.map((h) => el('li', {}, status(h.status), ' ', el('span', { class: 'soft' }, when(h.at) + (h.reason ? ', ' + h.reason : '')))));
    act.replaceChildren(...(['pending', 'paid'].includes(o.status) ? [el('button', { class: 'danger', onclick: async () => {
      if (!confirm('Cancel this order?')) return;
      try { await call('POST', `/orders/${o.id}/cancel`); } catch (p) { notice(p.message); }
      await draw();
      watch();
    } }, 'Cancel this order')] : []));
  };
  const watch = () => follow(argument, () => draw().catch(() => {}), signal);
  await draw();
  watch();
  return [el('h1', {}, 'Order'), box, el('h2', {}, 'History'), steps, act, el('p', {}, el('a', { href: '#/orders' }, 'All orders'))];
}

export async function messages() {
  const list = await call('GET', '/notifications?limit=50');
  return [el('h1', {}, 'Messages'), list.items.length ? table(['When', 'What', 'How', 'Status'], list.items.map((n) =>
    [when(n.sent_at || n.created_at), n.order_id ? el('a', { href: '#/orders/' + n.order_id }, n.subject) : n.subject, n.channel, el('span', {}, status(n.status), n.reason ? ' ' + n.reason : '')]))
    : el('p', {}, 'Nothing was sent yet.')];
}

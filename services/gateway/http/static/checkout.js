import * as attempt from './attempt.js';
import * as cart from './cart.js';
import { call } from './api.js';
import { button, el, form, notice, table, theirs } from './dom.js';
import { money, same, total } from './money.js';
import { user } from './session.js';

const methods = [['tok_visa', 'Card that works'], ['tok_declined', 'Card that is declined'], ['tok_insufficient_funds', 'Card without funds'],
  ['tok_slow', 'Card of a slow bank'], ['tok_flaky', 'Card of an unreliable bank']];

let refusal = null; // the problem that ended the last order's attempt, until it has been shown
let state = ''; // what is known about the pending one
let redraw = () => {}; // of the cart's page, while it is open

/** Goes on with an order that has no answer yet, also after a reload and in another tab, until it has one. */
export function goOn() {
  return running ??= finish().finally(() => { running = null; redraw(); });
}
let running = null;

async function finish() {
  state = 'Your order is being placed…';
  redraw();
  try {
    const order = await attempt.finish('order', {
      done: ({ body }) => cart.remove(body.items),
      unanswered: (problem) => { state = problem.message + ' Your order is asked for again in a moment. It cannot be placed twice.'; redraw(); },
    });
    if (!order) return;
    notice('Thank you. Your order is placed.');
    if (location.hash.startsWith('#/cart')) location.hash = '#/orders/' + order.id;
  } catch (problem) {
    refusal = problem;
    if (!location.hash.startsWith('#/cart')) notice('Your order was not placed: see your cart.');
  }
}

/** The cart, or the order that is made of it and has no answer yet. */
export async function checkout({ nav, signal }) {
  const box = el('div');
  let drawn = 0;
  const draw = async () => {
    if (signal.aborted) return;
    const turn = ++drawn;
    const nodes = attempt.pending('order') ? waiting() : await contents(() => { nav(); return draw(); });
    if (turn === drawn) box.replaceChildren(...nodes.filter(Boolean));
  };
  redraw = () => { draw().catch((p) => notice(p.message)); };
  signal.addEventListener('abort', () => { redraw = () => {}; });
  await draw();
  if (attempt.pending('order')) goOn();
  return [el('h1', {}, 'Cart'), box];
}

function waiting() {
  const { show } = attempt.pending('order');
  return [el('div', { class: 'card', role: 'status' }, el('p', { class: 'status pending' }, state || 'Your order has no answer yet.'),
    table(['Product', '#Price', '#Quantity'], show.items.map((i) => [theirs(i.name), money(i.price), String(i.quantity)])),
    el('p', { class: 'row' }, 'Total ', el('strong', {}, money(show.total))),
    el('p', { class: 'row start' }, button('Ask again now', {}, attempt.ask), el('a', { href: '#/orders' }, 'See my orders'),
      button('Stop asking', { class: 'danger' }, () => {
        if (!confirm('The order may have been placed all the same: look at your orders before you order again. Stop asking?')) return;
        attempt.abandon('order');
        attempt.ask();
        redraw();
      })))];
}

/** Reads what the lines of the cart are now. A product that cannot be read is null. */
async function lookUp(ids, quote) {
  const known = await Promise.all(ids.map((id) => call('GET', '/products/' + id).catch((p) => { if (p.status !== 404) throw p; return null; })));
  const quoted = Object.fromEntries((quote?.items || []).map((i) => [i.product_id, i.unit_price]));
  return Object.fromEntries(ids.map((id, i) => [id, known[i] && { ...known[i], price: quoted[id] || known[i].price }]));
}

async function contents(draw) {
  const refused = refusal, lines = cart.lines(), ids = Object.keys(lines);
  if (!ids.length) return [el('p', {}, 'Your cart is empty. ', el('a', { href: '#/' }, 'To the shop'))];
  const now = await lookUp(ids, refused?.quote);
  refusal = null;
  const gone = ids.filter((id) => !now[id]?.active);
  const groups = Object.groupBy(ids.filter((id) => now[id]?.active), (id) => now[id].price.currency);
  const several = Object.keys(groups).length > 1;
  return [refused && said(refused), gone.length > 0 && missing(gone, lines, draw),
    several && el('p', { class: 'card' }, 'Your cart has prices in several currencies. An order has one, so these are separate orders.'),
    ...Object.entries(groups).flatMap(([currency, group]) => [several && el('h2', {}, 'In ' + currency), ...part(group, lines, now, draw, several ? currency + '-' : '')])];
}

/** Why the last order was not placed. */
function said(problem) {
  const changed = problem.code === 'total_changed' && problem.quote;
  return el('div', { class: 'card bad', role: 'alert' }, el('strong', {}, changed ? 'The price has changed.' : 'Your order was not placed.'),
    el('p', {}, changed ? `This order costs ${money(problem.quote.total)} now.` : problem.message, ...problem.fields.map((f) => ` ${f.field} ${f.message}.`)),
    el('p', {}, changed ? 'Nothing was ordered. If the new price is right for you, order again.' : 'Nothing was ordered and nothing will be charged.'));
}

function missing(gone, lines, draw) {
  return el('div', { class: 'card bad' }, el('strong', {}, 'Not sold any more'),
    ...gone.map((id) => el('p', { class: 'row' }, el('span', {}, `${lines[id].quantity} × `, theirs(lines[id].name)),
      button('Remove', { class: 'quiet', 'aria-label': 'Remove ' + lines[id].name }, () => { cart.set(id, { quantity: 0 }); return draw(); }))));
}

/** The lines of one currency with their total, and the form that orders them. */
function part(ids, lines, now, draw, prefix) {
  const items = ids.map((id) => ({ id, ...lines[id], was: lines[id].price, name: now[id].name, price: now[id].price }));
  const sum = total(items);
  const rows = items.map((i) => [theirs(i.name),
    [money(i.price), !same(i.price, i.was) && el('small', { class: 'changed' }, `was ${money(i.was)}`)].filter(Boolean),
    el('input', { class: 'few', type: 'number', min: 0, max: cart.maxQuantity, value: i.quantity, 'aria-label': 'Quantity of ' + i.name,
      onchange: ({ target }) => {
        const n = target.value === '' ? i.quantity : Math.max(0, Math.min(cart.maxQuantity, Math.trunc(Number(target.value)) || 0));
        cart.set(i.id, { quantity: n });
        return draw();
      } }), money({ ...i.price, amount: i.price.amount * i.quantity })]);
  return [table(['Product', '#Price', '#Quantity', '#Together'], rows), el('p', { class: 'row sum' }, 'Total ', el('strong', {}, money(sum))), toOrder(items, sum, draw, prefix)];
}

function toOrder(items, sum, draw, prefix) {
  const tooMuch = items.find((i) => i.quantity > cart.maxQuantity);
  if (tooMuch) return el('p', { class: 'error' }, 'One order can have ', String(cart.maxQuantity), ' of ', theirs(tooMuch.name), ' at most.');
  if (items.length > cart.maxLines) return el('p', { class: 'error' }, `One order can have ${cart.maxLines} products at most. Remove some and order them after this.`);
  if (!user()) return el('p', {}, el('a', { href: '#/login?next=cart' }, 'Log in'), ' or ', el('a', { href: '#/register?next=cart' }, 'register'), ' to order.');
  const seen = (id) => JSON.stringify(cart.lines()[id]);
  const before = items.map((i) => seen(i.id));
  return form([['payment_method', 'Payment', { options: methods, value: 'tok_visa' }]], 'Order and pay', async ({ payment_method }) => {
    const begun = await attempt.begin('order', () => items.some((i, n) => seen(i.id) !== before[n]) ? null : {
      path: '/orders', show: { items, total: sum },
      body: { items: items.map((i) => ({ product_id: i.id, quantity: i.quantity })), payment_method, expected_total: sum },
    });
    if (!begun) {
      notice('Your cart was changed in another tab. Look at it again before you order.');
      return draw();
    }
    for (const i of items) cart.set(i.id, { price: i.price }); // this is what the customer has seen and agreed to
    await goOn();
  }, prefix);
}

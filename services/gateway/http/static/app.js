import * as account from './account.js';
import * as attempt from './attempt.js';
import * as cart from './cart.js';
import { call } from './api.js';
import { checkout, goOn } from './checkout.js';
import { button, el, notice, theirs } from './dom.js';
import { speak } from './money.js';
import { operator } from './operator.js';
import { messages, orders } from './orders.js';
import { end, user } from './session.js';
import { products } from './shop.js';
import { watch } from './store.js';

// Each page is a function of the address's argument and query that returns nodes. The signal ends with the page.
const pages = {
  '': products, cart: checkout, orders, messages, operator, ...account.pages,
};
const open = new Set(['', 'cart', 'login', 'register', 'forgotten', 'verify', 'reset']);

let leave = new AbortController();
let me = null, whose = ''; // the profile, and the id of the user who is logged in
let name = '';

async function whoAmI() {
  const now = user();
  if (now !== whose) me = null;
  whose = now;
  if (now && !me) {
    me = await call('GET', '/users/me').catch((p) => { if (p.status !== 401 && p.status !== 404) throw p; end(now); return null; });
    if (user() !== now) return whoAmI();
  }
  if (me) speak(me.locale);
}

function nav() {
  const count = cart.size();
  const links = [['', 'Shop'], ['cart', `Cart${count ? ` (${count})` : ''}`],
    ...(me ? [['orders', 'Orders'], ['messages', 'Messages'], ['account', theirs(me.name)]] : []),
    ...(me?.role === 'operator' ? [['operator', 'Operator']] : []),
    ...(me ? [] : [['login', 'Log in'], ['register', 'Register']])];
  document.getElementById('nav').replaceChildren(...links.map(([page, text]) =>
    el('a', { href: '#/' + page, 'aria-current': page === name ? 'page' : null }, text)),
  ...(me ? [button('Log out', { class: 'link' }, account.logOut)] : []));
}

async function show() {
  leave.abort();
  leave = new AbortController();
  const here = leave;
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [first, argument] = path.split('/');
  const main = document.getElementById('main');
  try {
    await whoAmI();
    if (here.signal.aborted) return;
    name = first;
    nav();
    if (!open.has(name) && !me) { location.hash = '#/login'; return; }
    const page = Object.hasOwn(pages, name) ? pages[name] : () => [el('h1', {}, 'There is nothing here'), el('a', { href: '#/' }, 'To the shop')];
    const nodes = await page({ argument, query: new URLSearchParams(query), signal: here.signal, me, nav, changed: async () => { me = null; await whoAmI(); nav(); return me; } });
    if (here.signal.aborted) return;
    main.replaceChildren(...nodes);
    document.title = (main.querySelector('h1')?.textContent || 'Shop') + ' · Sidecart';
    main.focus();
  } catch (problem) {
    if (here.signal.aborted) return;
    main.replaceChildren(el('h1', {}, 'That did not work'), el('p', {}, problem.message), button('Try again', {}, show));
  }
}

addEventListener('session-ended', () => {
  notice('Your session has ended. Log in again to go on.');
  show();
});

// What other tabs do: log in or out, fill the cart, order.
watch((stored) => {
  if (stored === 'session' || stored === '') {
    attempt.ask();
    if (user() !== whose) show();
  } else if (stored.startsWith('cart/') || stored.startsWith('attempt/order/')) {
    nav();
    if (name === 'cart') show();
  }
});

// An order that had no answer when this page was left, or before the login, goes on.
async function resume() {
  await show();
  if (user() && attempt.pending('order')) goOn();
}

addEventListener('hashchange', resume);
resume();

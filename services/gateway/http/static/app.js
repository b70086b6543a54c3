import { call, loggedIn } from './api.js';
import { el, notice } from './dom.js';
import * as account from './account.js';
import * as shop from './shop.js';
import * as operator from './operator.js';

// Each page is a function of the address's argument and query that returns nodes. The signal ends with the page.
const pages = {
  '': shop.products, cart: shop.cart, orders: shop.orders, messages: shop.messages,
  login: account.login, register: account.register, forgotten: account.forgotten, account: account.account, logout: account.logout,
  verify: account.verify, reset: account.reset, operator: operator.operator,
};
const open = new Set(['', 'cart', 'login', 'register', 'forgotten', 'verify', 'reset']);

let leave = new AbortController();
let me = null;

async function whoAmI() {
  if (!loggedIn()) me = null;
  else if (!me) me = await call('GET', '/users/me').catch((p) => { if (p.status !== 401 && p.status !== 404) throw p; return null; });
  if (me) document.documentElement.lang = me.locale;
  return me;
}

function nav(name) {
  const count = shop.cartSize();
  const links = [['', 'Shop'], ['cart', `Cart${count ? ` (${count})` : ''}`],
    ...(me ? [['orders', 'Orders'], ['messages', 'Messages'], ['account', me.name]] : []),
    ...(me?.role === 'operator' ? [['operator', 'Operator']] : []),
    ...(me ? [['logout', 'Log out']] : [['login', 'Log in'], ['register', 'Register']])];
  document.getElementById('nav').replaceChildren(...links.map(([page, text]) =>
    el('a', { href: '#/' + page, 'aria-current': page === name ? 'page' : null }, text)));
}

async function show() {
  leave.abort();
  leave = new AbortController();
  const here = leave;
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, argument] = path.split('/');
  const main = document.getElementById('main');
  try {
    await whoAmI();
    if (!open.has(name) && !me) { location.hash = '#/login'; return; }
    nav(name);
    const page = pages[name] || (() => [el('h1', {}, 'There is nothing here'), el('a', { href: '#/' }, 'To the shop')]);
    const nodes = await page({ argument, query: new URLSearchParams(query), signal: here.signal, me, changed: async () => { me = null; await whoAmI(); nav(name); } });
    if (here.signal.aborted) return;
    main.replaceChildren(...nodes);
    document.title = (main.querySelector('h1')?.textContent || 'Shop') + ' · Sidecart';
    main.focus();
  } catch (problem) {
    if (here.signal.aborted) return;
    main.replaceChildren(el('h1', {}, 'That did not work'), el('p', {}, problem.message), el('button', { onclick: show }, 'Try again'));
    if (problem.status === 401) { notice('Please log in again.'); location.hash = '#/login'; }
  }
}

addEventListener('hashchange', show);
show();

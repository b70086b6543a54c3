import * as cart from './cart.js';
import { call } from './api.js';
import { button, el, notice, paged, theirs } from './dom.js';
import { money } from './money.js';

/** What is on sale. */
export async function products({ nav }) {
  const add = (p) => {
    const added = cart.add(p);
    nav();
    notice(added ? `${p.name} is in your cart.` : `Your cart has ${cart.maxQuantity} of this or ${cart.maxLines} products, which is the most one order can have.`);
  };
  const card = (p) => el('li', { class: 'card' }, el('h2', {}, theirs(p.name)), el('p', {}, theirs(p.description)),
    el('div', { class: 'row' }, el('strong', {}, money(p.price)), button('Add', { 'aria-label': `Add ${p.name} to the cart` }, () => add(p))));
  const list = await paged((cursor) => call('GET', '/products?' + new URLSearchParams({ limit: 24, ...(cursor && { cursor }) })),
    (items) => items.length ? el('ul', { class: 'grid' }, items.map(card)) : el('p', {}, 'There is nothing on sale at the moment.'));
  return [el('h1', {}, 'Shop'), ...list];
}

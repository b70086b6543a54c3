// The cart: product id to {quantity, name, price}, the price being the last that the customer was shown. There is one for
// each user and one for whoever is not logged in.

import { read, write } from './store.js';

export const maxQuantity = 99, maxLines = 50; // of an order

const place = (who = read('session')?.user || '') => 'cart/' + who;

export const lines = () => read(place()) || {};
export const size = () => Object.values(lines()).reduce((sum, line) => sum + line.quantity, 0);

function keep(next, where = place()) { write(where, Object.keys(next).length ? next : null); }

/** Adds one of a product. False says that the cart has too many products or too many of this one. */
export function add({ id, name, price }) {
  const now = lines();
  const quantity = (now[id]?.quantity || 0) + 1;
  if (quantity > maxQuantity || !now[id] && Object.keys(now).length >= maxLines) return false;
  keep({ ...now, [id]: { quantity, name, price: now[id]?.price || price } });
  return true;
}

/** Changes a line; a quantity of 0 removes it. */
export function set(id, change) {
  const { [id]: line, ...rest } = lines();
  if (!line) return;
  const next = { ...line, ...change };
  keep(next.quantity > 0 ? { ...lines(), [id]: next } : rest);
}

/** Takes out what was ordered. */
export function remove(items) {
  for (const { product_id: id, quantity } of items) {
    const line = lines()[id];
    if (line) set(id, { quantity: line.quantity - quantity });
  }
}

/** Gives a user what was put into the cart before the login. Nothing is left out: what is too much for one order the cart's page says. */
export function adopt(who) {
  const found = read(place('')), own = read(place(who)) || {};
  if (!found || !who) return;
  const all = { ...own };
  for (const [id, line] of Object.entries(found)) {
    all[id] = { ...line, quantity: (own[id]?.quantity || 0) + line.quantity };
  }
  keep(all, place(who));
  write(place(''), null);
}

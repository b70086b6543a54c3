// Amounts as the shop's messages write them: by the digits of ISO 4217, which are not those of the browser's own tables.

import { digits } from './currencies.js'; // made by the gateway from the services' own table

const symbols = ['EUR', 'USD', 'GBP', 'JPY']; // the messages write these as signs, and others as codes

let language = 'en';
export const locale = () => language;
export function speak(tag) { language = tag; }

/** The amount with as many decimals as its currency has. */
export function money({ amount, currency }) {
  const decimals = digits[currency] ?? 2;
  return new Intl.NumberFormat(language, {
    style: 'currency', currency, currencyDisplay: symbols.includes(currency) ? 'narrowSymbol' : 'code',
    minimumFractionDigits: decimals, maximumFractionDigits: decimals,
  }).format(plain(amount, decimals));
}

/** The amount as a decimal number in text, which loses no digit. */
function plain(amount, decimals) {
  const sign = amount < 0 ? '-' : '', all = String(Math.abs(amount)).padStart(decimals + 1, '0');
  return decimals ? `${sign}${all.slice(0, -decimals)}.${all.slice(-decimals)}` : sign + all;
}

/** Reads what a person types, such as 12.99 or 12,99, as an amount of the currency, or throws an error that says what is wrong. */
export function parse(text, currency) {
  const decimals = digits[currency] ?? 2;
  const [, whole, part = ''] = text.trim().match(/^(\d{1,13})(?:[.,](\d+))?$/) || [];
  if (whole === undefined || part.length > decimals) {
    throw new Error(`Write the amount in ${currency} with ${decimals ? `at most ${decimals}` : 'no'} decimals, like ${plain(1299, decimals)}.`);
  }
  const amount = Number(whole + part.padEnd(decimals, '0'));
  if (!Number.isSafeInteger(amount)) throw new Error('The amount is too large.');
  return { amount, currency };
}

/** Total of [{price, quantity}] of one currency. */
export const total = (items) => ({ currency: items[0].price.currency, amount: items.reduce((sum, i) => sum + i.price.amount * i.quantity, 0) });

export const same = (a, b) => a.amount === b.amount && a.currency === b.currency;

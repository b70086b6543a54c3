// How numbers, times and names are written.

import { el } from './dom.js';

export const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });

/** A duration in microseconds. */
export function took(us) {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1e6) return `${(us / 1000).toFixed(us < 1e4 ? 1 : 0)} ms`;
  return us < 6e7 ? `${(us / 1e6).toFixed(2)} s` : `${Math.round(us / 6e7)} min`;
}

/** How long something lasts, in milliseconds, as a person says it. */
export function lasted(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  const minutes = Math.floor(s / 60);
  if (s < 3600) return `${minutes} min ${s % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A latency in milliseconds; a negative one was not measured. */
export function ms(value) {
  if (value < 0) return '–';
  if (value < 10) return value.toFixed(1) + ' ms';
  return value < 1000 ? Math.round(value) + ' ms' : (value / 1000).toFixed(1) + ' s';
}

export function rate(value) {
  if (value === 0) return '0';
  return value < 0.1 ? '<0.1' : value < 10 ? value.toFixed(1) : String(Math.round(value));
}

export function count(value) {
  if (Number.isInteger(value)) return value.toLocaleString('en');
  return value < 10 ? value.toFixed(2) : value.toFixed(1);
}

export const megabytes = (n) => (n ? (n / 1048576).toFixed(n < 1e7 ? 1 : 0) + ' MB' : '–');

export const money = ({ amount, currency }) =>
  currency ? new Intl.NumberFormat('en', { style: 'currency', currency }).format(amount / 100) : '';

export const words = (text) => text.replaceAll('_', ' ');

const short = (id) => (id.length > 18 ? id.slice(0, 12) + '…' + id.slice(-4) : id);

/** A link with an id that is too long to be read whole; the whole of it is its title. */
export const idLink = (path, id) =>
  el('a', { href: `#/${path}/${encodeURIComponent(id)}`, class: 'id', title: id }, short(id));

/** A link to a message in the inbox, in a tab of its own. */
export const openMail = (m) =>
  el('a', { href: m.link, target: '_blank', rel: 'noopener' }, m.subject || '(no subject)');

const waiting = new Set(['pending', 'refunding', 'stopped', 'not ready', 'unknown']);
const good = new Set(['paid', 'refunded', 'ready', 'running']),
  quiet = new Set(['cancelled']);
const doing = (state) => waiting.has(state) || state.endsWith(' under way');
export const mood = (state) =>
  good.has(state) ? 'good' : doing(state) ? 'wait' : quiet.has(state) ? 'quiet' : 'bad';

export const pill = (state) => el('span', { class: 'pill ' + mood(state) }, words(state));

/** The colour of an app, always the same: in the order in which apps are first met. */
const met = [];
export function hue(app) {
  if (!met.includes(app)) met.push(app);
  return 'c' + (met.indexOf(app) % 7);
}

export const chip = (app) => el('span', { class: 'chip ' + hue(app) }, app);

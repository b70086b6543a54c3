// Building pages. All text goes in as text, never as markup.

export function el(tag, attributes = {}, ...children) {
  const svg = ['svg', 'g', 'path', 'rect', 'text', 'title'].includes(tag);
  const node = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(9).filter((c) => c != null && c !== false));
  return node;
}

export function notice(text) {
  const box = document.getElementById('notice');
  box.textContent = text;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { box.textContent = ''; }, 6000);
}

export async function ask(path, options) {
  const answer = await fetch('/api/' + path, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.detail || `${answer.status} ${answer.statusText}`);
  return body;
}

/** A table; heads that begin with # stand above numbers. */
export function table(heads, rows, none = 'Nothing yet.') {
  if (!rows.length) return el('p', { class: 'soft' }, none);
  const kind = (i) => heads[i].startsWith('#') ? 'num' : null;
  return el('div', { class: 'scroll' }, el('table', {},
    el('thead', {}, el('tr', {}, heads.map((h, i) => el('th', { scope: 'col', class: kind(i) }, h.replace('#', ''))))),
    el('tbody', {}, rows.map((cells) => el('tr', {}, cells.map((c, i) => el('td', { class: kind(i) }, c)))))));
}

export const clock = (time) => new Date(time).toLocaleTimeString();
export const took = (us) => us < 1000 ? `${us} µs` : us < 1e6 ? `${(us / 1000).toFixed(1)} ms` : `${(us / 1e6).toFixed(2)} s`;
export const ms = (value) => value < 0 ? '–' : value < 10 ? value.toFixed(1) + ' ms' : Math.round(value) + ' ms';
export const rate = (value) => value === 0 ? '0' : value < 10 ? value.toFixed(1) : String(Math.round(value));

/** A small chart of [time, value] pairs. */
export function spark(points, label) {
  const [w, h] = [110, 26], values = (points || []).slice(-150);
  if (values.length < 2) return '';
  const top = Math.max(...values.map((p) => p[1]), 1e-9), from = values[0][0], span = values.at(-1)[0] - from || 1;
  const d = values.map(([t, v], i) => `${i ? 'L' : 'M'}${((t - from) / span * w).toFixed(1)} ${(h - 2 - v / top * (h - 4)).toFixed(1)}`).join('');
  return el('svg', { class: 'spark', viewBox: `0 0 ${w} ${h}`, role: 'img', 'aria-label': `${label}, at most ${rate(top)}` }, el('path', { d }));
}

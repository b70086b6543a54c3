// Building pages. All text goes in as text, never as markup.

const drawn = new Set([
  'svg',
  'g',
  'path',
  'rect',
  'circle',
  'line',
  'text',
  'title',
  'defs',
  'marker',
  'polyline',
]);

/** Makes an element. An attribute "on…" is a handler; false and null are left out. */
export function el(tag, attributes = {}, ...children) {
  const svg = drawn.has(tag) || attributes.svg;
  const node = svg
    ? document.createElementNS('http://www.w3.org/2000/svg', tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'svg') continue;
    else if (name.startsWith('on')) node[name] = value;
    else if (name === 'style') for (const [key, v] of Object.entries(value)) node.style[key] = v;
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(9).filter((c) => c != null && c !== false && c !== ''));
  return node;
}

/**
 * Makes a node look as the given children say, and keeps what is the same. So the focus, the scroll
 * position, a selection and an animation outlive a page that is drawn anew every two seconds.
 */
export function render(node, ...children) {
  const holder = el('div', {}, ...children);
  patchChildren(node, [...holder.childNodes]);
}

/**
 * A child with a key is found again by it wherever it stands now, so that whoever is on a row stays
 * on it when newer ones come above. Others are found by their place. What was added to a node with
 * data-more, behind what it was made with, stays.
 */
function patchChildren(node, wanted) {
  const keyed = new Map();
  for (const n of node.children) if (n.dataset.key) keyed.set(n.dataset.key, n);
  const keys = new Set(keyed.size ? wanted.map((w) => w.dataset?.key) : []);
  for (const [key, n] of keyed) if (!keys.has(key)) n.remove();
  let at = node.firstChild;
  for (const want of wanted) {
    const same = keyed.get(want.dataset?.key);
    if (same && same !== at) node.insertBefore(same, at);
    const there = same || at;
    if (there === at) at = at?.nextSibling;
    if (!same && there?.dataset?.key) node.insertBefore(want, (at = there));
    else if (!there) node.append(want);
    else if (!patch(there, want)) there.replaceWith(want);
  }
  while (at && !node.dataset?.more) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

const handlers = ['onclick', 'onsubmit', 'oninput', 'ontoggle'];

/** Makes one node like another, or says that they are too different. */
function patch(node, want) {
  if (node.nodeName !== want.nodeName || node.id !== want.id) return false;
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.data !== want.data) node.data = want.data;
    return true;
  }
  for (const { name } of [...node.attributes]) {
    const kept = name === 'open' && node.nodeName === 'DETAILS'; // the reader's own doing
    if (!want.hasAttribute(name) && !kept) node.removeAttribute(name);
  }
  for (const { name, value } of want.attributes) {
    if (node.getAttribute(name) === value) continue;
    if (name === 'style') node.style.cssText = want.style.cssText;
    else node.setAttribute(name, value);
  }
  for (const name of handlers) node[name] = want[name];
  if (node.type === 'range' && node.value !== want.value) node.value = want.value;
  if (node.nodeName !== 'SELECT') patchChildren(node, [...want.childNodes]);
  return true;
}

export function notice(text) {
  const box = document.getElementById('notice');
  box.textContent = text;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => {
    box.textContent = '';
  }, 6000);
}

/** Whether the console answers, as the header shows it. */
let reached = true;

export function reach(now) {
  if (now === reached) return;
  reached = now;
  document.body.classList.toggle('lost', !now);
  document.querySelector('#live span').textContent = now ? 'live' : 'not reached';
  notice(now ? 'The console answers again.' : 'The console does not answer.');
}

/** Whether the reader holds the page still. */
export const held = () => document.getElementById('live').ariaPressed === 'true';

/** Asks the console. What only reads is given up after ten seconds, and asked again. */
export async function ask(path, options = { signal: AbortSignal.timeout(10_000) }) {
  let answer;
  try {
    answer = await fetch('/api/' + path, options);
  } catch {
    reach(false);
    throw new Error(
      'The console does not answer. Is the system stopped? This page goes on trying.',
    );
  }
  reach(true);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.detail || `${answer.status} ${answer.statusText}`);
  return body;
}

/** Cells of a table's row that is known again by its key. */
export const row = (key, ...cells) => Object.assign(cells, { key });

/** A table; heads that begin with # stand above numbers. On a phone each row is a card. */
export function table(heads, rows, none = 'Nothing yet.') {
  if (!rows.length) return empty(none);
  const kind = (i) => (heads[i].startsWith('#') ? 'num' : null),
    name = (h) => h.replace('#', '');
  return el(
    'table',
    {},
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        heads.map((h, i) => el('th', { scope: 'col', class: kind(i) }, name(h))),
      ),
    ),
    el(
      'tbody',
      {},
      rows.map((cells) =>
        el(
          'tr',
          { 'data-key': cells.key },
          cells.map((c, i) => el('td', { class: kind(i), 'data-label': name(heads[i]) }, c)),
        ),
      ),
    ),
  );
}

export const empty = (text, good) =>
  el('p', { class: 'empty' + (good ? ' fine' : '') }, good ? '✓ ' : '', text);

/** A row of figures: [label, value, kind]. */
export const tiles = (list) =>
  el(
    'dl',
    { class: 'tiles' },
    list.map(([label, value, kind]) =>
      el('div', { class: kind }, el('dt', {}, label), el('dd', {}, value)),
    ),
  );

export const heading = (text, ...beside) =>
  el('div', { class: 'heading' }, el('h1', {}, text), beside);

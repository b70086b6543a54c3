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

function patchChildren(node, wanted) {
  const there = [...node.childNodes];
  wanted.forEach((want, i) => {
    if (!there[i]) node.append(want);
    else if (!patch(there[i], want)) there[i].replaceWith(want);
  });
  there.slice(wanted.length).forEach((n) => n.remove());
}

const handlers = ['onclick', 'onsubmit', 'oninput', 'onchange', 'onkeydown'];

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

/** Asks the console, and shows in the header whether it answers. */
export async function ask(path, options) {
  const light = document.getElementById('live');
  let answer;
  try {
    answer = await fetch('/api/' + path, options);
  } catch {
    light.className = 'bad';
    light.textContent = 'not reached';
    throw new Error(
      'The console does not answer. Is the system stopped? This page goes on trying.',
    );
  }
  light.className = 'good';
  light.textContent = 'live';
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.detail || `${answer.status} ${answer.statusText}`);
  return body;
}

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
          {},
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

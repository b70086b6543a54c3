// Building pages. All text goes in as text, never as markup.

import { locale } from './money.js';

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((c) => c != null && c !== false));
  return node;
}

export const when = (time) => new Date(time).toLocaleString(locale(), { dateStyle: 'medium', timeStyle: 'short' });
export const status = (s) => el('span', { class: 'status ' + s }, s.replaceAll('_', ' '));

/** Text of somebody else: it may run from right to left without turning round what stands beside it. */
export const theirs = (text) => el('bdi', {}, text);

/** A button whose action runs once at a time. What goes wrong is said in a notice. */
export function button(text, attributes, action) {
  return el('button', { type: 'button', ...attributes, onclick: async ({ currentTarget: it }) => {
    it.disabled = true;
    try {
      await action();
    } catch (problem) {
      notice(problem.message);
    } finally {
      it.disabled = false;
    }
  } }, text);
}

/** A list that is read page by page: load(cursor) answers a page, draw(items) shows all items so far. */
export async function paged(load, draw) {
  const items = new Map();
  const body = el('div');
  let cursor = null;
  const next = async () => {
    const page = await load(cursor);
    for (const item of page.items) items.set(item.id, item); // pages may overlap while something is added
    cursor = page.next_cursor;
    more.hidden = !cursor;
    body.replaceChildren(...[draw([...items.values()])].flat());
    return page;
  };
  const more = button('Show more', { class: 'quiet' }, next);
  await next();
  return [body, el('p', { class: 'more' }, more)];
}

export function notice(text) {
  const box = document.getElementById('notice');
  box.textContent = text;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { box.textContent = ''; }, 6000);
}

/**
 * A form whose fields are described by [name, label, attributes]. What the server says of a field is shown at
 * the field. The prefix keeps the fields of two forms of a page apart.
 */
export function form(fields, submit, action, prefix = '') {
  const inputs = {}, errors = {};
  const problem = el('p', { class: 'error', role: 'alert' });
  const submitting = el('button', { type: 'submit' }, submit);
  const rows = fields.map(([name, label, attributes = {}]) => {
    const { options, ...rest } = attributes;
    const id = 'field-' + prefix + name;
    inputs[name] = options
      ? el('select', { id, name, ...rest }, options.map(([value, text]) => el('option', { value, selected: value === rest.value }, text)))
      : el('input', { id, name, ...rest });
    errors[name] = el('span', { class: 'error', id: id + '-error' });
    return rest.type === 'checkbox'
      ? el('label', { class: 'check' }, inputs[name], label)
      : el('label', {}, label, inputs[name], errors[name]);
  });
  return el('form', { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    problem.textContent = '';
    for (const name in inputs) { errors[name].textContent = ''; inputs[name].removeAttribute('aria-invalid'); }
    if (submitting.disabled) return;
    submitting.disabled = true;
    try {
      await action(Object.fromEntries(Object.entries(inputs).map(([n, i]) => [n, i.type === 'checkbox' ? i.checked : i.value])));
    } catch (error) {
      problem.textContent = error.message;
      for (const { field, message } of (error.fields || []).toReversed()) { // the first is focused last
        if (!errors[field]) { problem.textContent += ` ${field} ${message}.`; continue; }
        errors[field].textContent = message;
        inputs[field].setAttribute('aria-invalid', 'true');
        inputs[field].setAttribute('aria-describedby', inputs[field].id + '-error');
        inputs[field].focus();
      }
    } finally {
      submitting.disabled = false;
    }
  } }, rows, problem, submitting);
}

/** A table; heads that begin with # stand above numbers. On a narrow screen each row is a block whose cells say their head. */
export function table(heads, rows) {
  const names = heads.map((h) => h.replace('#', '')), kind = (i) => heads[i].startsWith('#') ? 'num' : null;
  return el('div', { class: 'scroll' }, el('table', { role: 'table' },
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, names.map((h, i) => el('th', { scope: 'col', role: 'columnheader', class: kind(i) }, h)))),
    el('tbody', { role: 'rowgroup' }, rows.map((cells) => el('tr', { role: 'row' },
      cells.map((c, i) => el('td', { role: 'cell', class: kind(i), 'data-head': names[i] }, el('div', {}, c))))))));
}

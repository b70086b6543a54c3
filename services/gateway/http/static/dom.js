// Building pages. All text goes in as text, never as markup.

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

export function money({ amount, currency }) {
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: 'currency', currency });
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

export const when = (time) => new Date(time).toLocaleString(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' });
export const status = (s) => el('span', { class: 'status ' + s }, s.replaceAll('_', ' '));

export function notice(text) {
  const box = document.getElementById('notice');
  box.textContent = text;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { box.textContent = ''; }, 6000);
}

/** A form whose fields are described by [name, label, attributes]. What the server says of a field is shown at the field. */
export function form(fields, submit, action) {
  const inputs = {}, errors = {};
  const problem = el('p', { class: 'error', role: 'alert' });
  const button = el('button', { type: 'submit' }, submit);
  const rows = fields.map(([name, label, attributes = {}]) => {
    const { options, ...rest } = attributes;
    const id = 'field-' + name;
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
    button.disabled = true;
    try {
      await action(Object.fromEntries(Object.entries(inputs).map(([n, i]) => [n, i.type === 'checkbox' ? i.checked : i.value])));
    } catch (error) {
      problem.textContent = error.message;
      for (const { field, message } of error.fields || []) {
        if (!errors[field]) { problem.textContent += ` ${field} ${message}.`; continue; }
        errors[field].textContent = message;
        inputs[field].setAttribute('aria-invalid', 'true');
        inputs[field].setAttribute('aria-describedby', 'field-' + field + '-error');
        inputs[field].focus();
      }
    } finally {
      button.disabled = false;
    }
  } }, rows, problem, button);
}

export function table(heads, rows) {
  return el('div', { class: 'scroll' }, el('table', {},
    el('thead', {}, el('tr', {}, heads.map((h) => el('th', { scope: 'col', class: h.startsWith('#') ? 'num' : null }, h.replace('#', ''))))),
    el('tbody', {}, rows.map((cells) => el('tr', {}, cells.map((c, i) => el('td', { class: heads[i].startsWith('#') ? 'num' : null }, c)))))));
}

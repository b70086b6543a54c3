// Log lines, as they come.

import { ask, el, empty, heading, held, reach, render } from './dom.js';
import { clock, hue } from './format.js';

const most = 1000; // lines on the page

const elsewhere =
  'These apps were started elsewhere, and their log lines are there. Here are those of the launcher.';

export const logLine = (l) =>
  el(
    'li',
    { class: l.level || 'info' },
    el('time', { datetime: l.at }, clock(l.at)),
    el('span', { class: 'src ' + hue(l.source.split('/')[0]) }, l.source),
    el(
      'span',
      { class: 'said' },
      ['error', 'warn'].includes(l.level) && el('b', {}, l.level + ' '),
      l.message,
      l.fields && el('span', { class: 'soft' }, ' ' + l.fields),
      l.trace && [' ', el('a', { href: '#/traces/' + l.trace }, 'trace')],
    ),
  );

export const logList = (lines) =>
  lines.length
    ? el('ol', { class: 'logs short', tabindex: 0, 'aria-label': 'Log lines' }, lines.map(logLine))
    : empty('No lines.');

/** A form whose fields stand in the address, so that a search can be shared. */
export function filter(page, query, fields) {
  const field = ([name, label, options]) => {
    if (options === true) {
      return el(
        'label',
        { class: 'check' },
        el('input', { type: 'checkbox', name, value: '1', checked: query.has(name) }),
        label,
      );
    }
    if (!options) {
      return el('label', {}, label, el('input', { name, value: query.get(name) || '', size: 12 }));
    }
    return el(
      'label',
      {},
      label,
      el(
        'select',
        { name },
        ['', ...options].map((o) =>
          el('option', { value: o, selected: query.get(name) === o }, o || 'any'),
        ),
      ),
    );
  };
  return el(
    'form',
    {
      class: 'filter',
      role: 'search',
      onsubmit: (event) => {
        event.preventDefault();
        const values = [...new FormData(event.currentTarget)].filter(([, v]) => v);
        location.hash = `#/${page}?` + new URLSearchParams(values);
      },
    },
    fields.map(field),
    el('button', { class: 'main' }, 'Search'),
    query.size > 0 && el('a', { href: '#/' + page }, 'all'),
  );
}

let stream = null;

export function closeLogs() {
  stream?.close();
  stream = null;
}

/** Puts lines on the page in one go for each picture of the screen, however fast they come. */
function lines(list, none) {
  let waiting = [];
  const show = () => {
    none.remove();
    list.append(...waiting.splice(0).slice(-most));
    while (list.children.length > most) list.firstChild.remove();
    if (!held()) list.scrollTop = list.scrollHeight;
  };
  return (line) => {
    if (waiting.push(line) === 1) setTimeout(() => requestAnimationFrame(show), 50);
    if (waiting.length > 2 * most) waiting = waiting.slice(-most);
  };
}

function again(refused) {
  if (stream === refused) document.dispatchEvent(new Event('redraw'));
}

const missed = (n) =>
  el('li', { class: 'warn' }, el('b', {}, `${n} lines came too fast to be shown here.`));

export async function logs(main, query) {
  const { sources, foreign } = await ask('logs?limit=1');
  const list = el('ol', { class: 'logs', tabindex: 0, 'aria-label': 'Log lines, newest last' });
  const none = empty('No line like this yet. New ones come by themselves.');
  return () => {
    render(
      main,
      heading('Logs'),
      filter('logs', query, [
        ['app', 'App', sources],
        ['level', 'At least', ['info', 'warn', 'error']],
        ['text', 'Text'],
        ['trace', 'Trace'],
      ]),
    );
    if (foreign) main.append(el('p', { class: 'soft' }, elsewhere));
    main.append(none, list); // not through render, which would not know the list again
    closeLogs();
    const add = lines(list, none);
    stream = new EventSource('/api/logs/stream?' + query);
    stream.onopen = () => reach(true);
    stream.onerror = ({ target }) => {
      reach(false); // the browser asks again by itself, unless it was refused
      if (target.readyState === EventSource.CLOSED) setTimeout(again, 2000, target);
    };
    stream.onmessage = ({ data }) => add(logLine(JSON.parse(data)));
    stream.addEventListener('missed', ({ data }) => add(missed(data)));
    return false; // the lines come by themselves
  };
}

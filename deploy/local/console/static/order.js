// An order: how it stands and why, and its journey step by step on a timeline and on the picture.

import { ask, el, empty, heading, render, tiles } from './dom.js';
import { clock, money, pill, took, words } from './format.js';
import { logList } from './logs.js';
import { key, picture } from './picture.js';
import { timeline } from './timeline.js';
import { waterfall } from './trace.js';

const ended = ['paid', 'payment_failed', 'cancelled', 'refunded'];

/** Where the reader is on which order's journey. It outlives the page, which is drawn anew. */
const at = { id: '', step: -1, steps: 0, timer: 0, show: () => {} };

export async function orderPage(main, id) {
  const [data, system] = await Promise.all([
    ask('orders/' + encodeURIComponent(id)),
    ask('system'),
  ]);
  if (at.id !== id) {
    clearInterval(at.timer);
    Object.assign(at, { id, step: -1 });
  }
  return () => {
    at.steps = data.moments.length;
    at.show = () => render(main, ...page(data, system));
    at.show();
    return ended.includes(data.order.status) ? 10_000 : 2000; // it may still be refunded
  };
}

function go(step) {
  at.step = step;
  at.show();
}

function play() {
  clearInterval(at.timer);
  if (at.step >= at.steps - 1) at.step = -1;
  at.timer = setInterval(() => {
    const gone = !location.hash.endsWith(at.id);
    if (gone || at.step >= at.steps - 1) clearInterval(at.timer);
    else go(at.step + 1);
  }, 600);
}

function page({ order, answer, moments, spans, logs }, system) {
  const first = moments[0]?.at || 0,
    last = moments.at(-1)?.at || 0;
  return [
    heading('Order', pill(order.status)),
    el('p', { class: 'soft id' }, order.id),
    el(
      'section',
      { class: 'card answer', 'aria-label': 'How it stands' },
      answer.map((text) => el('p', {}, text)),
    ),
    tiles([
      ['total', money(order.total) || '–'],
      ['placed', first ? clock(first / 1000) : '–'],
      ['from first to last step', took(last - first)],
      ['steps', String(moments.length)],
      ['failed', String(moments.filter((m) => m.error).length)],
    ]),
    el('h2', {}, 'Its journey'),
    moments.length ? journey(moments, spans, system) : empty('Nothing of it is kept here.'),
    el('h2', {}, 'Every span'),
    spans.length
      ? el(
          'details',
          {},
          el('summary', {}, `${spans.length} spans as a waterfall`),
          waterfall(spans),
        )
      : empty('No spans are kept of this order.'),
    el('h2', {}, 'Log lines'),
    logList(logs),
  ];
}

function journey(steps, spans, system) {
  const now = Math.min(at.step, steps.length - 1),
    here = steps[now];
  const past = new Set(
    steps
      .slice(0, now < 0 ? steps.length : now)
      .filter((s) => s.to)
      .map(key),
  );
  const told = here
    ? `Step ${now + 1} of ${steps.length}: ${sentence(here)}`
    : `${steps.length} steps. Play them, or choose one.`;
  return el(
    'div',
    { class: 'card' },
    el(
      'div',
      { class: 'player' },
      el('button', { class: 'main', onclick: play }, '▶ Play'),
      el('input', {
        type: 'range',
        min: -1,
        max: steps.length - 1,
        value: now,
        'aria-label': 'Step of the journey',
        'aria-valuetext': told,
        oninput: ({ currentTarget: it }) => go(Number(it.value)),
      }),
      el('p', { class: 'told' + (here?.error ? ' bad' : '') }, told),
    ),
    timeline(spans, steps, now),
    picture(system, { past, now: here?.to ? key(here) : '', visits: visits(steps) }),
    el(
      'details',
      { open: true },
      el('summary', {}, 'Steps'),
      el(
        'ol',
        { class: 'steps' },
        steps.map((s, i) =>
          el(
            'li',
            { class: s.kind },
            el(
              'button',
              {
                'aria-current': i === now ? 'step' : null,
                class: s.error ? 'bad' : null,
                onclick: () => go(i),
              },
              el('span', { class: 'when' }, '+' + took(s.at - steps[0].at)),
              el('span', {}, sentence(s)),
            ),
            s.link && el('a', { href: s.link }, 'read it'),
            s.trace && el('a', { href: '#/traces/' + s.trace }, 'trace'),
          ),
        ),
      ),
    ),
  );
}

function visits(steps) {
  const counts = new Map();
  for (const s of steps) if (s.to) counts.set(s.to, (counts.get(s.to) || 0) + 1);
  return counts;
}

function sentence(s) {
  const where = s.kind === 'status' ? `the order is ${words(s.what)}` : `${s.from} ${s.what}`;
  return where + (s.detail ? `: ${words(s.detail)}` : '') + (s.took ? ` (${took(s.took)})` : '');
}

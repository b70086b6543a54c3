// Small charts of [time, value] pairs over the last five minutes.

import { el } from './dom.js';
import { count } from './format.js';

const [W, H] = [260, 56];

/** An area chart with its greatest value written above it. */
export function chart(points, label, unit = '') {
  const values = (points || []).slice(-150);
  if (values.length < 2) return el('p', { class: 'soft small' }, 'No course yet.');
  const { line, top } = course(values);
  return el(
    'figure',
    { class: 'chart' },
    el(
      'svg',
      {
        viewBox: `0 0 ${W} ${H}`,
        role: 'img',
        preserveAspectRatio: 'none',
        'aria-label': `${label}: the last five minutes, at most ${count(top)}`,
      },
      el('path', { class: 'area', d: `${line}V${H}H0Z` }),
      el('path', { class: 'line', d: line }),
    ),
    el('figcaption', {}, el('span', {}, 'max ' + count(top) + unit), el('span', {}, ago(values))),
  );
}

/** A chart for a row of a table. */
export function spark(points, label) {
  const values = (points || []).slice(-150);
  if (values.length < 2) return '';
  const { line, top } = course(values);
  return el(
    'svg',
    {
      class: 'spark',
      viewBox: `0 0 ${W} ${H}`,
      role: 'img',
      preserveAspectRatio: 'none',
      'aria-label': `${label}, at most ${count(top)}`,
    },
    el('path', { class: 'area', d: `${line}V${H}H0Z` }),
    el('path', { class: 'line', d: line }),
  );
}

function course(values) {
  const top = Math.max(...values.map((p) => p[1]), 0),
    from = values[0][0];
  const whole = values.at(-1)[0] - from || 1,
    high = top || 1;
  const line = values
    .map(([t, v], i) => {
      const x = ((t - from) / whole) * W,
        y = H - 2 - (v / high) * (H - 6);
      return `${i ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
  return { line, top };
}

function ago(values) {
  const seconds = values.at(-1)[0] - values[0][0];
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

// An order's journey in time: a lane for each app that took part, with what it did, and above them
// how the order stood. Long waits are drawn short, and say how long they were.

import { el } from './dom.js';
import { hue, took, words } from './format.js';

const HEAD = 46,
  LANE = 34,
  GAP = 34;

/** A function from time to place that gives no wait more room than a break of GAP takes. */
function scale(times, left, right) {
  const points = [...new Set(times)].sort((a, b) => a - b),
    last = points.length - 1;
  const whole = points[last] - points[0],
    long = Math.max(whole / 4, 200_000),
    breaks = [];
  let busy = 0;
  for (let i = 0; i < last; i++) {
    const wait = points[i + 1] - points[i];
    if (wait > long) breaks.push(i);
    else busy += wait;
  }
  const room = Math.max(right - left - breaks.length * GAP, 10),
    at = new Map([[points[0], left]]);
  let x = left;
  for (let i = 0; i < last; i++) {
    x += breaks.includes(i) ? GAP : ((points[i + 1] - points[i]) / (busy || 1)) * room;
    at.set(points[i + 1], x);
  }
  const waits = breaks.map((i) => ({
    x: (at.get(points[i]) + at.get(points[i + 1])) / 2,
    long: points[i + 1] - points[i],
  }));
  return { x: (t) => at.get(t) ?? left, waits };
}

/** Draws spans and steps; now is the step at which the reader is. */
export function timeline(spans, steps, now) {
  const narrow = innerWidth < 640,
    width = narrow ? 400 : 1000,
    left = narrow ? 86 : 112;
  const work = spans.filter((s) => !s.sidecar && (s.kind === 'server' || s.kind === 'consumer'));
  const apps = [...new Set(work.map((s) => s.service))];
  const lane = (app) => HEAD + apps.indexOf(app) * LANE + LANE / 2;
  const times = [
    ...work.flatMap((s) => [s.start, s.start + s.duration]),
    ...steps.map((s) => s.at),
  ];
  if (times.length < 2) return '';
  const { x, waits } = scale(times, left, width - 24),
    low = HEAD + apps.length * LANE;
  const start = Math.min(...times);
  return el(
    'svg',
    {
      class: 'timeline',
      viewBox: `0 0 ${width} ${low + 30}`,
      role: 'img',
      'aria-label': 'What each app did and when. The steps below say the same.',
    },
    apps.map((app) => [
      el('line', { class: 'lane', x1: left, x2: width - 12, y1: lane(app), y2: lane(app) }),
      el('text', { class: 'who', x: left - 10, y: lane(app) + 4, 'text-anchor': 'end' }, app),
    ]),
    waits.map((w) => [
      el('path', {
        class: 'break',
        d: `M${w.x - 4} ${HEAD - 6}V${low}M${w.x + 4} ${HEAD - 6}V${low}`,
      }),
      el(
        'text',
        { class: 'small', x: Math.min(w.x, width - 40), y: low + 20, 'text-anchor': 'middle' },
        took(w.long) + ' later',
      ),
    ]),
    arrows(steps, apps, lane, x),
    work.map((s) => bar(s, x, lane(s.service))),
    steps
      .filter((s) => s.to && apps.includes(s.from))
      .map((s) =>
        el(
          'rect',
          {
            class: 'use ' + hue(s.from),
            x: x(s.at),
            y: lane(s.from) + 4,
            width: 3,
            height: 9,
            rx: 1.5,
          },
          el('title', {}, `${s.from} ${s.what}`),
        ),
      ),
    flags(steps, x, low, width),
    el('text', { class: 'small', x: left, y: low + 20, 'text-anchor': 'start' }, '0'),
    !waits.some((w) => w.x > width - 150) &&
      el(
        'text',
        { class: 'small', x: width - 12, y: low + 20, 'text-anchor': 'end' },
        took(Math.max(...times) - start),
      ),
    steps[now] &&
      el('path', { class: 'cursor', d: `M${x(steps[now].at)} ${HEAD - 12}V${low + 4}` }),
  );
}

function bar(s, x, y) {
  const from = x(s.start),
    w = Math.max(3, x(s.start + s.duration) - from);
  return el(
    'g',
    { class: `work ${hue(s.service)}${s.error ? ' failed' : ''}` },
    el('title', {}, `${s.service}: ${s.name}, ${took(s.duration)}`),
    el('rect', { x: from, y: y - 9, width: w, height: 18, rx: 4 }),
    s.events?.length > 0 && el('circle', { cx: from + w, cy: y, r: 3 }),
  );
}

/** Calls between apps, and messages from who tells to who hears. */
function arrows(steps, apps, lane, x) {
  const sent = new Map(),
    lines = [];
  for (const s of steps) {
    if (s.kind === 'publish') sent.set(s.what.split(' ').at(-1), s);
    const told = s.kind === 'deliver' && sent.get(s.what.split(' ').at(-1));
    const from =
      s.kind === 'call' ? { app: s.from, at: s.at } : told && { app: told.from, at: told.at };
    if (!from || !apps.includes(from.app) || !apps.includes(s.to)) continue;
    const down = lane(s.to) > lane(from.app) ? 1 : -1;
    lines.push(
      el('path', {
        class: 'arrow ' + s.kind,
        d: `M${x(from.at)} ${lane(from.app) + 9 * down}L${x(s.at)} ${lane(s.to) - 10 * down}`,
      }),
    );
  }
  return lines;
}

function flags(steps, x, low, width) {
  let free = 0;
  return steps
    .filter((s) => s.kind === 'status' || s.kind === 'mail')
    .map((s) => {
      const at = x(s.at),
        text = s.kind === 'mail' ? '✉ mail' : words(s.what);
      const long = text.length * 7 + 14,
        begin = Math.min(Math.max(at - 4, free), width - long);
      free = begin + long + 4;
      return el(
        'g',
        { class: 'flag ' + (s.error ? 'bad' : s.kind) },
        el('title', {}, s.what),
        el('path', { d: `M${at} 26V${low}` }),
        el('rect', { x: begin, y: 6, width: long, height: 20, rx: 5 }),
        el('text', { x: begin + long / 2, y: 20, 'text-anchor': 'middle' }, text),
      );
    });
}

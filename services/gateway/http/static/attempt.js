// What must happen once, whatever becomes of this page: an order, a refund. Its key and its body are stored before it is sent,
// and it is sent again with both, by whichever tab is open, until the answer is definite.

import { call } from './api.js';
import { user } from './session.js';
import { exclusive, pause, read, unique, write } from './store.js';

const place = (kind) => `attempt/${kind}/${user()}`;

/** The attempt of that kind that has no definite answer yet, or null. */
export function pending(kind) {
  const attempt = read(place(kind));
  return attempt && !attempt.answer ? attempt : null;
}

/**
 * Begins an attempt of what make returns, {path, body} and whatever is to be shown of it, or nothing if that is null. An
 * attempt that is pending already, perhaps in another tab, is returned instead: there is one of a kind at a time.
 */
export function begin(kind, make) {
  return exclusive(place(kind), () => {
    const old = pending(kind);
    if (old) return old;
    const made = make();
    if (made) write(place(kind), { ...made, key: unique() });
    return pending(kind);
  });
}

/** Gives an attempt up: it may have had its effect. */
export function abandon(kind) { write(place(kind), null); }

/**
 * Sends the pending attempt until it has a definite answer: returns that, null if there is nothing (any more), or throws the
 * problem. done is called once, before the attempt is forgotten. unanswered is called with the problem after each try without
 * an answer; the next follows after a while, when the browser is online again, or when ask() is called.
 */
export async function finish(kind, { done, unanswered }) {
  const begun = pending(kind);
  const here = place(kind);
  for (let n = 0; begun && here === place(kind); n++) {
    const result = await exclusive(here + '/sending', () => once(here, begun, done));
    if (!result.problem) return result.answer;
    unanswered(result.problem);
    if (result.problem.status === 401) return null; // to be gone on with after the next login
    await Promise.race([pause(Math.min(1000 * 2 ** n, 30000)), new Promise((again) => { wake = again; })]);
  }
  return null;
}

let wake = () => {};

/** Makes the pending attempt be sent again now. */
export const ask = () => wake();
addEventListener('online', ask);

async function once(here, begun, done) {
  const now = read(here);
  if (now?.key !== begun.key) return { answer: null };
  if (now.answer) return { answer: now.answer };
  try {
    const answer = await call('POST', begun.path, begun.body, { 'Idempotency-Key': begun.key });
    if (read(here)?.key === begun.key) {
      done(begun, answer);
      write(here, { key: begun.key, answer: { id: answer.id } });
    }
    return { answer };
  } catch (problem) {
    if (problem.unanswered) return { problem };
    if (read(here)?.key === begun.key) write(here, null);
    throw problem;
  }
}

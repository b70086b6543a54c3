// The API as the logged-in user.

import { Problem, address, send } from './http.js';
import { renew, session, user } from './session.js';
import { pause } from './store.js';

const bearer = () => session() ? { Authorization: 'Bearer ' + session().access_token } : {};

/** Sends a request as the logged-in user, if there is one; a token that is refused is renewed once. */
export async function call(method, path, body, headers = {}) {
  const who = user(), used = session()?.access_token;
  try {
    return await send(method, path, body, { ...headers, ...bearer() });
  } catch (problem) {
    if (problem.status !== 401 || !used) throw problem;
    await renew(used);
    if (user() !== who) throw problem; // somebody else has logged in meanwhile: not his request
    return send(method, path, body, { ...headers, ...bearer() });
  }
}

/** Follows an order's events until its end, calling tell for each status. Aborting the signal ends it. */
export async function follow(orderID, tell, signal) {
  let last = '';
  for (let failures = 0; !signal.aborted; failures++) {
    const used = session()?.access_token;
    try {
      const headers = bearer();
      if (last) headers['Last-Event-ID'] = last;
      const answer = await fetch(address(`/orders/${orderID}/events`), { headers, signal });
      if (answer.status === 401 && used) await renew(used);
      else if (!answer.ok && answer.status < 500 && answer.status !== 429) return;
      else if (answer.ok) {
        for await (const event of events(answer.body)) {
          failures = 0;
          if (event.id) last = event.id;
          if (event.event === 'end') return;
          if (event.event === 'status') tell(JSON.parse(event.data));
        }
      }
    } catch (error) {
      if (signal.aborted || error instanceof Problem && !error.unanswered || !session()) return;
    }
    await pause(Math.min(500 * 2 ** failures, 10000));
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const event = {};
      for (const line of block.split('\n')) {
        const at = line.indexOf(': ');
        if (at > 0) event[line.slice(0, at)] = line.slice(at + 2);
      }
      yield event;
    }
  }
}

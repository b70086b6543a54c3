// Who is logged in. All tabs share one session in the browser's storage. Script from elsewhere cannot run here (see the
// page's Content-Security-Policy), and there are no cookies that other sites could make the browser send.

import * as cart from './cart.js';
import { send } from './http.js';
import { exclusive, pause, read, write } from './store.js';

export const session = () => read('session');

/** The id of the logged-in user; '' if nobody is. What belongs to a user is stored under a name with it. */
export const user = () => session()?.user || '';

function keep(tokens) {
  const [, claims] = tokens.access_token.split('.');
  const { sub } = JSON.parse(atob(claims.replaceAll('-', '+').replaceAll('_', '/')));
  write('session', { user: sub, access_token: tokens.access_token, refresh_token: tokens.refresh_token });
}

// What tells this browser from a stranger who guesses passwords. It names nobody and gives access to nothing, so it outlives
// the session: it is of use at the login after.
const device = () => { const token = read('device'); return token ? { device_token: token } : {}; };

export async function logIn(email, password) {
  const tokens = await send('POST', '/sessions', { email, password, ...device() });
  if (tokens.device_token) write('device', tokens.device_token);
  await exclusive('session', () => keep(tokens));
  cart.adopt(user());
}

/** Ends the session in all tabs and removes what the browser keeps of its user. */
export async function forget() {
  const who = user();
  await exclusive('session', () => { if (user() === who) write('session', null); });
  for (const name of ['cart', 'attempt/order', 'attempt/refund']) write(`${name}/${who}`, null);
}

/**
 * Notes that the server has ended the user's session. What is stored under the user's name stays for the next login, above all
 * an order without an answer; nobody else is shown it.
 */
export function end(who) {
  if (!who || user() !== who) return;
  write('session', null);
  dispatchEvent(new Event('session-ended'));
}

const tries = [300, 1000, 2000]; // ms between the tries of a refresh that gets no answer

/**
 * Renews the access token that was used, unless that has been done meanwhile. A refresh token is good for one use, so one tab
 * does it for all. A refresh without an answer is asked again at once, while the server still answers the same.
 */
export function renew(used) {
  return exclusive('session', async () => {
    const old = session();
    if (!old || old.access_token !== used) return;
    for (let n = 0; ; n++) {
      try {
        keep(await send('POST', '/sessions/refresh', { refresh_token: old.refresh_token }));
        return;
      } catch (problem) {
        if (problem.status === 401) end(old.user);
        if (problem.status === 401 || !problem.unanswered || n === tries.length) throw problem;
        await pause(tries[n]);
      }
    }
  });
}

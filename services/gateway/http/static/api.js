// The API as the pages see it. Tokens live in the tab's session storage: they survive a reload and end with the tab. Script
// from elsewhere cannot run here (see the page's Content-Security-Policy), and there are no cookies to be sent by other sites.

const base = '/api/v1';
let session = JSON.parse(sessionStorage.getItem('session') || 'null');
let refreshing = null;

/** A failed request: the problem document of RFC 9457. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || 'The request failed.');
    Object.assign(this, { status, code: body.code, fields: body.errors || [] });
  }
}

export const loggedIn = () => session !== null;

function keep(next) {
  session = next;
  if (next) sessionStorage.setItem('session', JSON.stringify(next));
  else sessionStorage.removeItem('session');
}

export async function logIn(email, password) {
  keep(await send('POST', '/sessions', { email, password }));
}

export async function logOut() {
  try { await call('DELETE', '/sessions'); } finally { keep(null); }
}

async function send(method, path, body, headers = {}) {
  const init = { method, headers: { ...headers } };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers['Content-Type'] = 'application/json';
  }
  let answer;
  try {
    answer = await fetch(base + path, init);
  } catch {
    throw new Problem(0, { detail: 'The shop cannot be reached. Check your connection and try again.', code: 'offline' });
  }
  const text = await answer.text();
  const data = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Problem(answer.status, data || {});
  return data;
}

/** Sends a request as the logged-in user, if there is one; an expired access token is renewed once. */
export async function call(method, path, body, headers = {}) {
  const as = () => session ? { ...headers, Authorization: 'Bearer ' + session.access_token } : headers;
  try {
    return await send(method, path, body, as());
  } catch (problem) {
    if (problem.code !== 'token_expired' || !session) throw problem;
    await renew();
    return send(method, path, body, as());
  }
}

// A refresh token is good for one use, so concurrent requests share one renewal.
function renew() {
  refreshing ??= send('POST', '/sessions/refresh', { refresh_token: session.refresh_token })
    .then(keep, (problem) => { if (problem.status === 401) keep(null); throw problem; })
    .finally(() => { refreshing = null; });
  return refreshing;
}

/** Follows an order's events until its end, calling tell for each status. Aborting the signal ends it. */
export async function follow(orderID, tell, signal) {
  let last = '';
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      const headers = { Authorization: 'Bearer ' + session.access_token };
      if (last) headers['Last-Event-ID'] = last;
      const answer = await fetch(`${base}/orders/${orderID}/events`, { headers, signal });
      if (answer.status === 401) { await renew(); continue; }
      if (!answer.ok) return;
      for await (const event of events(answer.body)) {
        failures = 0;
        if (event.id) last = event.id;
        if (event.event === 'end') return;
        if (event.event === 'status') tell(JSON.parse(event.data));
      }
    } catch (error) {
      if (signal.aborted || error instanceof Problem) return;
    }
    await new Promise((done) => setTimeout(done, Math.min(500 * 2 ** failures, 10000)));
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

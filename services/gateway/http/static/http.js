// One request to the API and its answer.

const base = '/api/v1';
const patience = 20000; // ms; the gateway gives up earlier

/** A failed request: the problem document of RFC 9457. Without an answer the status is 0 and the code "offline". */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || 'The request failed.');
    Object.assign(this, { status, code: body.code, fields: body.errors || [], quote: body.quote });
  }

  /** Whether the request may or may not have had its effect, or may have it when it is simply made again. */
  get unanswered() { return [0, 401, 408, 425, 429].includes(this.status) || this.status >= 500; }
}

export const address = (path) => base + path;

export async function send(method, path, body, headers = {}) {
  const init = { method, headers: { ...headers }, signal: AbortSignal.timeout(patience) };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers['Content-Type'] = 'application/json';
  }
  let answer, text;
  try {
    answer = await fetch(address(path), init);
    text = await answer.text();
  } catch {
    throw new Problem(0, { detail: 'There was no answer from the shop.', code: 'offline' });
  }
  const data = parse(text);
  if (answer.ok && data === undefined) throw new Problem(502, { detail: 'The answer was not the shop’s. Try again.', code: 'garbled' });
  if (!answer.ok) throw new Problem(answer.status, data || { detail: `The shop is not available at the moment (${answer.status}). Try again.` });
  return data;
}

/** Undefined for what is no JSON: an answer of something on the way. */
function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return undefined;
  }
}

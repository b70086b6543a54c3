// What this browser keeps for all tabs of the shop, as JSON by name. Where it keeps nothing (storage is full or forbidden)
// the tab remembers for itself. Null is "nothing".

const prefix = 'sidecart/';
const own = new Map();

export function read(name) {
  if (own.has(name)) return own.get(name);
  try {
    return JSON.parse(localStorage.getItem(prefix + name));
  } catch {
    return null;
  }
}

export function write(name, value) {
  own.delete(name);
  try {
    if (value === null) localStorage.removeItem(prefix + name);
    else localStorage.setItem(prefix + name, JSON.stringify(value));
  } catch {
    own.set(name, value);
  }
}

/** Calls tell with the name of whatever another tab writes, or with '' if it has cleared everything. */
export function watch(tell) {
  addEventListener('storage', ({ key, storageArea }) => {
    if (storageArea === localStorage && (key === null || key.startsWith(prefix))) tell((key || prefix).slice(prefix.length));
  });
}

/** A random name that no other has: crypto.randomUUID exists only on secure pages. */
export function unique() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

const me = unique();
const lease = 5000; // ms; a tab that dies keeps others waiting no longer
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// What one tab has written others read a moment later, because browsers run them in processes of their own. A lock is held
// that much longer than its action takes, so that the next holder reads what the last one wrote.
const settle = 250; // ms

/** Runs action while no other tab runs one under the same name, and returns what it returns. */
export function exclusive(name, action) {
  return new Promise((resolve, reject) => {
    const held = async () => {
      try {
        resolve(await action());
      } catch (error) {
        reject(error);
      }
      await pause(settle);
    };
    (navigator.locks ? navigator.locks.request(prefix + name, held) : leased(name, held)).catch(reject);
  });
}

function leased(name, action) {
  // Without Web Locks (a page that is not secure) a lease in the storage does. Two tabs may take it in the same instant: who
  // wrote last has it, and the other sees that after a moment.
  const held = () => { const l = read('lock/' + name); return l && l.until > Date.now() ? l.by : null; };
  const hold = () => write('lock/' + name, { by: me, until: Date.now() + lease });
  const turn = chains.get(name) || Promise.resolve();
  const result = turn.then(async () => {
    for (;;) {
      if (held() === null) {
        hold();
        await pause(50);
        if (held() === me) break;
      }
      await pause(100);
    }
    const beat = setInterval(hold, lease / 3);
    try {
      return await action();
    } finally {
      clearInterval(beat);
      write('lock/' + name, null);
    }
  });
  chains.set(name, result.catch(() => {}));
  return result;
}
const chains = new Map(); // of this tab: name to the end of the last action

import * as attempt from './attempt.js';
import { call } from './api.js';
import { button, el, form, notice } from './dom.js';
import { forget, logIn, user } from './session.js';

const email = ['email', 'E-mail address', { type: 'email', autocomplete: 'email', required: true }];
const fresh = (name, label) => [name, label, { type: 'password', autocomplete: 'new-password', minlength: 10 }];
const languages = [['en', 'English'], ['de', 'Deutsch']];

function go(hash) {
  if (location.hash === hash) dispatchEvent(new HashChangeEvent('hashchange')); // the same page for somebody else
  else location.hash = hash;
}

const onwards = (query) => go(query.get('next') === 'cart' ? '#/cart' : '#/');
const next = (query) => query.get('next') === 'cart' ? '?next=cart' : '';

/** What a mailed link brought, which is good once: it leaves the address, so that neither reload nor back tries it again. */
function token(query) {
  const found = query.get('token') || '';
  history.replaceState(null, '', location.pathname + location.hash.split('?')[0]);
  return found;
}

export function login({ query }) {
  return [el('h1', {}, 'Log in'), form([email, ['password', 'Password', { type: 'password', autocomplete: 'current-password' }]], 'Log in', async (v) => {
    await logIn(v.email, v.password);
    onwards(query);
  }), el('p', {}, el('a', { href: '#/forgotten' }, 'Forgotten your password?'), ' · ', el('a', { href: '#/register' + next(query) }, 'Register'))];
}

export function register({ query }) {
  let lost = ''; // the address of a registration that had no answer: it may have been made
  return [el('h1', {}, 'Register'), form([email, ['name', 'Name', { autocomplete: 'name' }],
    ['phone', 'Phone, for text messages (optional, like +4915112345678)', { type: 'tel', autocomplete: 'tel' }],
    ['locale', 'Language of messages', { options: languages }],
    fresh('password', 'Password, at least 10 characters')], 'Register', async ({ phone, ...v }) => {
    try {
      await call('POST', '/users', phone ? { ...v, phone } : v);
    } catch (problem) {
      if (problem.unanswered) lost = v.email;
      if (problem.code !== 'email_taken' || lost !== v.email) throw problem;
    }
    await logIn(v.email, v.password);
    notice(`Welcome. A message to confirm your address is on its way.${phone ? ' A code for your phone number is, too: enter it in your account.' : ''}`);
    onwards(query);
  })];
}

export function forgotten() {
  return [el('h1', {}, 'Forgotten password'), form([email], 'Send me a link', async (v) => {
    await call('POST', '/password-resets', v);
    notice('If there is an account with that address, a message is on its way.');
  })];
}

export function reset({ query }) {
  const mailed = token(query);
  return [el('h1', {}, 'New password'), form([fresh('new_password', 'New password, at least 10 characters')], 'Set password', async (v) => {
    await call('POST', '/password-resets/confirm', { token: mailed, ...v }).catch((p) => { throw maybe(p, 'Your password may be set all the same: try to log in with it.'); });
    notice('Your password is set. Log in with it.');
    go('#/login');
  })];
}

/** The problem, with what it means for something that is done at most once, if there was no answer. */
function maybe(problem, hint) {
  if (problem.unanswered && problem.status !== 429) problem.message += ' ' + hint;
  return problem;
}

let opened = ''; // the verification link's token: it is in the address no more, and the page may be drawn again

/** The page of a verification link: with a session it is used at once, without one its user says that the account is his own. */
export async function verify({ query, me, changed }) {
  const mailed = opened = token(query) || opened;
  const box = el('div');
  const page = [el('h1', {}, 'Confirm your address'), box];
  const confirmed = () => box.replaceChildren(el('p', { role: 'status' }, 'Your address is confirmed. Thank you. ', el('a', { href: '#/' }, 'To the shop')));
  const failed = (p) => box.replaceChildren(el('p', { class: 'error', role: 'alert' }, p.message), ...(p.unanswered ? [button('Try again', {}, confirmIt)] : []));
  const send = async (shown) => {
    try {
      await call('POST', '/users/verify', { token: mailed, ...shown });
    } catch (problem) { // the link may have been used before, or just now if there was no answer then
      if (!problem.fields?.some((f) => f.field === 'token') || !await isConfirmed()) throw problem;
    }
    opened = '';
    await changed();
    confirmed();
  };
  const confirmIt = () => send().catch((p) => (p.status === 403 ? askPassword() : p.status === 401 || failed(p)));
  const askPassword = () => box.replaceChildren(
    el('p', {}, 'Enter your password, so that we know that you have registered with this address yourself.'),
    form([['password', 'Password', { type: 'password', autocomplete: 'current-password' }]], 'Confirm', send),
    el('p', {}, 'Did somebody else register with your address? ', el('a', { href: '#/forgotten' }, 'This was not me: set a new password')));
  if (mailed) await (me ? confirmIt() : askPassword());
  else if (me?.email_verified) confirmed();
  else box.append(el('p', {}, 'Open the link in the message we sent you.'));
  return page;
}

/** Whether the address of who is logged in is confirmed by now. */
async function isConfirmed() {
  return user() && (await call('GET', '/users/me')).email_verified;
}

/** Logs out in all tabs, whether or not the server can be told. */
export async function logOut() {
  if (attempt.pending('order') && !confirm('Your order has no answer yet. It may have been placed: you find it among your orders when you log in again. Log out?')) return;
  let told = true;
  try {
    await call('DELETE', '/sessions');
  } catch (p) {
    told = !p.unanswered || p.status === 401;
  }
  await forget();
  notice(told ? 'You are logged out.' : 'You are logged out in this browser. The server could not be told; change your password if somebody else may have it.');
  go('#/');
}

/** Where the code that was sent to a new number is typed in. Nothing else is sent to the number before. */
function confirmNumber({ me, changed }) {
  const box = el('section', { 'aria-label': 'Phone number' });
  const draw = (now) => {
    if (!now?.phone) { box.replaceChildren(); return; }
    if (now.phone_verified) { box.replaceChildren(el('p', { role: 'status' }, `Your number ${now.phone} is confirmed.`)); return; }
    box.replaceChildren(el('p', {}, `Your number ${now.phone} is not confirmed yet. Enter the code that we sent to it; until then you get no other text messages.`),
      form([['code', 'Code of six digits', { inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 6, pattern: '[0-9]{6}', required: true }]], 'Confirm number', async (v) => {
        await call('POST', '/users/me/phone/confirm', { code: v.code.trim() }).catch((p) => { throw maybe(p, 'Entering it again does no harm.'); });
        draw(await changed());
        notice('Your number is confirmed.');
      }),
      el('p', {}, button('Send a new code', { class: 'quiet' }, async () => {
        await call('POST', '/users/me/phone/code');
        notice('A code is on its way, unless we sent one within the last minute.');
      })));
  };
  draw(me);
  return { box, draw };
}

export function account({ me, changed }) {
  const p = me.preferences;
  const number = confirmNumber({ me, changed });
  const box = (name, label, on) => [name, label, { type: 'checkbox', checked: on }];
  return [el('h1', {}, 'Your account'),
    el('p', {}, me.email, me.email_verified ? ' (confirmed)' : ' (not confirmed yet) ',
      !me.email_verified && button('Send the link again', { class: 'quiet' }, async () => {
        await call('POST', '/users/me/verification');
        notice('A message is on its way.');
      })),
    form([['name', 'Name', { value: me.name }], ['phone', 'Phone', { type: 'tel', value: me.phone || '' }],
      ['locale', 'Language of messages', { options: languages, value: me.locale }],
      box('email_orders', 'E-mail when an order waits or is cancelled', p.email.orders), box('email_payments', 'E-mail with receipts, declines and refunds', p.email.payments),
      box('sms_orders', 'Text message when an order waits or is cancelled', p.sms.orders), box('sms_payments', 'Text messages with receipts, declines and refunds', p.sms.payments)], 'Save', async (v) => {
      await call('PATCH', '/users/me', { name: v.name, phone: v.phone || null, locale: v.locale, preferences: {
        email: { orders: v.email_orders, payments: v.email_payments }, sms: { orders: v.sms_orders, payments: v.sms_payments } } })
        .catch((problem) => { throw maybe(problem, 'Saving again does no harm.'); });
      number.draw(await changed());
      notice('Saved.');
    }),
    number.box,
    el('h2', {}, 'Password'),
    form([['current_password', 'Current password', { type: 'password', autocomplete: 'current-password' }], fresh('new_password', 'New password')], 'Change password', async (v) => {
      await call('PUT', '/users/me/password', v).catch((problem) => { throw maybe(problem, 'Your password may be changed all the same: try to log in with it.'); });
      await forget();
      notice('Your password was changed. Log in with it.');
      go('#/login');
    }),
    el('h2', {}, 'Delete account'),
    el('p', { class: 'soft' }, 'Your personal data are erased. Orders and payments are kept without your name.'),
    button('Delete my account', { class: 'danger' }, async () => {
      if (!confirm('Delete your account for good?')) return;
      await call('DELETE', '/users/me').catch((problem) => { throw maybe(problem, 'Your account may be deleted all the same; deleting again does no harm.'); });
      await forget();
      notice('Your account was deleted.');
      go('#/');
    })];
}

export const pages = { login, register, forgotten, verify, reset, account };

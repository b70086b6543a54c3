import { call, logIn, logOut } from './api.js';
import { el, form, notice } from './dom.js';

const email = ['email', 'E-mail address', { type: 'email', autocomplete: 'email', required: true }];
const fresh = (name, label) => [name, label, { type: 'password', autocomplete: 'new-password', minlength: 10 }];
const go = (hash) => { location.hash = hash; };

export function login() {
  return [el('h1', {}, 'Log in'), form([email, ['password', 'Password', { type: 'password', autocomplete: 'current-password' }]], 'Log in', async (v) => {
    await logIn(v.email, v.password);
    go('#/');
  }), el('p', {}, el('a', { href: '#/forgotten' }, 'Forgotten your password?'), ' · ', el('a', { href: '#/register' }, 'Register'))];
}

export function register() {
  return [el('h1', {}, 'Register'), form([email, ['name', 'Name', { autocomplete: 'name' }],
    ['phone', 'Phone, for text messages (optional, like +4915112345678)', { type: 'tel', autocomplete: 'tel' }],
    ['locale', 'Language of messages', { options: [['en', 'English'], ['de', 'Deutsch']] }],
    fresh('password', 'Password, at least 10 characters')], 'Register', async ({ phone, ...v }) => {
    await call('POST', '/users', phone ? { ...v, phone } : v);
    await logIn(v.email, v.password);
    notice('Welcome. A message to confirm your address is on its way.');
    go('#/');
  })];
}

export function forgotten() {
  return [el('h1', {}, 'Forgotten password'), form([email], 'Send me a link', async (v) => {
    await call('POST', '/password-resets', v);
    notice('If there is an account with that address, a message is on its way.');
  })];
}

export function reset({ query }) {
  return [el('h1', {}, 'New password'), form([fresh('new_password', 'New password, at least 10 characters')], 'Set password', async (v) => {
    await call('POST', '/password-resets/confirm', { token: query.get('token') || '', ...v });
    notice('Your password is set. Log in with it.');
    go('#/login');
  })];
}

export async function verify({ query }) {
  await call('POST', '/users/verify', { token: query.get('token') || '' });
  return [el('h1', {}, 'Address confirmed'), el('p', {}, 'Thank you. ', el('a', { href: '#/' }, 'To the shop'))];
}

export async function logout({ changed }) {
  await logOut();
  await changed();
  go('#/');
  return [el('h1', {}, 'Logged out')];
}

export function account({ me, changed }) {
  const p = me.preferences;
  const box = (name, label, on) => [name, label, { type: 'checkbox', checked: on }];
  return [el('h1', {}, 'Your account'),
    el('p', {}, me.email, me.email_verified ? ' (confirmed)' : ' (not confirmed yet) ',
      !me.email_verified && el('button', { class: 'quiet', onclick: async () => {
        await call('POST', '/users/me/verification');
        notice('A message is on its way.');
      } }, 'Send the link again')),
    form([['name', 'Name', { value: me.name }], ['phone', 'Phone', { type: 'tel', value: me.phone || '' }],
      ['locale', 'Language of messages', { options: [['en', 'English'], ['de', 'Deutsch']], value: me.locale }],
      box('email_orders', 'E-mail about orders', p.email.orders), box('email_payments', 'E-mail about payments', p.email.payments),
      box('sms_orders', 'Text messages about orders', p.sms.orders), box('sms_payments', 'Text messages about payments', p.sms.payments)], 'Save', async (v) => {
      await call('PATCH', '/users/me', { name: v.name, phone: v.phone || null, locale: v.locale, preferences: {
        email: { orders: v.email_orders, payments: v.email_payments }, sms: { orders: v.sms_orders, payments: v.sms_payments } } });
      await changed();
      notice('Saved.');
    }),
    el('h2', {}, 'Password'),
    form([['current_password', 'Current password', { type: 'password', autocomplete: 'current-password' }], fresh('new_password', 'New password')], 'Change password', async (v) => {
      await call('PUT', '/users/me/password', v);
      notice('Your password was changed. Log in with it.');
      await logOut().catch(() => {});
      go('#/login');
    }),
    el('h2', {}, 'Delete account'),
    el('p', { class: 'soft' }, 'Your personal data are erased. Orders and payments are kept without your name.'),
    el('button', { class: 'danger', onclick: async () => {
      if (!confirm('Delete your account for good?')) return;
      await call('DELETE', '/users/me');
      await logOut().catch(() => {});
      notice('Your account was deleted.');
      go('#/');
    } }, 'Delete my account')];
}

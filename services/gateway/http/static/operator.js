import * as attempt from './attempt.js';
import { call } from './api.js';
import { button, el, form, notice, paged, table, theirs, when } from './dom.js';
import { money, parse } from './money.js';

/** What operators do: refunds, messages that could not be handled, and the books. */
export async function operator({ me, signal }) {
  if (me.role !== 'operator') return [el('h1', {}, 'Operator'), el('p', {}, 'Your account may not do this.')];
  const books = el('div');
  const drawBooks = async () => { books.replaceChildren(...await ledger()); };
  const [letters] = await Promise.all([deadLetters(), drawBooks()]);
  return [el('h1', {}, 'Operator'), el('h2', {}, 'Refund'), refunds(drawBooks, signal), el('h2', {}, 'Dead letters'), letters, el('h2', {}, 'Ledger'), books];
}

/** The form of a refund, or the refund that has no answer yet. */
function refunds(refunded, signal) {
  const box = el('div');
  let state = '';
  const draw = () => { if (!signal.aborted) box.replaceChildren(attempt.pending('refund') ? waiting() : ask()); };
  const goOn = async () => {
    draw();
    try {
      const refund = await attempt.finish('refund', {
        done: () => {}, unanswered: (p) => { state = p.message + ' The same refund is asked for again in a moment. It cannot be made twice.'; draw(); },
      });
      if (refund) notice('Refunded.');
    } catch (p) {
      notice('Not refunded. ' + p.message);
    } finally {
      state = '';
      draw();
    }
    await refunded();
  };
  const waiting = () => el('div', { class: 'card', role: 'status' }, el('p', { class: 'status pending' }, state || 'A refund has no answer yet.'),
    el('p', {}, attempt.pending('refund').show), button('Ask again now', {}, attempt.ask));
  const ask = () => form([['order_id', 'Order number'], ['amount', 'Amount (empty: all that is left)', { inputmode: 'decimal' }], ['reason', 'Reason', { maxlength: 200 }]], 'Refund', async (v) => {
    const order = v.order_id.trim();
    const paid = (await call('GET', '/payments?order_id=' + encodeURIComponent(order))).items[0];
    if (!paid) throw new Error('There is no payment of this order.');
    const amount = v.amount.trim() ? parse(v.amount, paid.amount.currency) : null;
    const show = `${amount ? money(amount) : 'All that is left'} of order ${order}`;
    if (!confirm(`Refund: ${show}?`)) return;
    const mine = { path: `/payments/${paid.id}/refunds`, body: { reason: v.reason, ...(amount && { amount }) }, show };
    const begun = await attempt.begin('refund', () => mine);
    if (begun && begun.show !== show) notice('Another refund has no answer yet. Make yours after it.');
    await goOn();
  });
  draw();
  if (attempt.pending('refund')) goOn();
  return box;
}

async function deadLetters() {
  const box = el('div');
  const act = async (method, path, done) => {
    try {
      await call(method, path);
      notice(done);
    } finally {
      await draw();
    }
  };
  const row = (l) => [l.service, el('details', {}, el('summary', {}, l.event_type || 'no event'), el('pre', {}, JSON.stringify(l.payload, null, 2))),
    theirs(`${l.reason} (${l.attempts}×)`), when(l.last_failed_at),
    el('span', { class: 'row' }, button('Replay', { class: 'quiet' }, () => act('POST', `/admin/dead-letters/${l.id}/replay`, 'Delivered again.')),
      button('Discard', { class: 'danger' }, () => act('DELETE', '/admin/dead-letters/' + l.id, 'Discarded.')))];
  const draw = async () => {
    let down = [];
    const list = await paged(async (cursor) => {
      const page = await call('GET', '/admin/dead-letters?' + new URLSearchParams({ limit: 50, ...(cursor && { cursor }) }));
      down = page.unavailable;
      return page;
    }, (items) => [down.length ? el('p', { class: 'error' }, 'Not available: ' + down.join(', ')) : '',
      items.length ? table(['Service', 'Message', 'Why', 'Last failed', ''], items.map(row)) : el('p', {}, 'There are no dead letters.')]);
    box.replaceChildren(...list);
  };
  await draw();
  return box;
}

async function ledger() {
  const report = await call('GET', '/admin/ledger');
  return [el('p', {}, report.balanced ? 'The books balance.' : 'The books do NOT balance.'),
    table(['Account', '#Debits', '#Credits', '#Balance'], report.balances.map((b) => [b.account,
      ...[b.debits, b.credits, b.balance].map((amount) => money({ amount, currency: b.currency }))]))];
}

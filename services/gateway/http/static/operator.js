import { call } from './api.js';
import { el, form, money, notice, table, when } from './dom.js';

// What operators do: refunds, messages that could not be handled, and the books.
export async function operator({ me }) {
  if (me.role !== 'operator') return [el('h1', {}, 'Operator'), el('p', {}, 'Your account may not do this.')];
  const letters = el('div'), ledger = el('div');
  const act = async (method, path, done) => {
    try { await call(method, path); notice(done); } catch (p) { notice(p.message); }
    await drawLetters();
  };
  const drawLetters = async () => {
    const list = await call('GET', '/admin/dead-letters?limit=50');
    letters.replaceChildren(
      list.unavailable.length ? el('p', { class: 'error' }, 'Not available: ' + list.unavailable.join(', ')) : '',
      list.items.length ? table(['Service', 'Message', 'Why', 'Last failed', ''], list.items.map((l) => [l.service,
        el('details', {}, el('summary', {}, l.event_type || 'no event'), el('pre', {}, JSON.stringify(l.payload, null, 2))), `${l.reason} (${l.attempts}×)`, when(l.last_failed_at),
        el('span', { class: 'row' }, el('button', { class: 'quiet', onclick: () => act('POST', `/admin/dead-letters/${l.id}/replay`, 'Delivered again.') }, 'Replay'),
          el('button', { class: 'danger', onclick: () => act('DELETE', '/admin/dead-letters/' + l.id, 'Discarded.') }, 'Discard'))]))
        : el('p', {}, 'There are no dead letters.'));
  };
  const drawLedger = async () => {
    const report = await call('GET', '/admin/ledger');
    ledger.replaceChildren(el('p', {}, report.balanced ? 'The books balance.' : 'The books do NOT balance.'),
      table(['Account', '#Debits', '#Credits', '#Balance'], report.balances.map((b) => [b.account,
        ...[b.debits, b.credits, b.balance].map((amount) => money({ amount, currency: b.currency }))])));
  };
  await Promise.all([drawLetters(), drawLedger()]);
  let key = crypto.randomUUID();
  return [el('h1', {}, 'Operator'), el('h2', {}, 'Refund'),
    form([['order_id', 'Order number'], ['amount', 'Amount in cents (empty: all that is left)', { inputmode: 'numeric' }], ['reason', 'Reason']], 'Refund', async (v) => {
      const paid = (await call('GET', '/payments?order_id=' + encodeURIComponent(v.order_id.trim()))).items[0];
      if (!paid) throw new Error('There is no payment of this order.');
      const body = { reason: v.reason, ...(v.amount && { amount: { amount: Number(v.amount), currency: paid.amount.currency } }) };
      await call('POST', `/payments/${paid.id}/refunds`, body, { 'Idempotency-Key': key });
      key = crypto.randomUUID();
      notice('Refunded.');
      await drawLedger();
    }), el('h2', {}, 'Dead letters'), letters, el('h2', {}, 'Ledger'), ledger];
}

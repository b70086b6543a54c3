package payments

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"sidecart.dev/kit/aggregate"
)

// AccountBalance is an account's turnover and balance in one currency, in minor units.
type AccountBalance struct {
	Account  Account
	Currency string
	Debits   int64
	Credits  int64 // positive
	Balance  int64 // debits less credits
}

// Report is the ledger summed up: a projection of the payments' documents, made anew each time it
// is asked for.
type Report struct {
	AsOf     time.Time // when reading began; later changes may or may not be in it
	Payments int       // payments whose charge has been decided
	Balanced bool      // every single entry, and thereby every currency, sums to zero
	Balances []AccountBalance
}

// reportPage is the number of payments that are read at once: one page of the index.
const reportPage = 64

// Report reads every payment there is, page by page in bounded memory, and sums the ledger up.
// Every payment with entries is in the index, because its place there was taken before the write
// that made its first entry. The time a report takes grows with the number of payments.
func (s *Service) Report(ctx context.Context) (Report, error) {
	total := newTally()
	asOf := s.now()
	err := s.eachPage(ctx, func(_ context.Context, payments []Payment) error {
		total.add(payments)
		return nil
	})
	if err != nil {
		return Report{}, err
	}
	return total.report(asOf), nil
}

// eachPage calls f with all payments in the index, a page at a time, from several goroutines. The
// first error ends it.
func (s *Service) eachPage(ctx context.Context, f pageFunc) error {
	newest, _, err := s.Index.Page(ctx, indexPrefix, 0, 1)
	if err != nil || len(newest) == 0 {
		return err
	}
	var ends []uint64 // of the pages, each one above its last position
	for first := uint64(1); first <= newest[0].Seq; first += reportPage {
		ends = append(ends, first+reportPage)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return aggregate.Each(ctx, ends, func(end uint64) error {
		if ctx.Err() == nil {
			if err := s.onePage(ctx, end, f); err != nil {
				cancel(err)
			}
		}
		return context.Cause(ctx)
	})
}

// pageFunc is what is done with the payments of a page.
type pageFunc func(ctx context.Context, payments []Payment) error

// onePage calls f with the payments at the reportPage positions below end.
func (s *Service) onePage(ctx context.Context, end uint64, f pageFunc) error {
	entries, _, err := s.Index.Page(ctx, indexPrefix, end, reportPage)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(entries))
	position := make(map[uint64]string, len(entries))
	for _, e := range entries {
		if e.Seq+reportPage >= end { // a short page would reach into the next one's
			ids = append(ids, e.ID)
			position[e.Seq] = e.ID
		}
	}
	slices.Sort(ids)
	found, err := s.docs.GetAll(ctx, slices.Compact(ids))
	if err != nil {
		return err
	}
	counted := make([]Payment, 0, len(found))
	for _, p := range found {
		if position[p.ListSeq] == p.ID {
			counted = append(counted, p)
		}
	}
	return f(ctx, counted)
}

type accountIn struct {
	account  Account
	currency string
}

type tally struct {
	mu       sync.Mutex
	payments int
	balanced bool
	sums     map[accountIn]*AccountBalance
}

func newTally() *tally { return &tally{balanced: true, sums: map[accountIn]*AccountBalance{}} }

func (t *tally) add(payments []Payment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range payments {
		t.payments++
		for _, e := range p.Entries {
			t.balanced = t.balanced && e.Balanced()
			for _, posting := range e.Postings {
				t.post(posting)
			}
		}
	}
}

func (t *tally) post(p Posting) {
	key := accountIn{p.Account, p.Amount.Currency}
	sum, ok := t.sums[key]
	if !ok {
		sum = &AccountBalance{Account: p.Account, Currency: p.Amount.Currency}
		t.sums[key] = sum
	}
	if p.Amount.Amount >= 0 {
		sum.Debits += p.Amount.Amount
	} else {
		sum.Credits -= p.Amount.Amount
	}
	sum.Balance += p.Amount.Amount
}

func (t *tally) report(asOf time.Time) Report {
	r := Report{AsOf: asOf, Payments: t.payments, Balanced: t.balanced}
	perCurrency := map[string]int64{}
	for _, sum := range t.sums {
		r.Balances = append(r.Balances, *sum)
		perCurrency[sum.Currency] += sum.Balance
	}
	for _, sum := range perCurrency {
		r.Balanced = r.Balanced && sum == 0
	}
	slices.SortFunc(r.Balances, func(a, b AccountBalance) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Account, b.Account))
	})
	return r
}

package payments

import (
	"context"
	"sort"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
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

const (
	reportPage    = 64 // payments read at once: one page of the index
	reportReaders = 8  // pages read at the same time
)

// Report reads every payment there is, page by page in bounded memory, and sums the ledger up.
// Every payment with entries is in the index, as the place in it was taken before the write that
// made its first entry. The time it takes grows with the number of payments.
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
func (s *Service) eachPage(ctx context.Context, f func(ctx context.Context, payments []Payment) error) error {
	newest, _, err := s.Index.Page(ctx, indexPrefix, 0, 1)
	if err != nil || len(newest) == 0 {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pages := make(chan uint64)
	var readers sync.WaitGroup
	for range reportReaders {
		readers.Go(func() {
			for before := range pages {
				err := fault.Guard(ctx, func() error { return s.onePage(ctx, before, f) })
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	for start := uint64(1); start <= newest[0].Seq && ctx.Err() == nil; start += reportPage {
		select {
		case pages <- start + reportPage:
		case <-ctx.Done():
		}
	}
	close(pages)
	readers.Wait()
	return context.Cause(ctx)
}

// onePage handles the payments at the reportPage positions below before.
func (s *Service) onePage(ctx context.Context, before uint64, f func(ctx context.Context, payments []Payment) error) error {
	entries, _, err := s.Index.Page(ctx, indexPrefix, before, reportPage)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(entries))
	position := make(map[uint64]string, len(entries))
	for _, e := range entries {
		if e.Seq+reportPage >= before { // a short page would reach into the next one's
			ids = append(ids, e.ID)
			position[e.Seq] = e.ID
		}
	}
	found, err := s.docs.GetAll(ctx, unique(ids))
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

func unique(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	kept := ids[:0]
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			kept = append(kept, id)
		}
	}
	return kept
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
	r := Report{AsOf: asOf, Payments: t.payments, Balanced: t.balanced, Balances: make([]AccountBalance, 0, len(t.sums))}
	perCurrency := map[string]int64{}
	for _, sum := range t.sums {
		r.Balances = append(r.Balances, *sum)
		perCurrency[sum.Currency] += sum.Balance
	}
	for _, sum := range perCurrency {
		r.Balanced = r.Balanced && sum == 0
	}
	sort.Slice(r.Balances, func(i, j int) bool {
		a, b := r.Balances[i], r.Balances[j]
		return a.Currency < b.Currency || a.Currency == b.Currency && a.Account < b.Account
	})
	return r
}

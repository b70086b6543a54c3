package users

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/journal"
)

// The kinds of what this service has in its journal.
const (
	AccountKind = "user"  // an account; a note has the key of its address while it is registered
	ResetKind   = "reset" // a reset that was asked for: <email key>.<nonce>
)

// resetNonce stands between the address of a reset and what tells it from others.
const resetNonce = "."

// Before ids had kinds, a registration was "<user id>+<email key>" and a reset "?<email
// key>+<nonce>".
const (
	oldNote  = "+"
	oldReset = "?"
)

// Settle implements [journal.Settler] for accounts, and for ids that were written before there were
// kinds.
func (s *Service) Settle(ctx context.Context,
	entries []journal.Entry,
) (finished []string, err error) {
	var accounts, resets []journal.Entry
	written := map[string]string{} // how an id stands in the journal
	for _, e := range entries {
		id := e.ID
		if key, old := strings.CutPrefix(id, oldReset); old {
			e.ID = strings.Replace(key, oldNote, resetNonce, 1)
			resets = append(resets, e)
		} else {
			e.ID = strings.Replace(id, oldNote, "#", 1)
			accounts = append(accounts, e)
		}
		written[e.ID] = id
	}
	settled, err1 := s.accounts.Settle(ctx, accounts)
	done, err2 := s.SettleResets(ctx, resets)
	for _, id := range append(settled, done...) {
		finished = append(finished, written[id])
	}
	return finished, errors.Join(err1, err2)
}

// SettleResets carries out the resets that were asked for.
func (s *Service) SettleResets(ctx context.Context,
	entries []journal.Entry,
) (finished []string, err error) {
	var errs []error
	for _, e := range entries {
		err := s.reset(ctx, e.ID)
		if err == nil {
			finished = append(finished, e.ID)
		}
		errs = append(errs, err)
	}
	return finished, errors.Join(errs...)
}

// drive tells every service of sessions that have ended.
func (s *Service) drive(ctx context.Context, open []aggregate.Open[User]) (map[string]User, error) {
	changed := map[string]User{}
	var errs []error
	for _, o := range open {
		err := s.sessionsEnded(ctx, o.Doc, "")
		if err == nil {
			changed[o.ID], err = s.accounts.Change(ctx, o.ID, func(u User) (User, error) {
				if !u.EndsUntold || u.Epoch != o.Doc.Epoch {
					return u, aggregate.ErrUnchanged // more have ended meanwhile
				}
				u.EndsUntold = false
				return u, nil
			})
		}
		if err != nil {
			delete(changed, o.ID)
		}
		errs = append(errs, err)
	}
	return changed, errors.Join(errs...)
}

// absent gives up the address of a registration that came to nothing.
func (s *Service) absent(ctx context.Context, userID, emailKey string) error {
	if emailKey == "" {
		return nil
	}
	return s.release(ctx, emailKey, userID)
}

// told forgets the events that all have accepted. A deleted account is erased with the last of
// them, and its address is free by then.
func (s *Service) told(ctx context.Context, u User, accepted map[string]bool) (User, error) {
	if u.Status == Deleted && u.Email != "" {
		if err := s.release(ctx, EmailKey(u.Email), u.ID); err != nil {
			return u, err
		}
	}
	if !u.Accept(func(id string) bool { return accepted[id] }) {
		return u, aggregate.ErrUnchanged
	}
	return u, nil
}

// accepted asks the services about every event the accounts hold, each of them at once about all
// that it has a part in. It returns the events that all have accepted. One that does not answer
// keeps no event from being told to the others.
func (s *Service) accepted(ctx context.Context,
	owed []aggregate.Owed[User],
) (map[string]bool, error) {
	ask, missing := map[string][]string{}, map[string]int{}
	for _, o := range owed {
		for _, p := range o.Doc.Pending {
			id := p.ID(o.ID)
			if _, asked := missing[id]; asked {
				continue // an account may stand in the journal twice
			}
			for _, service := range p.listeners() {
				ask[service] = append(ask[service], id)
				missing[id]++
			}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(ask)) {
		known, err := s.Peers.Accepted(ctx, service, ask[service])
		if err != nil {
			s.Log.WarnContext(ctx, "not known which events were accepted", "service", service, "error",
				err.Error())
		}
		for id := range known {
			missing[id]--
		}
	}
	accepted := map[string]bool{}
	for id, n := range missing {
		accepted[id] = n == 0
	}
	return accepted, nil
}

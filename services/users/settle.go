package users

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
)

// Settle implements [journal.Settler]. An account's business is finished when every event it still held is
// accepted by all who have a part in it and, if it was deleted, its address is free and its personal data erased.
func (s *Service) Settle(ctx context.Context, entries []journal.Entry) (finished []string, err error) {
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		if !strings.HasPrefix(e.ID, resetMark) {
			userID, _ := parseID(e.ID)
			ids = append(ids, userID)
		}
	}
	users, err := s.Users.GetAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	accepted, errAsking := s.accepted(ctx, users)
	errs := []error{errAsking}
	for _, e := range entries {
		done, err := s.settle(ctx, e, users, accepted)
		if done {
			finished = append(finished, e.ID)
		}
		errs = append(errs, err)
	}
	return finished, firstOf(errs)
}

// firstOf returns the first error, saying how many more there were: what fails for one account usually fails for all.
func firstOf(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return fmt.Errorf("%w (and %d more)", errs[0], len(errs)-1)
}

// accepted asks the services about every event the accounts hold, each of them at once about all that it has a part in.
// It returns the events that all have accepted.
func (s *Service) accepted(ctx context.Context, users map[string]User) (map[string]bool, error) {
	ask, missing := map[string][]string{}, map[string]int{}
	for id, u := range users {
		for _, p := range u.Pending {
			for _, service := range p.listeners() {
				ask[service] = append(ask[service], p.ID(id))
				missing[p.ID(id)]++
			}
		}
	}
	var errs []error
	for _, service := range slices.Sorted(maps.Keys(ask)) {
		known, err := s.Peers.Accepted(ctx, service, ask[service])
		for id := range known {
			missing[id]--
		}
		errs = append(errs, err)
	}
	accepted := map[string]bool{}
	for id, n := range missing {
		accepted[id] = n == 0
	}
	return accepted, firstOf(errs)
}

// settle drives one id on and reports whether its business is finished.
func (s *Service) settle(ctx context.Context, e journal.Entry, users map[string]User, accepted map[string]bool) (bool, error) {
	if strings.HasPrefix(e.ID, resetMark) {
		err := s.reset(ctx, e.ID)
		return err == nil, err
	}
	userID, emailKey := parseID(e.ID)
	u, exists := users[userID]
	if !exists || e.Fence && len(u.Pending) == 0 {
		var err error
		if u, exists, err = s.settleFenced(ctx, e, userID, emailKey); err != nil || !exists {
			return err == nil, err
		}
	}
	if u.endedLately(s.now()) {
		if err := s.sessionsEnded(ctx, u); err != nil {
			return false, err
		}
	}
	if u.Status == Deleted && u.Email != "" {
		if err := s.release(ctx, EmailKey(u.Email), u.ID); err != nil {
			return false, err
		}
	}
	if len(u.Pending) == 0 && (u.Status == Active || u.Email == "") {
		return true, nil
	}
	if anyAccepted(u, accepted) || len(u.Pending) == 0 {
		done, left, err := s.accept(ctx, userID, accepted)
		if err != nil || done {
			return done, err
		}
		u = left
	}
	if e.Attempt <= 1 && !e.Fence {
		return false, nil // announced a moment ago
	}
	return false, s.publish(ctx, u)
}

func anyAccepted(u User, accepted map[string]bool) bool {
	return slices.ContainsFunc(u.Pending, func(p Pending) bool { return accepted[p.ID(u.ID)] })
}

// settleFenced deals with an intent whose account is missing, or whose writes may still be under way. An account that
// is missing after the fence never comes to be, so the address it claimed is given up.
func (s *Service) settleFenced(ctx context.Context, e journal.Entry, userID, emailKey string) (User, bool, error) {
	u, exists, err := s.fenced(ctx, userID, e.Fence)
	if err != nil || exists || emailKey == "" {
		return u, exists, err
	}
	return u, false, s.release(ctx, emailKey, userID)
}

// fenced reads an account, after fencing it if that is needed.
func (s *Service) fenced(ctx context.Context, userID string, fence bool) (u User, exists bool, err error) {
	if fence {
		return s.Users.Fence(ctx, userID)
	}
	u, _, err = s.Users.Get(ctx, userID)
	if sidecar.IsMissing(err) {
		return u, false, nil
	}
	return u, err == nil, err
}

// accept removes accepted events from the account and reports whether none is left. Done means that its own update
// succeeded, which no write prepared earlier can survive: a fence.
func (s *Service) accept(ctx context.Context, userID string, accepted map[string]bool) (done bool, left User, err error) {
	for range attempts {
		u, rev, err := s.Users.Get(ctx, userID)
		if sidecar.IsMissing(err) {
			return false, u, nil
		}
		if err != nil {
			return false, u, err
		}
		if !u.Accept(func(id string) bool { return accepted[id] }) {
			return false, u, nil // somebody else did; the next attempt will see that nothing is left
		}
		err = s.Users.Update(ctx, userID, u, rev, 0)
		if err == nil {
			return len(u.Pending) == 0, u, nil
		}
		if !sidecar.IsConflict(err) {
			return false, u, err
		}
	}
	return false, User{}, errBusy()
}

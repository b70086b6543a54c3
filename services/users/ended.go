package users

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
)

// Ended remembers which sessions and accounts have ended, as long as an access token of theirs may
// not have expired. It is one document, which every replica reads and writes: few end within five
// minutes.
//
// At most [MaxEndedSessions] single sessions are remembered, some 60 bytes each: enough for 12
// logouts a second, for as long as that goes on. Beyond, those are dropped whose tokens expire
// first. Such a session cannot be renewed, and this service refuses its changes as ever; others may
// take them until its token expires. Ends of all of a user's sessions (a new password, deletion)
// are never dropped.
type Ended struct {
	Sessions map[string]time.Time `json:"sessions,omitempty"` // by session id: until when it matters
	Users    map[string]EndedUser `json:"users,omitempty"`    // by user id
}

// EndedUser says that every session of a user that began in an earlier epoch has ended, but for
// one: that which a new password was set in lives on, and so do the access tokens that it has.
type EndedUser struct {
	Epoch   int64     `json:"epoch"`
	Carried string    `json:"carried,omitempty"` // id of the session that lives on
	Until   time.Time `json:"until"`
}

// MaxEndedSessions bounds the document.
const MaxEndedSessions = 4096

// endedKey is the key of the one document.
const endedKey = "all"

// endedLife is how long an ending matters: an access token's life, and what clocks may be apart.
const endedLife = AccessLife + 30*time.Second

// everyEpoch is the epoch of an account that has ended.
const everyEpoch = math.MaxInt64

// prune forgets what no longer matters.
func (e *Ended) prune(now time.Time) {
	for id, until := range e.Sessions {
		if !now.Before(until) {
			delete(e.Sessions, id)
		}
	}
	for id, u := range e.Users {
		if !now.Before(u.Until) {
			delete(e.Users, id)
		}
	}
}

// sessionEnded notes that a session ends.
func (s *Service) sessionEnded(ctx context.Context, id string) error {
	return s.noteEnded(ctx, func(e *Ended, until time.Time) bool {
		if _, known := e.Sessions[id]; known {
			return false
		}
		if e.Sessions == nil {
			e.Sessions = map[string]time.Time{}
		}
		e.Sessions[id] = until
		if n := e.bound(); n > 0 {
			s.Log.WarnContext(ctx, "too many sessions end at once; "+
				"other services take changes by some until their tokens expire", "sessions", n)
		}
		return true
	})
}

// bound drops the sessions that matter for the shortest time and returns how many.
func (e *Ended) bound() int {
	over := len(e.Sessions) - MaxEndedSessions
	if over <= 0 {
		return 0
	}
	soonest := slices.SortedFunc(maps.Keys(e.Sessions),
		func(a, b string) int { return e.Sessions[a].Compare(e.Sessions[b]) })
	for _, id := range soonest[:over] {
		delete(e.Sessions, id)
	}
	return over
}

// sessionsEnded notes that all sessions of a user have ended that began before the account's
// present epoch, but for one that was carried over into it, if there is one.
func (s *Service) sessionsEnded(ctx context.Context, u User, carried string) error {
	epoch := u.Epoch
	if u.Status == Deleted {
		epoch = everyEpoch
	}
	return s.noteEnded(ctx, func(e *Ended, until time.Time) bool {
		known, ok := e.Users[u.ID]
		if ok && (known.Epoch > epoch || known.Epoch == epoch && (carried == "" || known.Carried != "")) {
			return false // the settler may have noted it before the session was known to live on
		}
		if e.Users == nil {
			e.Users = map[string]EndedUser{}
		}
		e.Users[u.ID] = EndedUser{Epoch: epoch, Carried: carried, Until: until}
		return true
	})
}

// noteEnded changes the document, unless it says already what it should. Within a process endings
// take turns, so that they meet only those of other replicas.
func (s *Service) noteEnded(ctx context.Context,
	change func(e *Ended, until time.Time) bool,
) error {
	select {
	case s.noting <- struct{}{}:
		defer func() { <-s.noting }()
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.Timeout, "timeout",
			"The end of the session could not be noted in time; try again.")
	}
	_, err := s.endings.Change(ctx, endedKey, func(doc Ended, _ bool) (Ended, error) {
		doc.prune(s.now())
		if !change(&doc, s.now().Add(endedLife)) {
			return doc, document.ErrUnchanged
		}
		return doc, nil
	})
	return err
}

// readEnded reads from the store what has ended.
func (s *Service) readEnded(ctx context.Context) (auth.EndedSet, error) {
	set := auth.EndedSet{Sessions: []string{}, Users: map[string]int64{}}
	read, err := s.endings.Read(ctx, endedKey)
	if err != nil {
		return set, err
	}
	doc := read.Doc
	doc.prune(s.now())
	for id := range doc.Sessions {
		set.Sessions = append(set.Sessions, id)
	}
	for id, u := range doc.Users {
		set.Users[id] = u.Epoch
		if u.Carried != "" {
			set.Carried = append(set.Carried, u.Carried)
		}
	}
	slices.Sort(set.Sessions)
	slices.Sort(set.Carried)
	raw, err := json.Marshal(set)
	sum := sha256.Sum256(raw)
	set.Version = encode(sum[:12])
	return set, err
}

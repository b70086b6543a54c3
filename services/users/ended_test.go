package users_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/document"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

// judge is another service: it knows what it was told, and says whether the access token may still
// change anything.
func judge(t *testing.T, replica *userstest.Process, p auth.Principal) error {
	t.Helper()
	ended := auth.NewEnded(replica.Ended)
	if err := ended.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ended.Check(p)
}

// However a session ends, every service is told before the customer is.
func TestEveryEndOfASessionIsToldToEveryService(t *testing.T) {
	ends := map[string]func(t *testing.T, p *userstest.Process, u users.User, grant users.Grant) error{
		"logging out": func(t *testing.T, p *userstest.Process, _ users.User, grant users.Grant) error {
			return p.Logout(t.Context(), principal(t, p, grant), false)
		},
		"logging out everywhere": func(t *testing.T, p *userstest.Process, _ users.User, grant users.Grant) error {
			return p.Logout(t.Context(), principal(t, p, grant), true)
		},
		"a reset of the password": func(t *testing.T, p *userstest.Process, u users.User, _ users.Grant) error {
			return p.ConfirmReset(t.Context(), mint(t, p, u.ID, users.Reset), "staple of the trade")
		},
		"a proof of the address by somebody unknown": func(t *testing.T, p *userstest.Process, u users.User, _ users.Grant) error {
			return p.VerifyEmail(t.Context(), mint(t, p, u.ID, users.Verify), users.Known{})
		},
		"deletion": func(t *testing.T, p *userstest.Process, u users.User, _ users.Grant) error {
			return p.Delete(t.Context(), u.ID, nil)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			w, p, u, grant := signedUp(t)
			other, who := w.Process(), principal(t, p, grant)
			if err := judge(t, other, who); err != nil {
				t.Fatalf("before the end: %v", err)
			}
			if err := end(t, p, u, grant); err != nil {
				t.Fatal(err)
			}
			if judge(t, other, who) == nil {
				t.Error("another replica's askers still take the token for changes")
			}
			w.Advance(users.AccessLife + time.Minute)
			set, err := other.Ended(t.Context(), "")
			if err != nil || len(set.Sessions)+len(set.Users) != 0 {
				t.Errorf("%+v, %v: what no token can outlive should be forgotten", set, err)
			}
		})
	}
}

func TestAChangeOfPasswordEndsTheOtherSessionsAlone(t *testing.T) {
	w, p, _, grant := signedUp(t)
	mine := principal(t, p, grant)
	elsewhere, err := p.Login(t.Context(), ada.Email, ada.Password, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.ChangePassword(t.Context(), mine, ada.Password, "staple of the trade"); err != nil {
		t.Fatal(err)
	}
	if judge(t, w.Process(), principal(t, p, elsewhere)) == nil {
		t.Error("another session goes on changing things after the password was changed")
	}
	w.SettleAll(p) // the settler tells it as well, and knows of no session
	if err := judge(t, w.Process(), mine); err != nil {
		t.Errorf("the access token that the password was changed with: %v", err)
	}
	renewed, err := p.Refresh(t.Context(), grant.RefreshToken)
	if err != nil {
		t.Fatalf("the session in which the password was changed: %v", err)
	}
	if err := judge(t, w.Process(), principal(t, p, renewed)); err != nil {
		t.Errorf("the renewed session: %v", err)
	}
	if err := p.Logout(t.Context(), mine, false); err != nil {
		t.Fatal(err)
	}
	if judge(t, w.Process(), mine) == nil {
		t.Error("the session that lived on goes on after it was logged out")
	}
}

// A process may die after the account was changed and before the end was noted: the settler notes
// it.
func TestADeletionThatWasNotNotedIsNotedByTheSettler(t *testing.T) {
	w, p, u, grant := signedUp(t)
	p.Wait()
	w.State.Before = failOnce("ended/", errors.New("no answer"))
	if err := p.Delete(t.Context(), u.ID, nil); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	who := principal(t, p, grant)
	if judge(t, w.Process(), who) != nil {
		t.Fatal("the end was noted, though the write failed: this test has lost its subject")
	}
	w.SettleAll(p)
	if judge(t, w.Process(), who) == nil {
		t.Error("nobody noted the end of a deleted account")
	}
}

func TestEndingsAtTheSameTimeAreAllNoted(t *testing.T) {
	w, p, _, _ := signedUp(t)
	replicas := []*userstest.Process{p, w.Process(), w.Process()}
	var all sync.WaitGroup
	grants := make([]users.Grant, 30)
	for i := range grants {
		var err error
		if grants[i], err = p.Login(t.Context(), ada.Email, ada.Password, nowhere); err != nil {
			t.Fatal(err)
		}
	}
	for i, grant := range grants {
		all.Go(func() {
			replica := replicas[i%len(replicas)]
			if err := replica.Logout(t.Context(), principal(t, replica, grant), false); err != nil {
				t.Errorf("logout %d: %v", i, err)
			}
		})
	}
	all.Wait()
	for i, grant := range grants {
		if judge(t, p, principal(t, p, grant)) == nil {
			t.Errorf("the end of session %d was lost", i)
		}
	}
}

// Many may end at once. What is remembered of it stays small, the newest stay in it, and so do
// whole accounts.
func TestWhatIsRememberedOfEndingsIsBounded(t *testing.T) {
	w, p, u, grant := signedUp(t)
	full := users.Ended{Sessions: map[string]time.Time{}, Users: map[string]users.EndedUser{"usr_other": {Epoch: 2, Until: w.Now().Add(time.Second)}}}
	for i := range users.MaxEndedSessions {
		full.Sessions[fmt.Sprintf("session%04d", i)] = w.Now().Add(time.Minute + time.Duration(i)*time.Millisecond)
	}
	if err := document.New[users.Ended](w.State, users.EndedPrefix).Insert(t.Context(), "all", full); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		another := login(t, p, ada.Password)
		if err := p.Logout(t.Context(), principal(t, p, another), false); err != nil {
			t.Fatal(err)
		}
		if judge(t, w.Process(), principal(t, p, another)) == nil {
			t.Error("a session that has just ended is not remembered")
		}
	}
	set, err := p.Ended(t.Context(), "")
	if err != nil || len(set.Sessions) != users.MaxEndedSessions || set.Users["usr_other"] != 2 {
		t.Errorf("%d sessions and %v are remembered, %v; want %d and the other user", len(set.Sessions), set.Users, err, users.MaxEndedSessions)
	}
	for i := range 4 {
		if gone := !slices.Contains(set.Sessions, fmt.Sprintf("session%04d", i)); gone != (i < 3) {
			t.Errorf("session %d is forgotten: %v; those are to be whose tokens expire first", i, gone)
		}
	}
	if err := p.Delete(t.Context(), u.ID, nil); err != nil {
		t.Fatal(err)
	}
	if judge(t, w.Process(), principal(t, p, grant)) == nil {
		t.Error("the end of an account is not remembered")
	}
	raw, err := w.State.Get(t.Context(), "ended/all")
	if err != nil || len(raw.Value) > 75*users.MaxEndedSessions {
		t.Errorf("the document has %d bytes, %v", len(raw.Value), err)
	}
}

package users_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

// ask is a service that wants to know what has ended, told by one replica after the other.
func ask(ctx context.Context, replicas ...*userstest.Process) (ended *auth.Ended, stop func()) {
	asked := 0
	ended = auth.NewEnded(func(ctx context.Context, known string) (auth.EndedSet, error) {
		asked++
		return replicas[asked%len(replicas)].Ended(ctx, known)
	})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = ended.Run(ctx) // never fails
	}()
	return ended, func() { cancel(); <-done }
}

// Four services ask; both replicas must go on looking, for the other may have noted an ending.
func TestWhileNothingEndsAReplicaReadsOnceASecondForAllWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := userstest.New(t)
		replica := w.Process()
		for range 4 {
			_, stop := ask(t.Context(), replica)
			defer stop()
			time.Sleep(150 * time.Millisecond) // no two begin together
		}
		before := replica.Reads()
		time.Sleep(time.Minute)
		if n := replica.Reads() - before; n > 61 {
			t.Errorf("%d reads of the store in a minute, want one a second", n)
		}
	})
}

func TestWhileNobodyAsksNothingIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replica := userstest.New(t).Process()
		_, stop := ask(t.Context(), replica)
		time.Sleep(10 * time.Second)
		stop()
		before := replica.Reads()
		time.Sleep(time.Minute)
		if n := replica.Reads() - before; n > 0 {
			t.Errorf("%d reads of the store for nobody", n)
		}
	})
}

// Whichever replica notes an ending, and whichever is asked, in whatever moment: it is known within
// the promised time.
func TestAnEndingIsKnownToAllWithinTwoSecondsWhoeverNotedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p, _, _ := signedUp(t)
		replicas := []*userstest.Process{p, w.Process(), w.Process()}
		askers := make([]*auth.Ended, 0, 12)
		for i := range cap(askers) {
			ended, stop := ask(t.Context(), replicas[i%2:]...)
			defer stop()
			askers = append(askers, ended)
			time.Sleep(130 * time.Millisecond)
		}
		for i := range 40 {
			replica := replicas[i%len(replicas)]
			who := principal(t, replica, login(t, replica, ada.Password))
			time.Sleep(time.Duration(i) * 370 * time.Millisecond)
			if err := replica.Logout(t.Context(), who, false); err != nil {
				t.Fatal(err)
			}
			time.Sleep(1900 * time.Millisecond)
			for n, asker := range askers {
				if asker.Check(who) == nil {
					t.Errorf("ending %d is not known to asker %d", i, n)
				}
			}
		}
	})
}

// What a replica has in memory may be older than what another has told: it must not be told again.
func TestAnAskerIsNotToldLessThanItKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p, _, grant := signedUp(t)
		other := w.Process()
		if _, err := other.Ended(t.Context(), ""); err != nil { // which remembers it
			t.Fatal(err)
		}
		if err := p.Logout(t.Context(), principal(t, p, grant), false); err != nil {
			t.Fatal(err)
		}
		newer, err := p.Ended(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // else the clock stands still
		set, err := other.Ended(t.Context(), newer.Version)
		if err != nil || set.Version != newer.Version {
			t.Errorf("%+v, %v; want the set that was known", set, err)
		}
	})
}

func TestNobodyIsKeptWaitingForAnEndingWithoutNeed(t *testing.T) {
	closing := make(chan struct{})
	w := userstest.New(t)
	service := users.NewService(users.Config{
		State: w.State, Bus: w.Bus, Journal: w.Journal.Of(w.Process().Proc), Closing: closing,
	})
	known, err := service.Ended(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	answeredSoon := func(t *testing.T, ctx context.Context) {
		t.Helper()
		began := time.Now()
		set, err := service.Ended(ctx, known.Version)
		took := time.Since(began)
		if err != nil || set.Version != known.Version || took > auth.EndedHold-time.Second {
			t.Errorf("after %s: %+v, %v", took, set, err)
		}
	}
	t.Run("a request whose time is over", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		answeredSoon(t, ctx)
	})
	t.Run("a process that is about to end", func(t *testing.T) {
		close(closing)
		answeredSoon(t, t.Context())
	})
}

package users_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

var ada = users.Draft{Email: "Ada@Example.com", Password: "correct horse battery", Name: "Ada Lovelace"}

var nowhere users.Client

func TestOneOfManyRegistrationsOfAnAddressSucceeds(t *testing.T) {
	w := userstest.New(t)
	const replicas, each = 3, 8
	var won, lost atomic.Int64
	var wg sync.WaitGroup
	for range replicas {
		p := w.Process()
		for i := range each {
			wg.Go(func() {
				draft := ada
				if i%2 == 0 {
					draft.Email = " ADA@EXAMPLE.COM"
				}
				_, err := p.Register(t.Context(), draft)
				switch {
				case err == nil:
					won.Add(1)
				case fault.CodeOf(err) == "email_taken":
					lost.Add(1)
				default:
					t.Errorf("a registration failed: %v", err)
				}
			})
		}
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != replicas*each-1 {
		t.Errorf("%d registrations won and %d lost, want 1 and %d", won.Load(), lost.Load(), replicas*each-1)
	}
	if n := len(w.Live()); n != 1 {
		t.Errorf("there are %d accounts, want 1", n)
	}
	p := w.Process()
	w.SettleAll(p)
	if _, err := p.Login(t.Context(), ada.Email, ada.Password, nowhere); err != nil {
		t.Errorf("the winner cannot log in: %v", err)
	}
}

// stallsAtItsAccount holds the first insert of an account up until wake is closed.
func stallsAtItsAccount(w *userstest.World) (stalled, wake chan struct{}) {
	stalled, wake = make(chan struct{}), make(chan struct{})
	var later atomic.Bool
	w.State.Before = func(_ context.Context, op sidecartest.Op, key string) error {
		if op == sidecartest.OpInsert && strings.HasPrefix(key, "user/") && !later.Swap(true) {
			close(stalled)
			<-wake
		}
		return nil
	}
	return stalled, wake
}

// A process that stalls in the middle of its registration, and wakes up when another has taken the
// address over, makes no second account.
func TestAStalledRegistrationLosesItsAddress(t *testing.T) {
	w := userstest.New(t)
	stalled, wake := stallsAtItsAccount(w)
	result := make(chan error)
	slow, quick := w.Process(), w.Process()
	go func() {
		_, err := slow.Register(t.Context(), ada)
		result <- err
	}()
	<-stalled
	w.Advance(time.Minute)
	draft := ada
	draft.Password = "the second password"
	if _, err := quick.Register(t.Context(), draft); err != nil {
		t.Fatalf("taking over an old claim without an account: %v", err)
	}
	close(wake)
	if err := <-result; fault.CodeOf(err) != "email_taken" {
		t.Errorf("the stalled registration ended with %v, want email_taken", err)
	}
	w.SettleAll(quick)
	if n := len(w.Live()); n != 1 {
		t.Errorf("there are %d accounts, want 1", n)
	}
	if _, err := quick.Login(t.Context(), draft.Email, draft.Password, nowhere); err != nil {
		t.Errorf("the account that was made does not work: %v", err)
	}
}

// The settler gives a registration up whose account is not written, and frees its address. The
// account may still be written then: it must not come to be without the address.
func TestAStalledRegistrationThatWasGivenUpMakesNoAccountWithoutItsAddress(t *testing.T) {
	w := userstest.New(t)
	stalled, wake := stallsAtItsAccount(w)
	result := make(chan error)
	slow, other := w.Process(), w.Process()
	go func() {
		_, err := slow.Register(t.Context(), ada)
		result <- err
	}()
	<-stalled
	w.SettleAll(other)
	if slices.Contains(w.State.Keys(), "email/"+users.EmailKey("ada@example.com")) {
		t.Fatal("the settler has not given the registration up")
	}
	close(wake)
	if err := <-result; err != nil {
		t.Errorf("the address is free, and yet: %v", err)
	}
	onlyAda(t, w, slow)
}

func TestAYoungClaimIsNotTakenOver(t *testing.T) {
	w := userstest.New(t)
	dead := w.ProcessOf(sidecartest.DiesAt(callOf(t, "insert user/", registers), false))
	_, _ = dead.Register(t.Context(), ada)
	if _, err := w.Process().Register(t.Context(), ada); !fault.Is(err, fault.Unavailable) {
		t.Errorf("registering while somebody else might be at it: %v, want Unavailable", err)
	}
}

func TestADeletedAccountFreesItsAddressAndIsErased(t *testing.T) {
	w := userstest.New(t)
	p := w.Process()
	u, err := p.Register(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	grant, err := p.Login(t.Context(), ada.Email, ada.Password, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Delete(t.Context(), u.ID, nil); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	if contacts, err := p.Contacts(t.Context(), []string{u.ID}); err != nil || len(contacts) != 1 || contacts[0].Email != "ada@example.com" {
		t.Errorf("contacts before notifications accepted: %v, %v; want the address of the last mail", contacts, err)
	}
	w.SettleAll(p)
	if contacts, _ := p.Contacts(t.Context(), []string{u.ID}); len(contacts) != 0 {
		t.Errorf("contacts after notifications accepted: %+v, want none", contacts)
	}
	for _, left := range w.Live() {
		if left.Email+left.Name+left.Phone+left.PasswordHash != "" {
			t.Errorf("left of a deleted account: %+v", left)
		}
	}
	if _, err := p.Refresh(t.Context(), grant.RefreshToken); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("refreshing after deletion: %v, want Unauthenticated", err)
	}
	if _, err := p.Login(t.Context(), ada.Email, ada.Password, nowhere); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("logging in after deletion: %v, want Unauthenticated", err)
	}
	if again, err := p.Register(t.Context(), ada); err != nil || again.ID == u.ID {
		t.Errorf("registering the address again: %v, %v; want a new account", again.ID, err)
	}
}

// The bus may be emptied when some have heard of a deletion and others have not: it is told again
// until all have.
func TestADeletionIsToldUntilEveryServiceHasHeardOfIt(t *testing.T) {
	for _, heard := range [][]string{nil, {"notifications"}, {"notifications", "orders"}, {"notifications", "payments"}, {"orders", "payments"}} {
		t.Run(fmt.Sprint(heard), func(t *testing.T) {
			w, p, u, _ := signedUp(t)
			w.SettleAll(p)
			if err := p.Delete(t.Context(), u.ID, nil); err != nil {
				t.Fatal(err)
			}
			p.Wait()
			w.DeliverTo(heard...)
			for range 3 { // nothing that is published now reaches anybody
				w.Settle(p)
				w.DeliverTo()
			}
			if len(w.Journal.IDs()) == 0 {
				t.Fatal("the deletion is forgotten although not all have heard of it")
			}
			w.SettleAll(p)
			for _, service := range userstest.Listeners {
				if !w.Heard(service, users.EventDeleted) {
					t.Errorf("%s has never heard of the deletion", service)
				}
			}
		})
	}
}

// Who tells of a registration tells notifications, and waits for nobody else.
func TestOnlyADeletionWaitsForEveryService(t *testing.T) {
	w, p, _, _ := signedUp(t)
	p.Wait()
	w.DeliverTo("notifications")
	w.Settle(p)
	if ids := w.Journal.IDs(); len(ids) != 0 {
		t.Errorf("unfinished: %v", ids)
	}
}

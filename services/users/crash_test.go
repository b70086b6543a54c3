package users_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

// Whichever call a registration dies at, before or after it took effect: the address is usable
// afterwards, there is never more than one account for it, and what was made is told.
func TestACrashAtAnyCallOfARegistrationHeals(t *testing.T) {
	for name, settledFirst := range map[string]bool{"settled first": true, "registered again first": false} {
		t.Run(name, func(t *testing.T) {
			sidecartest.EachCrash(t, func(t *testing.T, proc *sidecartest.Process) {
				w := userstest.New(t)
				dies := w.ProcessOf(proc)
				_, registered := dies.Register(t.Context(), ada)
				dies.Wait()
				w.Bus.Clear()
				w.Advance(time.Minute)
				p := w.Process()
				if settledFirst {
					w.SettleAll(p)
				}
				_, err := p.Register(t.Context(), ada)
				if fault.CodeOf(err) != "email_taken" && (err != nil || registered == nil) {
					t.Fatalf("registering again after %v: %v", registered, err)
				}
				onlyAda(t, w, p)
			})
		})
	}
}

// The process that settles a registration may die as well, at any call.
func TestACrashAtAnyCallOfSettlingARegistrationHeals(t *testing.T) {
	sidecartest.EachCrash(t, func(t *testing.T, proc *sidecartest.Process) {
		w := userstest.New(t)
		p := w.Process()
		if _, err := p.Register(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		p.Wait()
		w.Bus.Clear() // nobody has heard of it
		dies := w.ProcessOf(proc)
		for range 3 {
			_ = w.Journal.Settle(t.Context(), proc, dies.Settler(), time.Hour)
			w.Deliver()
		}
		onlyAda(t, w, p)
	})
}

// onlyAda settles everything and checks that there is one account, of which nothing is left to
// tell.
func onlyAda(t *testing.T, w *userstest.World, p *userstest.Process) {
	t.Helper()
	w.SettleAll(p)
	accounts := w.Live()
	if len(accounts) != 1 || accounts[0].Email != "ada@example.com" {
		t.Fatalf("accounts: %+v, want one of ada@example.com", accounts)
	}
	if len(accounts[0].Pending) != 0 {
		t.Errorf("events left untold: %v", accounts[0].Pending)
	}
	if !w.Heard("notifications", users.EventRegistered) {
		t.Error("nobody has heard of the registration")
	}
	if _, err := p.Login(t.Context(), ada.Email, ada.Password, nowhere); err != nil {
		t.Errorf("logging in afterwards: %v", err)
	}
}

// callOf returns which of the calls of a story is the first with a prefix, from 1. The process of
// the story is a replica in a world of its own.
func callOf(t *testing.T, prefix string, story func(t *testing.T, w *userstest.World, p *userstest.Process)) int {
	t.Helper()
	w := userstest.New(t)
	p := w.Process()
	story(t, w, p)
	p.Wait()
	for i, call := range p.Proc.Calls() {
		if strings.HasPrefix(call, prefix) {
			return i + 1
		}
	}
	t.Fatalf("no call %s among %v", prefix, p.Proc.Calls())
	return 0
}

func registers(t *testing.T, _ *userstest.World, p *userstest.Process) {
	t.Helper()
	if _, err := p.Register(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
}

func TestACrashAtAnyCallOfADeletionHeals(t *testing.T) {
	sidecartest.EachCrash(t, func(t *testing.T, proc *sidecartest.Process) {
		w := userstest.New(t)
		p := w.Process()
		u, err := p.Register(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		w.SettleAll(p)
		dies := w.ProcessOf(proc)
		deleted := dies.Delete(t.Context(), u.ID, nil) == nil
		dies.Wait()
		w.Bus.Clear()
		w.SettleAll(p)
		left, err := p.Profile(t.Context(), u.ID)
		gone := fault.Is(err, fault.Unauthenticated)
		if deleted && !gone {
			t.Fatalf("the deletion was acknowledged and the account is still there: %+v", left)
		}
		if told := w.Heard("orders", users.EventDeleted); told != gone {
			t.Errorf("account gone: %v; orders has heard of it: %v", gone, told)
		}
		if left := slices.Contains(w.State.Keys(), "email/"+users.EmailKey("ada@example.com")); left == gone {
			t.Errorf("account gone: %v; its address is still claimed: %v", gone, left)
		}
		_, err = p.Register(t.Context(), ada)
		if gone != (err == nil) {
			t.Errorf("account gone: %v; registering its address: %v", gone, err)
		}
	})
}

// A reset that was acknowledged is told, whichever call the process dies at.
func TestACrashAtAnyCallOfAskingForAResetHeals(t *testing.T) {
	sidecartest.EachCrash(t, func(t *testing.T, proc *sidecartest.Process) {
		w, p, _, _ := signedUp(t)
		w.SettleAll(p)
		dies := w.ProcessOf(proc)
		asked := dies.AskReset(t.Context(), ada.Email)
		dies.Wait()
		w.Bus.Clear()
		w.SettleAll(p)
		if asked == nil && !w.Heard("notifications", users.EventResetRequested) {
			t.Error("the reset was acknowledged, and nobody has heard of it")
		}
	})
}

// Whichever call the setting of a new password dies at: once it was acknowledged, or once the
// password is set, every service knows that the sessions before it have ended, and its owner is
// told.
func TestACrashAtAnyCallOfAResetHeals(t *testing.T) {
	const wanted = "staple of the trade"
	sidecartest.EachCrash(t, func(t *testing.T, proc *sidecartest.Process) {
		w, p, u, grant := signedUp(t)
		w.SettleAll(p)
		who, token := principal(t, p, grant), mint(t, p, u.ID, users.Reset)
		dies := w.ProcessOf(proc)
		err := dies.ConfirmReset(t.Context(), token, wanted)
		dies.Wait()
		w.Bus.Clear()
		w.SettleAll(p)
		_, failed := p.Login(t.Context(), ada.Email, wanted, nowhere)
		set := failed == nil
		if err == nil && !set {
			t.Fatalf("the reset was acknowledged, and the new password does not work: %v", failed)
		}
		if ended := judge(t, p, who) != nil; ended != set {
			t.Errorf("new password: %v; other services take changes of the old session: %v", set, !ended)
		}
		if told := w.Heard("notifications", users.EventPasswordChanged); told != set {
			t.Errorf("new password: %v; the owner is told: %v", set, told)
		}
	})
}

// TestAStalledDeletionIsFenced lets a process stand still when it is about to write a deletion,
// while another one takes its intent over and finds an account of which nothing is left to do. The
// deletion that is written then must not be one that nobody remembers.
func TestAStalledDeletionIsFenced(t *testing.T) {
	w := userstest.New(t)
	p := w.Process()
	u, err := p.Register(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	w.Deliver()
	w.SettleAll(p)
	stalled := false
	w.State.Before = func(_ context.Context, op sidecartest.Op, key string) error {
		if op == sidecartest.OpUpdate && strings.HasPrefix(key, "user/") && !stalled {
			stalled = true
			w.Settle(w.Process())
		}
		return nil
	}
	if err := p.Delete(t.Context(), u.ID, nil); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	w.Bus.Clear() // nobody has heard of it
	if !stalled || len(w.Journal.IDs()) == 0 {
		t.Fatalf("stalled %v; the intent of a deletion that nobody has heard of is forgotten", stalled)
	}
	w.SettleAll(w.Process())
	if !w.Heard("notifications", "user.deleted.v1") {
		t.Error("notifications has not heard of the deletion")
	}
}

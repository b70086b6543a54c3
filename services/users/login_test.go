package users_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/users"
	"sidecart.dev/users/argon2"
	"sidecart.dev/users/internal/userstest"
)

// failOnce fails the first write to a key of the prefix after it took effect.
func failOnce(prefix string, err error) sidecartest.Hook {
	var once sync.Once
	return func(_ context.Context, op sidecartest.Op, key string) (failed error) {
		if op.Write() && strings.HasPrefix(key, prefix) {
			once.Do(func() { failed = err })
		}
		return failed
	}
}

// Who tries addresses learns nothing from the answer, and nothing from the work that it took.
func TestUnknownAddressAndWrongPasswordAreTheSame(t *testing.T) {
	_, p, _, _ := signedUp(t)
	p.Wait()
	type outcome struct {
		answer        string
		hashes, calls int64
	}
	try := func(email, password string) outcome {
		hashes, calls := p.Hasher.Computed(), int64(p.Reads()+p.Writes())
		_, err := p.Login(t.Context(), email, password, from("192.0.2.1"))
		return outcome{fmt.Sprintf("%v %v", fault.KindOf(err), err), p.Hasher.Computed() - hashes, int64(p.Reads()+p.Writes()) - calls}
	}
	try("someone@example.com", "warm up the address") // its record exists from now on
	wrong, unknown := try(ada.Email, "a wrong password"), try("nobody@example.com", "a wrong password")
	if wrong != unknown || wrong.hashes != 1 {
		t.Errorf("a wrong password: %+v; an unknown address: %+v; want the same, and one hash", wrong, unknown)
	}
}

func TestFailuresSlowTheAccountDownOnEveryReplica(t *testing.T) {
	for _, email := range []string{"ada@example.com", "nobody@example.com"} {
		w, _, _, _ := signedUp(t)
		var replicas []*userstest.Process
		for range 3 {
			replicas = append(replicas, w.Process())
		}
		for i := range users.PerAccount.Free + 1 {
			if _, err := replicas[i%3].Login(t.Context(), email, "a wrong password", nowhere); !fault.Is(err, fault.Unauthenticated) {
				t.Fatalf("failure %d of %s: %v, want Unauthenticated", i+1, email, err)
			}
		}
		_, err := replicas[0].Login(t.Context(), email, ada.Password, nowhere)
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Kind != fault.RateLimited || f.RetryAfter <= 0 || f.RetryAfter > users.PerAccount.Max {
			t.Fatalf("after %d failures of %s: %v, want RateLimited with a time to wait", users.PerAccount.Free+1, email, err)
		}
		w.Advance(f.RetryAfter)
		_, err = replicas[1].Login(t.Context(), email, ada.Password, nowhere)
		if known := email == "ada@example.com"; known != (err == nil) {
			t.Errorf("after the wait, %s: %v", email, err)
		}
	}
}

// Guesses made at the same time count one another: no more get through than the slow-down allows.
func TestConcurrentGuessesAreCounted(t *testing.T) {
	w, _, _, _ := signedUp(t)
	var judged atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		p := w.Process()
		for range 10 {
			wg.Go(func() {
				if _, err := p.Login(t.Context(), ada.Email, "a wrong password", nowhere); fault.Is(err, fault.Unauthenticated) {
					judged.Add(1)
				}
			})
		}
	}
	wg.Wait()
	if n, most := judged.Load(), int64(users.PerAccount.Free+1); n > most {
		t.Errorf("%d of 30 concurrent guesses were judged, want at most %d", n, most)
	}
}

func TestFailuresSlowAnAddressDown(t *testing.T) {
	w, p, _, _ := signedUp(t)
	client := from("2001:db8::1")
	for i := range users.PerAddress.Free + 1 {
		if _, err := p.Login(t.Context(), fmt.Sprintf("u%d@example.com", i), "a wrong password", client); !fault.Is(err, fault.Unauthenticated) {
			t.Fatalf("failure %d: %v", i+1, err)
		}
	}
	if _, err := w.Process().Login(t.Context(), ada.Email, ada.Password, from("2001:db8::2")); !fault.Is(err, fault.RateLimited) {
		t.Errorf("the same network at another replica: %v, want RateLimited", err)
	}
	if _, err := p.Login(t.Context(), ada.Email, ada.Password, from("2001:db8:0:1::1")); err != nil {
		t.Errorf("another network: %v", err)
	}
}

func TestSuccessForgivesFailures(t *testing.T) {
	_, p, _, _ := signedUp(t)
	for range 3 {
		for range users.PerAccount.Free - 1 {
			_, _ = p.Login(t.Context(), ada.Email, "a wrong password", nowhere)
		}
		login(t, p, ada.Password)
	}
}

func TestSlowdownDoublesUpToItsMost(t *testing.T) {
	limit := users.Slowdown{Free: 2, Base: time.Second, Max: 5 * time.Second, Window: time.Minute}
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	var a users.Attempts
	for i, want := range []time.Duration{0, 0, 1, 2, 4, 5, 5} {
		a = limit.Fail(a, now)
		if wait := max(0, a.Until.Sub(now)); wait != want*time.Second {
			t.Errorf("after failure %d the wait is %v, want %v", i+1, wait, want*time.Second)
		}
	}
	if a = limit.Fail(a, now.Add(2*time.Minute)); a.Failures != 1 {
		t.Errorf("%d failures after a quiet window, want 1", a.Failures)
	}
	for range 200 {
		a = limit.Fail(a, now)
	}
	if wait := a.Until.Sub(now); wait != limit.Max {
		t.Errorf("after 200 failures the wait is %v, want %v", wait, limit.Max)
	}
}

func TestAnOutdatedHashIsReplacedAtLogin(t *testing.T) {
	w, p, u, _ := signedUp(t)
	stronger := w.ProcessWith(argon2.Params{Memory: 128, Time: 2, Threads: 1})
	grant := login(t, stronger, ada.Password)
	after, err := p.Profile(t.Context(), u.ID)
	if err != nil || !strings.HasPrefix(after.PasswordHash, "$argon2id$v=19$m=128,t=2,p=1$") {
		t.Errorf("the stored hash is %.40q, %v; want the new parameters", after.PasswordHash, err)
	}
	if _, ok := refreshes(t, p, grant.RefreshToken); !ok {
		t.Error("the session did not survive the upgrade")
	}
	before := stronger.Hasher.Computed()
	login(t, stronger, ada.Password)
	if n := stronger.Hasher.Computed() - before; n != 1 {
		t.Errorf("%d hashes for a login with a hash that is up to date, want 1", n)
	}
}

func TestChangePasswordEndsEveryOtherSession(t *testing.T) {
	_, p, _, mine := signedUp(t)
	other := login(t, p, ada.Password)
	who := principal(t, p, mine)
	if err := p.ChangePassword(t.Context(), who, "not the password", "staple of the trade"); !fault.Is(err, fault.Unprocessable) {
		t.Errorf("with a wrong current password: %v, want Unprocessable", err)
	}
	if err := p.ChangePassword(t.Context(), who, ada.Password, "staple of the trade"); err != nil {
		t.Fatal(err)
	}
	if _, ok := refreshes(t, p, other.RefreshToken); ok {
		t.Error("another session survived")
	}
	if _, ok := refreshes(t, p, mine.RefreshToken); !ok {
		t.Error("the session it was changed from did not survive")
	}
	if _, err := p.Login(t.Context(), ada.Email, ada.Password, nowhere); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("logging in with the old password: %v", err)
	}
	login(t, p, "staple of the trade")
}

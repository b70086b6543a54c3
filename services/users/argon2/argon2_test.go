package argon2

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sidecart.dev/kit/fault"
)

var cheap = Params{Memory: 64, Time: 1, Threads: 1}

func newHasher(t testing.TB, p Params, parallel, queue int) *Hasher {
	t.Helper()
	h, err := New(p, parallel, queue)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashAndVerify(t *testing.T) {
	h := newHasher(t, cheap, 1, 10)
	phc, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil || !strings.HasPrefix(phc, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("hash %q, %v", phc, err)
	}
	if again, _ := h.Hash(t.Context(), "correct horse battery"); again == phc {
		t.Error("two hashes of one password are the same: there is no salt")
	}
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterz": false, "": false} {
		if ok, outdated, err := h.Verify(t.Context(), phc, password); ok != want || outdated || err != nil {
			t.Errorf("Verify(%q) = %v, outdated %v, %v; want %v", password, ok, outdated, err, want)
		}
	}
	stronger := newHasher(t, Params{Memory: 128, Time: 1, Threads: 1}, 1, 10)
	if ok, outdated, err := stronger.Verify(t.Context(), phc, "correct horse battery"); !ok || !outdated || err != nil {
		t.Errorf("a hash of other parameters: %v, outdated %v, %v; want both", ok, outdated, err)
	}
}

// The reference implementation's hash of "password" with the salt "somesalt".
func TestKnownHash(t *testing.T) {
	const phc = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	if ok, outdated, err := newHasher(t, cheap, 1, 1).Verify(t.Context(), phc, "password"); !ok || !outdated || err != nil {
		t.Errorf("Verify = %v, outdated %v, %v; want true, true", ok, outdated, err)
	}
}

func TestAnEmptyHashCostsTheSameAndNeverFits(t *testing.T) {
	h := newHasher(t, cheap, 1, 10)
	for _, password := range []string{"", "x", strings.Repeat("\x00", 32)} {
		before := h.Computed()
		if ok, outdated, err := h.Verify(t.Context(), "", password); ok || outdated || err != nil || h.Computed() != before+1 {
			t.Errorf("Verify of an empty hash = %v, %v, %v after %d hashes; want false after one", ok, outdated, err, h.Computed()-before)
		}
	}
}

func TestDamagedHashesAreErrors(t *testing.T) {
	h := newHasher(t, cheap, 1, 10)
	for _, bad := range []string{
		"x", "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=99999999,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=0,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=1,p=1$$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$",
		"$argon2id$v=19$m=64,t=1,p=0$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
	} {
		if ok, _, err := h.Verify(t.Context(), bad, "password"); ok || err == nil {
			t.Errorf("Verify(%q) = %v, %v; want an error", bad, ok, err)
		}
	}
}

func TestTooManyWaitingAreShed(t *testing.T) {
	h := newHasher(t, cheap, 1, 2)
	h.slots <- struct{}{} // somebody is hashing, for as long as the test wants
	h.waiting.Add(1)
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() {
			if _, err := h.Hash(ctx, "x"); !fault.Is(err, fault.Unavailable) {
				t.Errorf("whose context ended while waiting got %v, want Unavailable", err)
			}
		})
	}
	for h.waiting.Load() < 3 {
		runtime.Gosched()
	}
	before := time.Now()
	if _, err := h.Hash(t.Context(), "x"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("one too many got %v after %v, want Unavailable at once", err, time.Since(before))
	}
	cancel()
	waiting.Wait()
	<-h.slots
	h.waiting.Add(-1)
	if _, err := h.Hash(t.Context(), "x"); err != nil {
		t.Errorf("after the rush: %v", err)
	}
}

// BenchmarkHash tells what a login costs with OWASP's equivalent parameters.
func BenchmarkHash(b *testing.B) {
	for _, p := range []Params{{46 << 10, 1, 1}, {19 << 10, 2, 1}, {12 << 10, 3, 1}, {9 << 10, 4, 1}, {7 << 10, 5, 1}} {
		b.Run(fmt.Sprintf("m=%dMiB,t=%d,p=%d", p.Memory>>10, p.Time, p.Threads), func(b *testing.B) {
			h := newHasher(b, p, 1, 1)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Hash(b.Context(), "correct horse battery"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

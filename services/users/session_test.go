package users_test

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

// signedUp returns a world with one account, and a session of it.
func signedUp(t testing.TB) (*userstest.World, *userstest.Process, users.User, users.Grant) {
	t.Helper()
	w := userstest.New(t)
	p := w.Process()
	u, err := p.Register(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	return w, p, u, login(t, p, ada.Password)
}

func login(t testing.TB, p *userstest.Process, password string) users.Grant {
	t.Helper()
	grant, err := p.Login(t.Context(), ada.Email, password, nowhere)
	if err != nil {
		t.Fatalf("logging in: %v", err)
	}
	return grant
}

func refreshes(t testing.TB, p *userstest.Process, token string) (users.Grant, bool) {
	t.Helper()
	grant, err := p.Refresh(t.Context(), token)
	if err != nil && !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("refreshing: %v, want success or Unauthenticated", err)
	}
	return grant, err == nil
}

func principal(t testing.TB, p *userstest.Process, grant users.Grant) auth.Principal {
	t.Helper()
	who, err := auth.NewVerifier(p.Keys, p.Now).Verify(t.Context(), grant.AccessToken)
	if err != nil {
		t.Fatalf("access token: %v", err)
	}
	return who
}

func TestAccessTokenSpeaksForTheUser(t *testing.T) {
	_, p, u, grant := signedUp(t)
	who := principal(t, p, grant)
	if who.UserID != u.ID || who.Role != auth.Customer || !strings.HasPrefix(grant.RefreshToken, "rt_"+who.SessionID+".") {
		t.Errorf("the token speaks for %+v, want customer %s in the session of the refresh token", who, u.ID)
	}
}

// However logins, refreshes with any token ever given, and logouts interleave: only the last token
// of a living session works, and one that was spent ends its session.
func TestSessionsAsAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, p, _, first := signedUp(t)
		passed := 0
		type family struct {
			alive  bool
			recent bool     // exchanged within the grace
			tokens []string // the last one is good
			access users.Grant
		}
		families := []*family{{alive: true, tokens: []string{first.RefreshToken}, access: first}}
		rt.Repeat(map[string]func(*rapid.T){
			"login": func(*rapid.T) {
				g := login(t, p, ada.Password)
				families = append(families, &family{alive: true, tokens: []string{g.RefreshToken}, access: g})
			},
			"refresh": func(rt *rapid.T) {
				f := families[rapid.IntRange(0, len(families)-1).Draw(rt, "family")]
				i := rapid.IntRange(0, len(f.tokens)-1).Draw(rt, "token")
				last := i == len(f.tokens)-1
				again := f.recent && i == len(f.tokens)-2
				g, ok := refreshes(t, p, f.tokens[i])
				if ok != (f.alive && (last || again)) {
					rt.Fatalf("token %d of %d of a session that is alive: %v, exchanged just now: %v; refreshed: %v",
						i+1, len(f.tokens), f.alive, f.recent, ok)
				}
				switch {
				case ok && again && g.RefreshToken != f.tokens[i+1]:
					rt.Fatal("a repetition gave another token")
				case ok && last:
					f.tokens, f.access, f.recent = append(f.tokens, g.RefreshToken), g, true
				}
				f.alive = f.alive && (last || again)
			},
			"time passes": func(rt *rapid.T) {
				if passed++; passed > 40 {
					rt.Skip("an access token would expire")
				}
				w.Advance(6 * time.Second) // more than the grace
				for _, f := range families {
					f.recent = false
				}
			},
			"show a token with a wrong secret": func(rt *rapid.T) {
				f := families[rapid.IntRange(0, len(families)-1).Draw(rt, "family")]
				id, _, _ := strings.Cut(f.tokens[0], ".")
				if _, ok := refreshes(t, p, id+"."+strings.Repeat("A", 43)); ok {
					rt.Fatal("a made-up token works")
				}
			},
			"log out": func(rt *rapid.T) {
				f := families[rapid.IntRange(0, len(families)-1).Draw(rt, "family")]
				if err := p.Logout(t.Context(), principal(t, p, f.access), false); err != nil {
					rt.Fatal(err)
				}
				f.alive = false
			},
			"log out everywhere": func(rt *rapid.T) {
				err := p.Logout(t.Context(), principal(t, p, families[0].access), true)
				if !families[0].alive {
					if !fault.Is(err, fault.Unauthenticated) {
						rt.Fatalf("an ended session ended the others: %v", err)
					}
					return
				}
				if err != nil {
					rt.Fatal(err)
				}
				for _, f := range families {
					f.alive = false
				}
			},
		})
	})
}

// Of any number of replicas that are shown one token at once, all give the same next token, and
// none ends the session. Shown again later, the first token ends it.
func TestConcurrentRefreshesOfOneToken(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, p, _, grant := signedUp(t)
		n := rapid.IntRange(2, 6).Draw(rt, "refreshes")
		var won atomic.Int64
		var mu sync.Mutex
		var given []string
		var wg sync.WaitGroup
		for range n {
			replica := w.Process()
			wg.Go(func() {
				if g, ok := refreshes(t, replica, grant.RefreshToken); ok {
					won.Add(1)
					mu.Lock()
					defer mu.Unlock()
					given = append(given, g.RefreshToken)
				}
			})
		}
		wg.Wait()
		if won.Load() != int64(n) || len(slices.Compact(given)) != 1 {
			rt.Fatalf("%d of %d concurrent refreshes of one token succeeded, with %d tokens; want all, with one",
				won.Load(), n, len(slices.Compact(given)))
		}
		next, ok := refreshes(t, p, given[0])
		if !ok {
			rt.Fatal("the token that all were given does not work")
		}
		w.Advance(6 * time.Second)
		for _, token := range []string{grant.RefreshToken, given[0], next.RefreshToken} {
			if _, ok := refreshes(t, p, token); ok {
				rt.Fatal("the session lives on although a spent token was shown")
			}
		}
	})
}

// An answer of the store that is lost must not cost the client its session.
func TestARefreshWhoseWriteIsNotAnsweredSucceeds(t *testing.T) {
	w, p, _, grant := signedUp(t)
	lost := fault.New(fault.Timeout, "timeout", "no answer")
	w.State.After = failOnce("session/", lost)
	next, ok := refreshes(t, p, grant.RefreshToken)
	if !ok {
		t.Fatal("the refresh failed")
	}
	if _, ok := refreshes(t, p, next.RefreshToken); !ok {
		t.Error("the token that was given does not work")
	}
}

func TestRefreshTokensAreNotStored(t *testing.T) {
	w, _, _, grant := signedUp(t)
	_, secret, _ := strings.Cut(grant.RefreshToken, ".")
	for _, key := range w.State.Keys() {
		item, err := w.State.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{secret, secret[:20], ada.Password} {
			if strings.Contains(key+string(item.Value), part) {
				t.Errorf("the document %s has a secret in clear", key)
			}
		}
		if strings.Contains(key, "@") {
			t.Errorf("the key %s shows an address", key)
		}
	}
}

func TestMalformedRefreshTokensAreRefusedWithoutAskingTheStore(t *testing.T) {
	_, p, _, grant := signedUp(t)
	before := int64(p.Reads() + p.Writes())
	for _, bad := range []string{"", "rt_", "rt_.", "x", grant.AccessToken, grant.RefreshToken + "A", "rt_../../user." + strings.Repeat("A", 43), strings.ToUpper(grant.RefreshToken)} {
		if _, ok := refreshes(t, p, bad); ok {
			t.Errorf("%q refreshed a session", bad)
		}
	}
	if calls := int64(p.Reads()+p.Writes()) - before; calls != 0 {
		t.Errorf("%d calls to the store for malformed tokens, want none", calls)
	}
}

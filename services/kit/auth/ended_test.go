package auth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
)

func TestWhatHasEndedChangesNothingMore(t *testing.T) {
	set := auth.EndedSet{Sessions: []string{"out"}, Users: map[string]int64{"usr_changed": 3}, Carried: []string{"on", "out"}}
	ended := auth.NewEnded(func(context.Context) (auth.EndedSet, error) { return set, nil })
	p := func(user, session string, epoch int64) auth.Principal {
		return auth.Principal{UserID: user, SessionID: session, Epoch: epoch}
	}
	assert.Equal(t, fault.Unavailable, fault.KindOf(ended.Check(p("usr_1", "in", 0))), "nothing is known yet")
	require.NoError(t, ended.Load(t.Context()))
	assert.NoError(t, ended.Check(p("usr_1", "in", 0)))
	assert.NoError(t, ended.Check(p("usr_changed", "in", 3)), "a session that began after the change")
	assert.Equal(t, fault.Unauthenticated, fault.KindOf(ended.Check(p("usr_1", "out", 0))))
	assert.Equal(t, fault.Unauthenticated, fault.KindOf(ended.Check(p("usr_changed", "in", 2))))
	assert.NoError(t, ended.Check(p("usr_changed", "on", 2)), "the session that the password was changed in")
	assert.Equal(t, fault.Unauthenticated, fault.KindOf(ended.Check(p("usr_changed", "out", 2))), "if it has not been logged out since")
}

func TestAnEndingIsKnownWithinTwoSecondsAndOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var set auth.EndedSet
		down := assert.AnError // the users service starts later
		users := func(sessions []string, err error) {
			mu.Lock()
			defer mu.Unlock()
			set, down = auth.EndedSet{Sessions: sessions}, err
		}
		ended := auth.NewEnded(func(context.Context) (auth.EndedSet, error) {
			mu.Lock()
			defer mu.Unlock()
			return set, down
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- ended.Run(ctx) }()
		time.Sleep(time.Second) // of the bubble's clock, like all below
		synctest.Wait()
		caller := auth.Principal{UserID: "usr_1", SessionID: "s"}
		assert.Equal(t, fault.Unavailable, fault.KindOf(ended.Check(caller)))
		users(nil, nil)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		assert.NoError(t, ended.Check(caller), "a process that has just started knows soon")

		users([]string{"s"}, nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Error(t, ended.Check(caller))
		users(nil, assert.AnError)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Error(t, ended.Check(caller), "what was known stays known")
		assert.NoError(t, ended.Check(auth.Principal{UserID: "usr_2", SessionID: "t"}))
		cancel()
		assert.NoError(t, <-done)
	})
}

func TestReadsLiveUntilTheTokenExpiresAndChangesDoNot(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	keys := auth.NewKeyCache(func(context.Context) (auth.JWKS, error) {
		return auth.JWKS{Keys: []auth.JWK{auth.NewJWK("k1", public)}}, nil
	}, nil)
	ended := auth.NewEnded(func(context.Context) (auth.EndedSet, error) { return auth.EndedSet{Sessions: []string{"s"}}, nil })
	require.NoError(t, ended.Load(t.Context()))
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, auth.Claims{RegisteredClaims: jwt.RegisteredClaims{
		Issuer: auth.Issuer, Audience: jwt.ClaimStrings{auth.Issuer}, Subject: "usr_1",
		ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}, Role: auth.Customer, SessionID: "s"})
	token.Header["typ"], token.Header["kid"] = auth.AccessType, "k1"
	signed, err := token.SignedString(private)
	require.NoError(t, err)

	h := auth.NewVerifier(keys, nil).Refusing(ended).Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for method, status := range map[string]int{"GET": 200, "HEAD": 200, "POST": 401, "PUT": 401, "PATCH": 401, "DELETE": 401} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, "/", nil)
		r.Header.Set("Authorization", "Bearer "+signed)
		h.ServeHTTP(w, r)
		assert.Equal(t, status, w.Code, method)
	}
}

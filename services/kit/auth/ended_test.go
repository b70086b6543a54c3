package auth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
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
	ended := auth.NewEnded(func(context.Context, string) (auth.EndedSet, error) { return set, nil })
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
		ended := auth.NewEnded(func(context.Context, string) (auth.EndedSet, error) {
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

// users answers like the users service: with a set of another version than the known one, or after
// the hold.
type users struct {
	mu    sync.Mutex
	set   auth.EndedSet
	asked int
}

func (u *users) tell(version string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.set = auth.EndedSet{Version: version, Sessions: []string{version}}
}

func (u *users) answer(ctx context.Context, known string) (auth.EndedSet, error) {
	u.mu.Lock()
	u.asked++
	u.mu.Unlock()
	for until := time.Now().Add(auth.EndedHold); ; time.Sleep(10 * time.Millisecond) {
		u.mu.Lock()
		set := u.set
		u.mu.Unlock()
		if set.Version != known || !time.Now().Before(until) {
			return set, ctx.Err()
		}
	}
}

func (u *users) questions() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked
}

func TestNobodyAsksOftenWhileNothingEndsOrMoreThanOnceASecondWhileMuchDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u users
		u.tell("first")
		ended := auth.NewEnded(u.answer)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- ended.Run(ctx) }()
		time.Sleep(time.Minute)
		assert.LessOrEqual(t, u.questions(), 13, "questions in a minute in which nothing ends")

		before := u.questions()
		for i := range 600 {
			u.tell(strconv.Itoa(i))
			time.Sleep(100 * time.Millisecond)
		}
		assert.LessOrEqual(t, u.questions()-before, 61, "questions in a minute of ten endings a second")
		time.Sleep(2 * time.Second)
		assert.Error(t, ended.Check(auth.Principal{UserID: "usr_1", SessionID: "599"}))
		cancel()
		assert.NoError(t, <-done)
	})
}

func TestAUsersServiceThatNamesNoVersionIsAskedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		ended := auth.NewEnded(func(_ context.Context, known string) (auth.EndedSet, error) {
			assert.Empty(t, known)
			asked++
			return auth.EndedSet{}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		assert.NoError(t, ended.Run(ctx))
		assert.InDelta(t, 60, asked, 1)
	})
}

func TestReadsLiveUntilTheTokenExpiresAndChangesDoNot(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	keys := auth.NewKeyCache(func(context.Context) (auth.JWKS, error) {
		return auth.JWKS{Keys: []auth.JWK{auth.NewJWK("k1", public)}}, nil
	}, nil)
	ended := auth.NewEnded(func(context.Context, string) (auth.EndedSet, error) {
		return auth.EndedSet{Sessions: []string{"s"}}, nil
	})
	require.NoError(t, ended.Load(t.Context()))
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, auth.Claims{RegisteredClaims: jwt.RegisteredClaims{
		Issuer: auth.Issuer, Audience: jwt.ClaimStrings{auth.Issuer}, Subject: "usr_1",
		ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}, Role: auth.Customer, SessionID: "s"})
	token.Header["typ"], token.Header["kid"] = auth.AccessType, "k1"
	signed, err := token.SignedString(private)
	require.NoError(t, err)

	verifier := auth.NewVerifier(keys, nil).Refusing(ended)
	for method, may := range map[string]bool{
		"GET": true, "HEAD": true, "POST": false, "PUT": false, "PATCH": false, "DELETE": false,
	} {
		r := httptest.NewRequest(method, "/", nil)
		r.Header.Set("Authorization", "Bearer "+signed)
		p, err := verifier.Authenticate(r)
		if may {
			require.NoError(t, err, method)
			assert.Equal(t, "usr_1", p.UserID)
			continue
		}
		assert.Equal(t, fault.Unauthenticated, fault.KindOf(err), method)
	}
}

// A replica of the users service that is lost without a word leaves whatever it holds unanswered.
func TestAReplicaThatIsLostBlindsNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost atomic.Bool
		set := auth.EndedSet{Version: "1"}
		ended := auth.NewEnded(func(ctx context.Context, known string) (auth.EndedSet, error) {
			if known == "" && lost.Load() {
				return auth.EndedSet{Version: "2", Sessions: []string{"s"}}, nil
			}
			if known == "" {
				return set, nil
			}
			<-ctx.Done()
			return auth.EndedSet{}, ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- ended.Run(ctx) }()
		time.Sleep(3 * time.Second)
		lost.Store(true)
		time.Sleep(6 * time.Second)
		assert.Error(t, ended.Check(auth.Principal{UserID: "usr_1", SessionID: "s"}))
		cancel()
		assert.NoError(t, <-done)
	})
}

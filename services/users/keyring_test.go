package users_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"sidecart.dev/kit/auth"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

// secretOf makes the secret with keys of the given names, the last of which is current.
func secretOf(kids ...string) string {
	type key struct {
		ID   string `json:"kid"`
		Seed string `json:"seed"`
	}
	var keys []key
	for _, kid := range kids {
		keys = append(keys, key{kid, base64.StdEncoding.EncodeToString([]byte(kid + strings.Repeat("x", 32-len(kid))))})
	}
	raw, _ := json.Marshal(map[string]any{"current": kids[len(kids)-1], "keys": keys})
	return string(raw)
}

type ring struct {
	*users.KeyRing
	secret string
}

func newRing(t *testing.T, w *userstest.World, secret string) *ring {
	r := &ring{secret: secret}
	r.KeyRing = users.NewKeyRing(func(context.Context) (string, error) { return r.secret, nil }, w.State, w.Now)
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *ring) use(t *testing.T, secret string) {
	t.Helper()
	r.secret = secret
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (r *ring) sign(t *testing.T, now time.Time) (token, kid string) {
	t.Helper()
	token, err := r.Sign(auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: auth.Issuer, Audience: jwt.ClaimStrings{auth.Issuer}, Subject: "usr_x",
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(users.AccessLife)),
		}, Role: auth.Customer,
	})
	if err != nil {
		t.Fatal(err)
	}
	parsed, _, err := jwt.NewParser().ParseUnverified(token, &auth.Claims{})
	if err != nil {
		t.Fatal(err)
	}
	return token, parsed.Header["kid"].(string)
}

// All through a rotation, with replicas that notice it at different times and a verifier that asks
// any of them as seldom as it may, every token verifies.
func TestKeysRotateWithOverlap(t *testing.T) {
	w := userstest.New(t)
	a, b := newRing(t, w, secretOf("k1")), newRing(t, w, secretOf("k1"))
	asked := 0
	verifier := auth.NewVerifier(auth.NewKeyCache(func(context.Context) (auth.JWKS, error) {
		asked++
		return []*ring{a, b}[asked%2].JWKS()
	}, w.Now), w.Now)
	check := func(when, want string, r *ring) {
		t.Helper()
		token, kid := r.sign(t, w.Now())
		if kid != want {
			t.Errorf("%s: signed with %s, want %s", when, kid, want)
		}
		if _, err := verifier.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	check("before", "k1", a)

	a.use(t, secretOf("k1", "k2"))
	check("at the replica that knows the new key", "k1", a)
	check("at the one that does not", "k1", b)
	w.Advance(30 * time.Second)
	b.use(t, secretOf("k1", "k2"))
	started := newRing(t, w, secretOf("k1", "k2"))
	check("at a replica that starts meanwhile", "k1", started)

	w.Advance(7 * time.Minute)
	_ = a.Reload(t.Context())
	check("when the new key was published for long enough", "k2", a)
	check("at a replica that has not looked yet", "k1", b)
	old, _ := b.sign(t, w.Now())
	_ = b.Reload(t.Context())
	check("at the replica that looked later", "k2", b)
	if _, err := verifier.Verify(t.Context(), old); err != nil {
		t.Errorf("a token of the old key: %v", err)
	}

	w.Advance(6 * time.Minute)
	a.use(t, secretOf("k2"))
	b.use(t, secretOf("k2"))
	check("without the old key", "k2", a)
	set, err := a.JWKS()
	if err != nil || len(set.Keys) != 1 || set.Keys[0].KeyID != "k2" {
		t.Errorf("published in the end: %+v, %v", set, err)
	}
}

func TestAReplacedKeySignsAtOnceIfThereIsNoOther(t *testing.T) {
	w := userstest.New(t)
	r := newRing(t, w, secretOf("k1"))
	r.use(t, secretOf("k2"))
	if _, kid := r.sign(t, w.Now()); kid != "k2" {
		t.Errorf("signed with %s, want k2", kid)
	}
}

func TestABadSecretChangesNothingAndIsNotQuoted(t *testing.T) {
	w := userstest.New(t)
	r := newRing(t, w, secretOf("k1"))
	for name, bad := range map[string]string{
		"not JSON": "s3cret", "no keys": `{"current":"k1"}`,
		"current is missing": strings.Replace(secretOf("k1"), `"current":"k1"`, `"current":"k9"`, 1),
		"short seed":         `{"current":"k1","keys":[{"kid":"k1","seed":"czNjcmV0"}]}`,
		"same id twice":      secretOf("k1", "k1"),
	} {
		r.secret = bad
		err := r.Reload(t.Context())
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "czNjcmV0") {
			t.Errorf("%s: the error quotes the secret: %v", name, err)
		}
	}
	if _, kid := r.sign(t, w.Now()); kid != "k1" {
		t.Errorf("signed with %s, want k1", kid)
	}
}

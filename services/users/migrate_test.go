package users_test

import (
	"testing"
	"time"

	"sidecart.dev/kit/document"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/walls"
	"sidecart.dev/users"
)

// Before ids had kinds, a registration stood in the journal with the address behind a plus, and a
// reset behind a question mark. The journal of a service that is updated holds both.
func TestIntentsOfBeforeIDsHadKindsAreSettled(t *testing.T) {
	w, p, u, _ := signedUp(t)
	w.SettleAll(p)
	w.Advance(2 * time.Minute)
	const nobody = "usr_bbbbbbbbbbbbbbbbbbbbbbbbbb"
	key := users.EmailKey("lost@example.com")
	dead := &sidecartest.Process{}
	claims := document.New[users.Claim](w.State, users.ClaimPrefix)
	if err := claims.Insert(t.Context(), key, users.Claim{UserID: nobody, ClaimedAt: w.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{nobody + "+" + key, "?" + users.EmailKey(u.Email) + "+aaaaaaaaaaaaaaaaaaaaaaaaaa", u.ID} {
		if _, err := w.Journal.Of(dead).Begin(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	w.SettleAll(p)
	if claim, err := claims.Read(t.Context(), key); err != nil || claim.Exists {
		t.Error("the address of a registration that came to nothing is not free")
	}
	if !w.Heard("notifications", users.EventResetRequested) {
		t.Error("the reset that was asked for was forgotten")
	}
}

// The wall between the domain and what only main and the adapters import.
func TestTheDomainReachesNoSidecarByItself(t *testing.T) {
	walls.Domain(t)
}

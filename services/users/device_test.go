package users_test

import (
	"strings"
	"testing"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

// A stolen device token is slowed down by its own failures, and is then worth nothing.
func TestADeviceTokenHasABucketOfItsOwn(t *testing.T) {
	w, p, _, _ := signedUp(t)
	mine, _ := enters(t, w, ada.Password, from("192.0.2.7"))
	other, _ := enters(t, w, ada.Password, from("192.0.2.8"))
	besiege(t, w, ada.Email)
	thief := at("198.51.100.1", mine.DeviceToken)
	for i := range users.PerAccount.Free + 1 {
		if _, err := p.Login(t.Context(), ada.Email, "a wrong password", thief); !fault.Is(err, fault.Unauthenticated) {
			t.Fatalf("guess %d with a stolen token: %v, want Unauthenticated", i+1, err)
		}
	}
	if _, ok := enters(t, w, ada.Password, thief); ok {
		t.Error("guesses with a stolen token are not slowed down")
	}
	if _, ok := enters(t, w, ada.Password, at("192.0.2.9", other.DeviceToken)); !ok {
		t.Error("a thief of one token keeps the owner's other device out")
	}
}

func TestADeviceTokenOfNoUseCountsAsNone(t *testing.T) {
	w, p, _, mine := signedUp(t)
	bob := ada
	bob.Email = "bob@example.com"
	if _, err := p.Register(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	bobs, err := p.Login(t.Context(), bob.Email, bob.Password, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	besiege(t, w, ada.Email)
	body, sum, _ := strings.Cut(mine.DeviceToken, ".")
	for name, token := range map[string]string{
		"another account's": bobs.DeviceToken, "a forged one": body + "." + strings.Repeat("A", len(sum)),
		"half a token":  body,
		"a changed one": body[:len(body)-2] + "AA." + sum, "nonsense": "nonsense",
		"a refresh token": mine.RefreshToken, "an empty one": "",
	} {
		if _, ok := enters(t, w, ada.Password, at("198.51.100.2", token)); ok {
			t.Errorf("%s lets its holder pass strangers' guesses", name)
		}
	}
	if _, ok := enters(t, w, ada.Password, at("198.51.100.2", mine.DeviceToken)); !ok {
		t.Error("the account's own token does not")
	}
	w.Advance(users.DeviceLife)
	besiege(t, w, ada.Email)
	if _, ok := enters(t, w, ada.Password, at("198.51.100.2", mine.DeviceToken)); ok {
		t.Error("a device token never expires")
	}
}

// What an account knows its owner by is dropped where somebody else may have had a part in it, and
// only there.
func TestWhenDevicesAndNetworksAreForgotten(t *testing.T) {
	const changed = "staple of the trade"
	reset := func(t *testing.T, p *userstest.Process, u users.User, _ users.Grant) error {
		return p.ConfirmReset(t.Context(), mint(t, p, u.ID, users.Reset), changed)
	}
	for name, test := range map[string]struct {
		event  func(t *testing.T, p *userstest.Process, u users.User, grant users.Grant) error
		before func(t *testing.T, p *userstest.Process, u users.User)
		kept   bool
	}{
		"the first proof of the address by a reset": {event: reset},
		"the first proof of the address by a link alone": {event: func(t *testing.T, p *userstest.Process, u users.User, _ users.Grant) error {
			return p.VerifyEmail(t.Context(), mint(t, p, u.ID, users.Verify), users.Known{})
		}},
		"a later reset": {event: reset, before: func(t *testing.T, p *userstest.Process, u users.User) {
			if err := p.VerifyEmail(t.Context(), mint(t, p, u.ID, users.Verify), users.Known{Password: ada.Password}); err != nil {
				t.Fatal(err)
			}
		}},
		"the end of all sessions": {event: func(t *testing.T, p *userstest.Process, _ users.User, grant users.Grant) error {
			return p.Logout(t.Context(), principal(t, p, grant), true)
		}},
		"deletion, and a new account of the address": {event: func(t *testing.T, p *userstest.Process, u users.User, _ users.Grant) error {
			if err := p.Delete(t.Context(), u.ID, nil); err != nil {
				return err
			}
			_, err := p.Register(t.Context(), ada)
			return err
		}},
		"the end of one session": {kept: true, event: func(t *testing.T, p *userstest.Process, _ users.User, grant users.Grant) error {
			return p.Logout(t.Context(), principal(t, p, grant), false)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w, p, u, _ := signedUp(t)
			if test.before != nil {
				test.before(t, p, u)
			}
			grant, _ := enters(t, w, ada.Password, from("192.0.2.7"))
			if err := test.event(t, p, u, grant); err != nil {
				t.Fatal(err)
			}
			password := ada.Password
			if strings.Contains(name, "reset") {
				password = changed
			}
			besiege(t, w, ada.Email)
			if _, ok := enters(t, w, password, from("192.0.2.7")); ok != test.kept {
				t.Errorf("the network is known: %v, want %v", ok, test.kept)
			}
			if _, ok := enters(t, w, password, at("198.51.100.3", grant.DeviceToken)); ok != test.kept {
				t.Errorf("the device is known: %v, want %v", ok, test.kept)
			}
		})
	}
}

// The store has no address of a client, and no more than one small write a day and network for
// knowing it.
func TestNetworksAreNotedOnceADayAndForgottenAfterAWhile(t *testing.T) {
	w, p, u, _ := signedUp(t)
	home := from("192.0.2.7")
	login := func() int {
		t.Helper()
		before := p.Writes()
		if _, err := p.Login(t.Context(), ada.Email, ada.Password, home); err != nil {
			t.Fatal(err)
		}
		return p.Writes() - before
	}
	first := login()
	if again := login(); again != first-1 {
		t.Errorf("%d writes of the first login from a network, %d of the next, want one less", first, again)
	}
	for range 3 {
		w.Advance(60 * 24 * time.Hour)
		login()
	}
	besiege(t, w, ada.Email)
	if _, ok := enters(t, w, ada.Password, home); !ok {
		t.Error("a network is forgotten although it is used")
	}
	w.Advance(100 * 24 * time.Hour)
	besiege(t, w, ada.Email)
	if _, ok := enters(t, w, ada.Password, home); ok {
		t.Error("a network is known for ever")
	}
	for _, key := range w.State.Keys() {
		if strings.Contains(key, "192.0.2") || strings.HasPrefix(key, "network/") && strings.Contains(key, u.ID) {
			t.Errorf("the key %s tells who logged in from where", key)
		}
	}
}

// An account that is older than device keys gets one at its next login.
func TestAnAccountWithoutADeviceKeyGetsOne(t *testing.T) {
	w, p, u, _ := signedUp(t)
	p.Wait()
	w.Change(u.ID, func(u *users.User) { u.DeviceKey = nil })
	grant, ok := enters(t, w, ada.Password, from("192.0.2.7"))
	if !ok {
		t.Fatal("nobody has guessed yet")
	}
	besiege(t, w, ada.Email)
	if _, ok := enters(t, w, ada.Password, at("198.51.100.4", grant.DeviceToken)); !ok {
		t.Error("its device is kept out")
	}
	if _, ok := enters(t, w, ada.Password, from("192.0.2.7")); !ok {
		t.Error("its network is kept out")
	}
}

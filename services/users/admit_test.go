package users_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

func from(address string) users.Client { return users.Client{Address: netip.MustParseAddr(address)} }

// stranger is somebody who guesses from as many networks as it takes.
func stranger(i int) users.Client {
	return users.Client{Address: netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})}
}

// besiege guesses at an account until strangers are refused.
func besiege(t *testing.T, w *userstest.World, email string) {
	t.Helper()
	for i := range 100 {
		if _, err := w.Process().Login(t.Context(), email, "a wrong password", stranger(i)); fault.Is(err, fault.RateLimited) {
			return
		}
	}
	t.Fatal("guesses from many addresses are never slowed down")
}

// fill makes failures on other accounts until an address is refused.
func fill(t *testing.T, w *userstest.World, c users.Client) {
	t.Helper()
	for i := range users.PerAddress.Free + 2 {
		email := fmt.Sprintf("u%d@example.com", i)
		if _, err := w.Process().Login(t.Context(), email, "a wrong password", c); fault.Is(err, fault.RateLimited) {
			return
		}
	}
	t.Fatal("failures from one address are never slowed down")
}

// enters reports whether the owner gets in, and fails the test if he is refused for anything but
// guesses.
func enters(t *testing.T, w *userstest.World, password string, c users.Client) (users.Grant, bool) {
	t.Helper()
	grant, err := w.Process().Login(t.Context(), ada.Email, password, c)
	if err != nil && !fault.Is(err, fault.RateLimited) {
		t.Errorf("the right password from %v: %v", c.Address, err)
	}
	return grant, err == nil
}

// at is a client with a device token.
func at(address, token string) users.Client {
	c := from(address)
	c.DeviceToken = token
	return c
}

// Somebody who guesses passwords is slowed down, and the owner is not: neither where he has logged
// in from before, nor on a device of his, nor in the session that he is in.
func TestAGuesserSlowsDownHimselfAndNotTheOwner(t *testing.T) {
	w, p, _, _ := signedUp(t)
	grant, ok := enters(t, w, ada.Password, from("192.0.2.7"))
	if !ok {
		t.Fatal("nobody has guessed yet")
	}
	besiege(t, w, ada.Email)
	if _, ok := enters(t, w, ada.Password, from("198.51.100.9")); ok {
		t.Error("the right password from a stranger is taken although strangers are slowed down")
	}
	if _, ok := enters(t, w, ada.Password, from("192.0.2.7")); !ok {
		t.Error("the owner is kept out of a network that he has logged in from")
	}
	if _, ok := enters(t, w, ada.Password, at("198.51.100.10", grant.DeviceToken)); !ok {
		t.Error("the owner's device is kept out on a network that it has not been on")
	}
	const changed = "staple of the trade"
	if err := p.ChangePassword(t.Context(), principal(t, p, grant), ada.Password, changed); err != nil {
		t.Errorf("the owner in his session: %v", err)
	}
	if _, ok := enters(t, w, changed, at("198.51.100.10", grant.DeviceToken)); !ok {
		t.Error("the owner's device is forgotten because the owner changed the password")
	}
	if _, ok := enters(t, w, changed, from("192.0.2.7")); !ok {
		t.Error("the owner's network is forgotten because the owner changed the password")
	}
}

// Neighbours on the owner's own network are slowed down too, and then keep out everybody there but
// known devices.
func TestNeighboursDoNotKeepAKnownDeviceOut(t *testing.T) {
	w, p, _, _ := signedUp(t)
	home := from("192.0.2.7")
	grant, _ := enters(t, w, ada.Password, home)
	besiege(t, w, ada.Email)
	for range users.PerAccount.Free + 1 {
		if _, err := p.Login(t.Context(), ada.Email, "a wrong password", home); !fault.Is(err, fault.RateLimited) {
			t.Fatalf("a neighbour's guess: %v, want RateLimited", err)
		}
	}
	if _, ok := enters(t, w, ada.Password, home); ok {
		t.Error("guesses from the owner's network are not slowed down")
	}
	if _, ok := enters(t, w, ada.Password, at("192.0.2.7", grant.DeviceToken)); !ok {
		t.Error("neighbours keep the owner's device out")
	}
	fill(t, w, home)
	if _, ok := enters(t, w, ada.Password, at("192.0.2.7", grant.DeviceToken)); !ok {
		t.Error("neighbours who guess at other accounts keep the owner's device out")
	}
}

// Whoever guesses from a network that the owner uses learns neither that it is one, nor whether
// there is an account.
func TestAGuessFromTheOwnersNetworkTellsNothing(t *testing.T) {
	type outcome struct {
		answer        string
		wait          time.Duration
		hashes, calls int64
	}
	guesses := func(email string, home users.Client) (seen []outcome) {
		w, p, _, _ := signedUp(t)
		if _, ok := enters(t, w, ada.Password, from("192.0.2.7")); !ok {
			t.Fatal("nobody has guessed yet")
		}
		besiege(t, w, email)
		for range 2 * users.PerAccount.Free {
			hashes, calls := p.Hasher.Computed(), int64(p.Reads()+p.Writes())
			_, err := p.Login(t.Context(), email, "a wrong password", home)
			f, _ := errors.AsType[*fault.Error](err)
			seen = append(seen, outcome{err.Error(), f.RetryAfter, p.Hasher.Computed() - hashes, int64(p.Reads()+p.Writes()) - calls})
		}
		return seen
	}
	known := guesses(ada.Email, from("192.0.2.7"))
	for name, other := range map[string][]outcome{
		"an account from a network that it does not know": guesses(ada.Email, from("192.0.2.8")),
		"an address without an account":                   guesses("nobody@example.com", from("192.0.2.7")),
	} {
		for i := range known {
			if known[i] != other[i] || known[i].hashes != 1 {
				t.Errorf("guess %d at an account from a known network: %+v; at %s: %+v; want the same, and one hash",
					i+1, known[i], name, other[i])
			}
		}
	}
}

// Whoever has found an open session guesses the password there no faster than at the login.
func TestGuessesInASessionSlowThatSessionDown(t *testing.T) {
	w, p, _, mine := signedUp(t)
	other := login(t, p, ada.Password)
	const wanted = "staple of the trade"
	for i := range users.PerAccount.Free + 1 {
		err := w.Process().ChangePassword(t.Context(), principal(t, p, mine), "a wrong password", wanted)
		if !fault.Is(err, fault.Unprocessable) {
			t.Fatalf("wrong current password %d: %v, want Unprocessable", i+1, err)
		}
	}
	if err := w.Process().ChangePassword(t.Context(), principal(t, p, mine), ada.Password, wanted); !fault.Is(err, fault.RateLimited) {
		t.Errorf("the next one in this session: %v, want RateLimited", err)
	}
	if err := w.Process().ChangePassword(t.Context(), principal(t, p, other), ada.Password, wanted); err != nil {
		t.Errorf("in another session: %v", err)
	}
}

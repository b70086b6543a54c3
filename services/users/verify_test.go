package users_test

import (
	"testing"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

// setUp sets what messages are sent to and about, as whoever registered an account may do.
func setUp(t *testing.T, p *userstest.Process, id string) {
	t.Helper()
	phone, on := "+4915112345678", true
	if _, err := p.UpdateProfile(t.Context(), id, users.Patch{Phone: &phone, SMSOrders: &on}, nil); err != nil {
		t.Fatal(err)
	}
}

func isSetUp(t *testing.T, p *userstest.Process, id string) bool {
	t.Helper()
	u, err := p.Profile(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	phone, orders := u.Phone != "", u.Preferences.SMS.Orders
	if phone != orders {
		t.Errorf("number %q and preferences %+v: one was taken back without the other", u.Phone, u.Preferences)
	}
	return phone
}

// proofs are the ways to prove an address, and whether they show that who does it has also
// registered it.
var proofs = map[string]struct {
	known bool
	prove func(t *testing.T, p *userstest.Process, id string, grant users.Grant) error
}{
	"the mailed link": {false, func(t *testing.T, p *userstest.Process, id string, _ users.Grant) error {
		return p.VerifyEmail(t.Context(), mint(t, p, id, users.Verify), users.Known{})
	}},
	"the mailed link and a session": {true, func(t *testing.T, p *userstest.Process, id string, grant users.Grant) error {
		who := principal(t, p, grant)
		return p.VerifyEmail(t.Context(), mint(t, p, id, users.Verify), users.Known{Session: &who})
	}},
	"the mailed link and the password": {true, func(t *testing.T, p *userstest.Process, id string, _ users.Grant) error {
		return p.VerifyEmail(t.Context(), mint(t, p, id, users.Verify), users.Known{Password: ada.Password})
	}},
	"a reset": {false, func(t *testing.T, p *userstest.Process, id string, _ users.Grant) error {
		return p.ConfirmReset(t.Context(), mint(t, p, id, users.Reset), "staple of the trade")
	}},
}

func TestTheFirstProofOfAnAddressEndsWhatWasSetBeforeUnlessItIsTheRegistrants(t *testing.T) {
	for name, proof := range proofs {
		t.Run(name, func(t *testing.T) {
			_, p, u, grant := signedUp(t)
			setUp(t, p, u.ID)
			if err := proof.prove(t, p, u.ID, grant); err != nil {
				t.Fatal(err)
			}
			if kept := isSetUp(t, p, u.ID); kept != proof.known {
				t.Errorf("number and preferences kept: %v, want %v", kept, proof.known)
			}
			if _, goesOn := refreshes(t, p, grant.RefreshToken); goesOn != proof.known {
				t.Errorf("the session goes on: %v, want %v", goesOn, proof.known)
			}
			if after, err := p.Profile(t.Context(), u.ID); err != nil || !after.EmailVerified {
				t.Errorf("the address is not verified: %+v, %v", after, err)
			}
		})
	}
}

// Whoever set the password knows the account from then on: his reset of it takes nothing back.
// Until then each does.
func TestAResetTakesBackWhatAStrangerSetAfterTheFirstProof(t *testing.T) {
	for name, proof := range proofs {
		t.Run(name, func(t *testing.T) {
			_, p, u, grant := signedUp(t)
			if err := proof.prove(t, p, u.ID, grant); err != nil {
				t.Fatal(err)
			}
			setUp(t, p, u.ID) // the password of the registration goes on after a link alone
			if err := p.ConfirmReset(t.Context(), mint(t, p, u.ID, users.Reset), "a third password"); err != nil {
				t.Fatal(err)
			}
			if kept, want := isSetUp(t, p, u.ID), name != "the mailed link"; kept != want {
				t.Errorf("kept after a later reset: %v, want %v", kept, want)
			}
		})
	}
}

func TestWhatIsShownBesideALinkAndDoesNotFitLeavesEverythingAsItIs(t *testing.T) {
	_, p, u, grant := signedUp(t)
	setUp(t, p, u.ID)
	bob := ada
	bob.Email = "bob@example.com"
	if _, err := p.Register(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	bobs, err := p.Login(t.Context(), bob.Email, bob.Password, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	out := login(t, p, ada.Password)
	ended := principal(t, p, out)
	if err := p.Logout(t.Context(), ended, false); err != nil {
		t.Fatal(err)
	}
	other := principal(t, p, bobs)
	token := mint(t, p, u.ID, users.Verify)
	for name, c := range map[string]struct {
		shown users.Known
		want  fault.Kind
	}{
		"another account's session":                    {users.Known{Session: &other}, fault.Forbidden},
		"a session that has ended":                     {users.Known{Session: &ended}, fault.Unauthenticated},
		"a wrong password":                             {users.Known{Password: "not the password"}, fault.Unprocessable},
		"a wrong password and another account's login": {users.Known{Password: "not the password", Session: &other}, fault.Unprocessable},
	} {
		if err := p.VerifyEmail(t.Context(), token, c.shown); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, ok := refreshes(t, p, grant.RefreshToken); !ok || !isSetUp(t, p, u.ID) {
		t.Error("a refused proof ended something")
	}
	if err := p.VerifyEmail(t.Context(), token, users.Known{Password: ada.Password, Session: &other}); err != nil {
		t.Errorf("the link and the password: %v; the token should have stayed good", err)
	}
	if !isSetUp(t, p, u.ID) {
		t.Error("with the password everything should stay")
	}
}

// The link is no way round the slowing down of the login, and strangers without it cannot fill its
// count.
func TestWrongPasswordsBesideALinkSlowFurtherOnesDown(t *testing.T) {
	w, p, u, _ := signedUp(t)
	token := mint(t, p, u.ID, users.Verify)
	replicas := []*userstest.Process{p, w.Process()}
	try := func(i int, token, password string) error {
		return replicas[i%2].VerifyEmail(t.Context(), token, users.Known{Password: password})
	}
	for i := range 2 * users.PerAccount.Free {
		if err := try(i, token[:27]+"aaaa", "a guess"); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("a guess without the link: %v", err)
		}
	}
	for i := range users.PerAccount.Free + 1 {
		if err := try(i, token, "a guess"); !fault.Is(err, fault.Unprocessable) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if err := try(0, token, ada.Password); !fault.Is(err, fault.RateLimited) {
		t.Errorf("one guess too many: %v, want RateLimited", err)
	}
	if _, err := p.Login(t.Context(), ada.Email, ada.Password, nowhere); err != nil {
		t.Errorf("the login waits for guesses made with the link: %v", err)
	}
	w.Advance(users.PerAccount.Max)
	if err := try(1, token, ada.Password); err != nil {
		t.Errorf("after waiting: %v", err)
	}
}

// A process that dies between the proof and the note of what it ended leaves that to the settler.
func TestAProofWhoseEndingsWereNotNotedIsNotedByTheSettler(t *testing.T) {
	n := callOf(t, "get "+users.EndedPrefix, func(t *testing.T, w *userstest.World, p *userstest.Process) {
		other := w.Process()
		registers(t, w, other)
		id := w.Live()[0].ID
		w.SettleAll(other)
		if err := p.VerifyEmail(t.Context(), mint(t, other, id, users.Verify), users.Known{}); err != nil {
			t.Fatal(err)
		}
	})
	w, p, u, grant := signedUp(t)
	w.SettleAll(p)
	who, token := principal(t, p, grant), mint(t, p, u.ID, users.Verify)
	dead := w.ProcessOf(sidecartest.DiesAt(n, false))
	_ = dead.VerifyEmail(t.Context(), token, users.Known{})
	dead.Wait()
	if after, err := p.Profile(t.Context(), u.ID); err != nil || !after.EmailVerified {
		t.Fatalf("the process died too early: %+v, %v", after, err)
	}
	if judge(t, p, who) != nil {
		t.Fatal("the process died too late for this test")
	}
	w.SettleAll(w.Process())
	if judge(t, p, who) == nil {
		t.Error("the settler did not note that the sessions have ended")
	}
}

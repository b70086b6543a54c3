package users_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

func mint(t *testing.T, p *userstest.Process, id string, kind users.TokenKind) string {
	t.Helper()
	m, err := p.MintToken(t.Context(), id, kind)
	if err != nil {
		t.Fatal(err)
	}
	return m.Token
}

func TestVerifyingSpendsTheToken(t *testing.T) {
	w, p, u, _ := signedUp(t)
	token := mint(t, p, u.ID, users.Verify)
	again := mint(t, p, u.ID, users.Verify) // a mail may be sent twice: both links work
	if err := p.VerifyEmail(t.Context(), token, users.Known{}); err != nil {
		t.Fatal(err)
	}
	if after, err := w.Process().Profile(t.Context(), u.ID); err != nil || !after.EmailVerified || after.Version != u.Version+1 {
		t.Errorf("after verifying: %+v, %v", after, err)
	}
	for _, spent := range []string{token, again} {
		if err := p.VerifyEmail(t.Context(), spent, users.Known{}); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("a second use: %v, want Unprocessable", err)
		}
	}
	if _, err := p.MintToken(t.Context(), u.ID, users.Verify); !fault.Is(err, fault.NotFound) {
		t.Errorf("a token for a verified address: %v, want NotFound", err)
	}
}

func TestTokensAreForOneKindOneAccountAndSomeTime(t *testing.T) {
	w, p, u, _ := signedUp(t)
	bob := ada
	bob.Email = "bob@example.com"
	other, err := p.Register(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	verify, reset := mint(t, p, u.ID, users.Verify), mint(t, p, u.ID, users.Reset)
	_, secret, _ := strings.Cut(verify, ".")
	for name, bad := range map[string]string{
		"a reset token": reset, "another account's": strings.TrimPrefix(other.ID, "usr_") + "." + secret,
		"nonsense":                  "xxxxxxxxxxxxxxxxxxxx",
		"an account that never was": strings.Repeat("b", 26) + "." + secret,
		"no secret":                 strings.TrimPrefix(u.ID, "usr_") + ".",
	} {
		if err := p.VerifyEmail(t.Context(), bad, users.Known{}); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("verifying with %s: %v, want Unprocessable", name, err)
		}
	}
	if err := p.ConfirmReset(t.Context(), verify, "staple of the trade"); !fault.Is(err, fault.Unprocessable) {
		t.Errorf("resetting with a verification token: %v, want Unprocessable", err)
	}
	w.Advance(time.Hour)
	if err := p.ConfirmReset(t.Context(), reset, "staple of the trade"); !fault.Is(err, fault.Unprocessable) {
		t.Errorf("resetting after an hour: %v, want Unprocessable", err)
	}
	w.Advance(22 * time.Hour)
	if err := p.VerifyEmail(t.Context(), verify, users.Known{}); err != nil {
		t.Errorf("verifying after 23 hours: %v", err)
	}
}

func TestResettingEndsEverySessionAndWorksOnce(t *testing.T) {
	w, p, u, grant := signedUp(t)
	token := mint(t, p, u.ID, users.Reset)
	var done atomic.Int64
	var wg sync.WaitGroup
	for range 6 {
		replica := w.Process()
		wg.Go(func() {
			err := replica.ConfirmReset(t.Context(), token, "staple of the trade")
			if err == nil {
				done.Add(1)
			} else if !fault.Is(err, fault.Unprocessable) {
				t.Errorf("a reset failed with %v, want Unprocessable", err)
			}
		})
	}
	wg.Wait()
	if done.Load() != 1 {
		t.Errorf("%d of 6 concurrent uses of one token succeeded, want 1", done.Load())
	}
	if _, ok := refreshes(t, p, grant.RefreshToken); ok {
		t.Error("a session survived the reset")
	}
	login(t, p, "staple of the trade")
	if after, _ := p.Profile(t.Context(), u.ID); !after.EmailVerified {
		t.Error("who used the mailed link has not proved to own the address")
	}
}

// The request does the same for every address before it is answered, and is carried out although
// the process dies right after.
func TestAskingForAResetTellsNothingAndIsDurable(t *testing.T) {
	w, p, u, _ := signedUp(t)
	w.SettleAll(p)
	for _, email := range []string{"ada@example.com", "nobody@example.com"} {
		dead := w.ProcessOf(sidecartest.DiesAt(2, false)) // after its intent: whatever else it calls comes after the answer
		if err := dead.AskReset(t.Context(), email); err != nil {
			t.Errorf("asking for %s: %v, want success", email, err)
		}
		dead.Wait()
	}
	w.Advance(time.Minute)
	w.SettleAll(p)
	var asked int
	for _, m := range w.Bus.All("users") {
		if strings.Contains(string(m.Body), users.EventResetRequested) {
			asked++
			if !strings.Contains(string(m.Body), u.ID) {
				t.Errorf("a reset of %s", m.Body)
			}
		}
	}
	if asked == 0 {
		t.Error("no reset was requested although one was acknowledged")
	}
}

func TestMailsOfOneKindAreNotSentInAQuickRow(t *testing.T) {
	w, p, u, _ := signedUp(t)
	w.SettleAll(p)
	told := func(eventType string) (n int) {
		w.SettleAll(p)
		ids := map[string]bool{}
		for _, m := range w.Bus.All("users") {
			if strings.Contains(string(m.Body), eventType) {
				ids[string(m.Body[:strings.Index(string(m.Body), `"source"`)])] = true
			}
		}
		return len(ids)
	}
	for range 5 {
		_ = p.AskReset(t.Context(), ada.Email)
		_ = p.AskVerification(t.Context(), u.ID)
	}
	if n := told(users.EventResetRequested); n != 1 {
		t.Errorf("%d reset mails in a row, want 1", n)
	}
	if n := told(users.EventVerifyRequested); n != 0 {
		t.Errorf("%d verification mails right after the one of the registration, want none", n)
	}
	w.Advance(2 * time.Minute)
	_ = p.AskVerification(t.Context(), u.ID)
	if n := told(users.EventVerifyRequested); n != 1 {
		t.Errorf("%d verification mails after a while, want 1", n)
	}
}

package users_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

// withNumber is an account with a number that is not confirmed.
func withNumber(t *testing.T) (*userstest.World, *userstest.Process, users.User, auth.Principal) {
	t.Helper()
	w, p, u, grant := signedUp(t)
	setUp(t, p, u.ID)
	return w, p, u, principal(t, p, grant)
}

func confirmed(t *testing.T, p *userstest.Process, id string) bool {
	t.Helper()
	u, err := p.Profile(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u.PhoneVerified
}

func setNumber(t *testing.T, p *userstest.Process, id, number string) {
	t.Helper()
	if _, err := p.UpdateProfile(t.Context(), id, users.Patch{Phone: &number}, nil); err != nil {
		t.Fatal(err)
	}
}

func wrong(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

func TestACodeConfirmsItsNumberOnceAndInTime(t *testing.T) {
	w, p, u, who := withNumber(t)
	m, err := p.MintToken(t.Context(), u.ID, users.Phone)
	if err != nil || m.Phone != "+4915112345678" || len(m.Token) != 6 || m.Expires.Sub(w.Now()) != 10*time.Minute {
		t.Fatalf("minted %+v, %v", m, err)
	}
	w.Advance(10 * time.Minute)
	if err := p.ConfirmPhone(t.Context(), who, m.Token); !fault.Is(err, fault.Unprocessable) {
		t.Errorf("a code after ten minutes: %v", err)
	}
	code := mint(t, p, u.ID, users.Phone)
	if err := w.Process().ConfirmPhone(t.Context(), who, code); err != nil || !confirmed(t, p, u.ID) {
		t.Errorf("the code: %v, confirmed %v", err, confirmed(t, p, u.ID))
	}
	if err := p.ConfirmPhone(t.Context(), who, wrong(code)); err != nil {
		t.Errorf("a confirmed number, asked again: %v", err)
	}
	if _, err := p.MintToken(t.Context(), u.ID, users.Phone); !fault.Is(err, fault.NotFound) {
		t.Errorf("a code for a confirmed number: %v, want none", err)
	}
}

func TestACodeIsForOneAccountAndOneNumber(t *testing.T) {
	_, p, u, who := withNumber(t)
	bob := ada
	bob.Email = "bob@example.com"
	number := "+4915112345678"
	bob.Phone = &number
	other, err := p.Register(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	for name, code := range map[string]func() string{
		"another account's code for the same number": func() string { return mint(t, p, other.ID, users.Phone) },
		"a code for the number before": func() string {
			code := mint(t, p, u.ID, users.Phone)
			setNumber(t, p, u.ID, "+4915100000003")
			return code
		},
		"a code for the number before, after changing back": func() string {
			code := mint(t, p, u.ID, users.Phone)
			setNumber(t, p, u.ID, "+4915100000001")
			setNumber(t, p, u.ID, "+4915100000000")
			return code
		},
	} {
		if err := p.ConfirmPhone(t.Context(), who, code()); !fault.Is(err, fault.Unprocessable) || confirmed(t, p, u.ID) {
			t.Errorf("%s: %v", name, err)
		}
	}
	setNumber(t, p, u.ID, "+4915100000000")
	if err := p.ConfirmPhone(t.Context(), who, mint(t, p, u.ID, users.Phone)); err != nil {
		t.Fatal(err)
	}
	setNumber(t, p, u.ID, "+4915100000000")
	if !confirmed(t, p, u.ID) {
		t.Error("setting the number that is there already made it unconfirmed")
	}
	setNumber(t, p, u.ID, "+4915100000002")
	if confirmed(t, p, u.ID) {
		t.Error("a new number is confirmed")
	}
	setNumber(t, p, u.ID, "")
	if err := p.ConfirmPhone(t.Context(), who, "123456"); !fault.Is(err, fault.Unprocessable) {
		t.Errorf("a code without a number: %v", err)
	}
	if err := p.AskPhoneCode(t.Context(), u.ID); !fault.Is(err, fault.Unprocessable) {
		t.Errorf("asking for a code without a number: %v", err)
	}
}

func TestAFewWrongCodesMakeACodeVoid(t *testing.T) {
	w, p, u, who := withNumber(t)
	code := mint(t, p, u.ID, users.Phone)
	later := mint(t, p, u.ID, users.Phone)
	for i := range 5 {
		if err := p.ConfirmPhone(t.Context(), who, wrong(code)); !fault.Is(err, fault.Unprocessable) {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	w.Advance(time.Minute)
	for _, c := range []string{code, later} {
		if err := p.ConfirmPhone(t.Context(), who, c); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("a code that was guessed at five times: %v, want it void", err)
		}
		w.Advance(time.Minute)
	}
	if err := p.ConfirmPhone(t.Context(), who, mint(t, p, u.ID, users.Phone)); err != nil {
		t.Errorf("a new code: %v", err)
	}
}

// Guesses count before they are judged: making them at the same moment, on several replicas, gains
// nothing.
func TestGuessingInParallelGainsNothing(t *testing.T) {
	w, p, u, who := withNumber(t)
	code := mint(t, p, u.ID, users.Phone)
	replicas := []*userstest.Process{p, w.Process(), w.Process()}
	var judged atomic.Int64
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			guess := fmt.Sprintf("%06d", i)
			if guess == code {
				return
			}
			if err := replicas[i%3].ConfirmPhone(t.Context(), who, guess); fault.Is(err, fault.Unprocessable) {
				judged.Add(1)
			}
		})
	}
	all.Wait()
	if n := judged.Load(); n > int64(users.PerAccount.Free)+1 {
		t.Errorf("%d guesses were judged at once, want %d at most", n, users.PerAccount.Free+1)
	}
}

func TestWhoSetsANumberIsSentACodeAndNotSoonAgain(t *testing.T) {
	w := userstest.New(t)
	p := w.Process()
	asked := func() (n int) {
		w.SettleAll(p)
		ids := map[string]bool{}
		for _, m := range w.Bus.All("users") {
			if body := string(m.Body); strings.Contains(body, users.EventPhoneRequested) {
				id, _, _ := strings.Cut(body, `"source"`)
				ids[id] = true
				if strings.Contains(body, "+49") {
					t.Errorf("an event has a number: %s", body)
				}
			}
		}
		return len(ids)
	}
	draft := ada
	number := "+4915112345678"
	draft.Phone = &number
	u, err := p.Register(t.Context(), draft)
	if err != nil {
		t.Fatal(err)
	}
	if n := asked(); n != 1 {
		t.Errorf("%d codes at the registration, want 1", n)
	}
	for i := range 5 {
		setNumber(t, p, u.ID, fmt.Sprintf("+491511234560%d", i))
		if err := p.AskPhoneCode(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := asked(); n != 1 {
		t.Errorf("%d codes within a minute, to numbers of all sorts; want 1", n)
	}
	w.Advance(2 * time.Minute)
	setNumber(t, p, u.ID, "+4915112345699")
	if n := asked(); n != 2 {
		t.Errorf("%d codes after a new number, want 2", n)
	}
	w.Advance(2 * time.Minute)
	if err := p.AskPhoneCode(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	if n := asked(); n != 3 {
		t.Errorf("%d codes after asking once more, want 3", n)
	}
}

// The store has no code that could be read from it.
func TestACodeIsNotStored(t *testing.T) {
	w, p, u, _ := withNumber(t)
	code := mint(t, p, u.ID, users.Phone)
	for _, key := range w.State.Keys() {
		item, err := w.State.Get(t.Context(), key)
		if err == nil && strings.Contains(string(item.Value), `"`+code+`"`) {
			t.Errorf("%s has the code", key)
		}
	}
}

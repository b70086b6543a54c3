package users_test

import (
	"strings"
	"sync"
	"testing"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/users"
	"sidecart.dev/users/internal/userstest"
)

func TestTheFirstOperatorIsMadeOnceByAnyNumberOfReplicas(t *testing.T) {
	w := userstest.New(t)
	var wg sync.WaitGroup
	for range 4 {
		p := w.Process()
		wg.Go(func() {
			if err := p.EnsureOperator(t.Context(), "operator@sidecart.local", "a first password"); err != nil {
				t.Errorf("ensuring the operator: %v", err)
			}
		})
	}
	wg.Wait()
	p := w.Process()
	w.SettleAll(p)
	accounts := w.Live()
	if len(accounts) != 1 || accounts[0].Role != auth.Operator {
		t.Fatalf("accounts %+v, want one operator", accounts)
	}
	version := accounts[0].Version
	if err := p.EnsureOperator(t.Context(), "operator@sidecart.local", "a first password"); err != nil || w.Live()[0].Version != version {
		t.Errorf("ensuring again: %v, version %d; want nothing to change", err, w.Live()[0].Version)
	}
	if err := p.EnsureOperator(t.Context(), "operator@sidecart.local", "a second password"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Login(t.Context(), "operator@sidecart.local", "a first password", nowhere); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("the old password: %v, want it refused", err)
	}
	grant, err := p.Login(t.Context(), "operator@sidecart.local", "a second password", nowhere)
	if err != nil || principal(t, p, grant).Role != auth.Operator {
		t.Errorf("the new password: %v", err)
	}
}

func TestWhoeverRegisteredTheOperatorsAddressFirstKeepsNoPartOfIt(t *testing.T) {
	w, p, u, grant := signedUp(t)
	setUp(t, p, u.ID)
	who := principal(t, p, grant)
	if err := p.EnsureOperator(t.Context(), ada.Email, ada.Password); err != nil {
		t.Fatal(err)
	}
	if after := w.Live()[0]; after.Role != auth.Operator || after.Phone != "" || after.Preferences != users.DefaultPreferences() {
		t.Errorf("the operator's account has the stranger's settings: %+v", after)
	}
	if _, ok := refreshes(t, p, grant.RefreshToken); ok || judge(t, p, who) == nil {
		t.Error("the stranger's session goes on in the operator's account")
	}
}

func TestABadOperatorSecretIsNotQuoted(t *testing.T) {
	err := userstest.New(t).Process().EnsureOperator(t.Context(), "operator@sidecart.local", "s3cret")
	if err == nil || fault.KindOf(err) != fault.Internal {
		t.Fatalf("got %v, want a failure that is not tried again", err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error quotes the secret: %v", err)
	}
}

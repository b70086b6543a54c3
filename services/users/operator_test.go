package users_test

import (
	"strings"
	"sync"
	"testing"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
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

func TestABadOperatorSecretIsNotQuoted(t *testing.T) {
	err := userstest.New(t).Process().EnsureOperator(t.Context(), "operator@sidecart.local", "s3cret")
	if err == nil || fault.KindOf(err) != fault.Internal {
		t.Fatalf("got %v, want a failure that is not tried again", err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error quotes the secret: %v", err)
	}
}

package secrets_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"sidecart.dev/local/secrets"
)

func TestSecretsAreMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	first, err := secrets.Ensure(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := secrets.Ensure(path)
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Error("the second start has other secrets than the first")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %o, want 600", info.Mode().Perm())
	}
	if first.OperatorEmail != secrets.OperatorEmail || len(first.OperatorPassword) < 20 {
		t.Errorf("the operator is %q with a password of %d characters", first.OperatorEmail, len(first.OperatorPassword))
	}
	if key, err := base64.StdEncoding.DecodeString(first.ServiceKey); err != nil || len(key) != 32 {
		t.Errorf("the service key has %d bytes (%v), want 32", len(key), err)
	}
	var signing struct {
		Current string
		Keys    []struct{ Kid, Seed string }
	}
	if err := json.Unmarshal([]byte(first.TokenSigningKeys), &signing); err != nil {
		t.Fatal(err)
	}
	if len(signing.Keys) != 1 || signing.Keys[0].Kid != signing.Current || signing.Current == "" {
		t.Errorf("the current key %q is not among %v", signing.Current, signing.Keys)
	}
	if seed, err := base64.StdEncoding.DecodeString(signing.Keys[0].Seed); err != nil || len(seed) != 32 {
		t.Errorf("the seed has %d bytes (%v), want 32", len(seed), err)
	}
}

func TestWhatSomeoneWroteIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.WriteFile(path, []byte(`{"operator-password":"mine","other":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := secrets.Ensure(path)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	var all map[string]string
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if made.OperatorPassword != "mine" || all["other"] != "x" || all["service-key"] == "" {
		t.Errorf("the file is %v, want what was there and what was missing", all)
	}
}

func TestABrokenFileIsNotOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.Ensure(path); err == nil {
		t.Error("there is no error")
	}
	if text, _ := os.ReadFile(path); string(text) != "{" {
		t.Errorf("the file is now %q", text)
	}
}

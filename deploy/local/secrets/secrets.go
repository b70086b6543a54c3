// Package secrets makes the secrets of a local stack: random, kept in one file
// that only its owner can read, and the same at the next start.
package secrets

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// OperatorEmail is the account of the first operator of a local stack.
const OperatorEmail = "operator@sidecart.local"

// Secrets is the content of the file, read by Dapr's local.file secret store:
// flat keys, all values strings.
type Secrets struct {
	// TokenSigningKeys is a JSON document: the Ed25519 seeds that sign access
	// tokens, and which of them is current.
	TokenSigningKeys string `json:"token-signing-keys"`
	// ServiceKey is 32 bytes in base64: the key of service-to-service tokens.
	ServiceKey       string `json:"service-key"`
	OperatorEmail    string `json:"operator-email"`
	OperatorPassword string `json:"operator-password"`
}

// Ensure returns the secrets in the file and makes those that are missing. Keys
// of others in the file are kept.
func Ensure(path string) (Secrets, error) {
	all := map[string]string{}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return Secrets{}, err
	default:
		if err := json.Unmarshal(text, &all); err != nil {
			return Secrets{}, fmt.Errorf("%s is not a JSON object of strings: %w", path, err)
		}
	}
	made := complete(all)
	if made {
		if err := write(path, all); err != nil {
			return Secrets{}, err
		}
	}
	return Secrets{
		all["token-signing-keys"], all["service-key"], all["operator-email"], all["operator-password"],
	}, nil
}

// complete fills in what is missing and tells whether anything was.
func complete(all map[string]string) bool {
	makers := map[string]func() string{
		"token-signing-keys": signingKeys,
		"service-key":        func() string { return base64.StdEncoding.EncodeToString(random(32)) },
		"operator-email":     func() string { return OperatorEmail },
		"operator-password":  func() string { return strings.ToLower(rand.Text()) },
	}
	made := false
	for key, value := range makers {
		if all[key] == "" {
			all[key], made = value(), true
		}
	}
	return made
}

func signingKeys() string {
	type key struct {
		ID   string `json:"kid"`
		Seed string `json:"seed"`
	}
	id := strings.ToLower(rand.Text()[:12])
	text, _ := json.Marshal(struct {
		Current string `json:"current"`
		Keys    []key  `json:"keys"`
	}{id, []key{{id, base64.StdEncoding.EncodeToString(random(32))}}})
	return string(text)
}

// Token is a random token of 128 bits or more, fit for a header.
func Token() string { return rand.Text() }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// write replaces the file as a whole, so that a reader never sees half of it.
func write(path string, all map[string]string) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	fresh, err := os.CreateTemp(filepath.Dir(path), ".secrets-*")
	if err != nil {
		return err
	}
	defer os.Remove(fresh.Name())
	_, err = fresh.Write(append(text, '\n')) // CreateTemp's mode is 0600
	if err = errors.Join(err, fresh.Close()); err != nil {
		return err
	}
	return os.Rename(fresh.Name(), path)
}

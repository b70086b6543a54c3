package backends_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sidecart.dev/local/backends"
)

// backendsPatience is how long a server may take to notice a change of its configuration.
const backendsPatience = 2 * time.Minute

func start(t *testing.T) *backends.Backends {
	t.Helper()
	b, err := backends.Start(t.Context(), backends.Config{})
	if backends.IsMissing(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(b.Dir); !os.IsNotExist(err) {
			t.Errorf("the temporary folder is still there: %v", err)
		}
	})
	return b
}

// query runs psql, where there is one.
func query(t *testing.T, url, sql string) (string, error) {
	t.Helper()
	psql, err := exec.LookPath("psql")
	if err != nil {
		if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/psql"); len(found) > 0 {
			psql = found[len(found)-1]
		} else {
			t.Skip("there is no psql here")
		}
	}
	out, err := exec.CommandContext(t.Context(), psql, "-X", "-A", "-t", "-c", sql, url).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return text, nil
}

func TestEachLoginReadsItsOwnDatabaseOnly(t *testing.T) {
	b := start(t)
	for _, service := range backends.Databases {
		url := b.PostgreSQL.URL(service)
		if got, err := query(t, url, "create table t as select 7 as n; select n from t"); err != nil || !strings.HasSuffix(got, "7") {
			t.Errorf("%s in its own database: %q, %v", service, got, err)
		}
		for _, other := range backends.Databases {
			if other == service {
				continue
			}
			if _, err := query(t, strings.Replace(url, "/"+service+"?", "/"+other+"?", 1), "select 1"); err == nil {
				t.Errorf("the login of %s gets into the database of %s", service, other)
			}
		}
		if _, err := query(t, strings.Replace(url, "/"+service+"?", "/postgres?", 1), "select 1"); err == nil {
			t.Errorf("the login of %s gets into the database postgres", service)
		}
	}
	if _, err := query(t, b.PostgreSQL.URLWith("users", "wrong"), "select 1"); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := query(t, strings.Replace(b.PostgreSQL.URL("users"), "sslmode=verify-full", "sslmode=disable", 1), "select 1"); err == nil {
		t.Error("PostgreSQL takes connections without TLS")
	}
}

func TestReadOnlyStopsWritesUntilItIsOff(t *testing.T) {
	b := start(t)
	url := b.PostgreSQL.URL("users")
	for _, on := range []bool{true, false} {
		if err := b.PostgreSQL.ReadOnly(on); err != nil {
			t.Fatal(err)
		}
		want := map[bool]string{true: "on", false: "off"}[on]
		ctx, cancel := context.WithTimeout(t.Context(), backendsPatience)
		defer cancel()
		for got := ""; got != want && ctx.Err() == nil; {
			got, _ = query(t, url, "show default_transaction_read_only")
		}
		if _, err := query(t, url, "create table if not exists r (n int)"); (err != nil) != on {
			t.Errorf("read-only %v: a write ends with %v", on, err)
		}
	}
}

func TestAPasswordIsChangedAndGivenBack(t *testing.T) {
	b := start(t)
	url := b.PostgreSQL.URL("users")
	if _, err := query(t, url, "select 1"); err != nil {
		t.Fatal(err)
	}
	if err := b.PostgreSQL.ChangePassword(t.Context(), "users", "it's new"); err != nil {
		t.Fatal(err)
	}
	if _, err := query(t, url, "select 1"); err == nil {
		t.Error("the old password is still taken")
	}
	if _, err := query(t, b.PostgreSQL.URLWith("users", "it's new"), "select 1"); err != nil {
		t.Errorf("the new password is not taken: %v", err)
	}
	if err := b.PostgreSQL.ChangePassword(t.Context(), "users", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := query(t, url, "select 1"); err != nil {
		t.Errorf("the old password is not taken again: %v", err)
	}
}

func TestDataOutlivesARestart(t *testing.T) {
	b := start(t)
	url := b.PostgreSQL.URL("orders")
	if _, err := query(t, url, "create table t as select 7 as n"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Redis.Do(t.Context(), "SET", "k", "v"); err != nil {
		t.Fatal(err)
	}
	b.PostgreSQL.Kill()
	b.Redis.Stop()
	if err := b.PostgreSQL.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Redis.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := query(t, url, "select n from t"); err != nil || got != "7" {
		t.Errorf("PostgreSQL has %q, %v", got, err)
	}
	if got, err := b.Redis.Do(t.Context(), "GET", "k"); err != nil || got != "v" {
		t.Errorf("Redis has %q, %v", got, err)
	}
}

func TestRedisAsksForItsPasswordAndSpeaksTLSOnly(t *testing.T) {
	b := start(t)
	ca, err := os.ReadFile(b.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	conn, err := tls.Dial("tcp", b.Redis.Addr(), &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "*1\r\n$4\r\nPING\r\n")
	answer := make([]byte, 64)
	if n, _ := conn.Read(answer); !strings.HasPrefix(string(answer[:n]), "-NOAUTH") {
		t.Errorf("without a password Redis answers %q", answer[:n])
	}
}

func TestTheEnvironmentFileIsPrivateAndComplete(t *testing.T) {
	b := start(t)
	path := filepath.Join(t.TempDir(), "env")
	if err := b.WriteEnv(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode: %v, %v", info.Mode(), err)
	}
	text, _ := os.ReadFile(path)
	for key, value := range b.Env() {
		if !strings.Contains(string(text), key+"="+value+"\n") {
			t.Errorf("%s is missing", key)
		}
	}
}

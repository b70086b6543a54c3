// Command demosecrets writes the Secrets of a demo overlay, demo unless demo-mongodb is named, to
// standard output, as a JSON list for kubectl create: every value made at random, none kept
// anywhere else. ../README.md lists the same Secrets for those who bring their own.
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sidecart.dev/local/backends"
	"sidecart.dev/local/secrets"
)

func main() {
	if err := run(len(os.Args) > 1 && os.Args[1] == "demo-mongodb"); err != nil {
		fmt.Fprintln(os.Stderr, "demosecrets:", err)
		os.Exit(1)
	}
}

func run(ordersOnMongoDB bool) error {
	own, err := random()
	if err != nil {
		return err
	}
	ca, certificate, key, err := backends.Certificates("postgresql", "redis", "mongodb")
	if err != nil {
		return err
	}
	bus := password()
	all := []secret{
		named("trust", values{"ca.crt": ca}),
		named("store-tls", values{"ca.crt": ca, "tls.crt": certificate, "tls.key": key}),
		named("redis", values{"password": bus}),
		named("metrics-token", values{"token": secrets.Token()}),
	}
	var init strings.Builder
	for _, app := range []string{"gateway", "users", "orders", "payments", "notifications"} {
		all = append(all,
			named(app+"-api-token", values{"token": secrets.Token()}),
			named(app+"-app-token", values{"token": secrets.Token()}))
		if app == "gateway" {
			continue
		}
		login := password()
		url := fmt.Sprintf("postgres://%[1]s:%[2]s@postgresql:5432/%[1]s?sslmode=verify-full", app, login)
		if app == "orders" && ordersOnMongoDB {
			url = fmt.Sprintf("mongodb://%[1]s:%[2]s@mongodb:27017/?replicaSet=rs0&tls=true"+
				"&authSource=%[1]s&serverSelectionTimeoutMS=2000", app, login)
			all = append(all, mongodb(app, login))
		} else {
			init.WriteString(database(app, login))
		}
		file, err := secretsFile(app, own)
		if err != nil {
			return err
		}
		sidecar := values{
			"store-url":    url,
			"bus-password": bus,
			"secrets.json": file,
		}
		if app == "notifications" {
			sidecar["smtp-user"], sidecar["smtp-password"] = "sidecart", password()
			sidecar["sms-authorization"] = "Bearer " + password()
		}
		all = append(all, named(app+"-sidecar", sidecar))
	}
	init.WriteString("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;\n")
	postgresql := values{"admin-password": password(), "init.sql": init.String()}
	all = append(all, named("postgresql", postgresql))
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(map[string]any{"apiVersion": "v1", "kind": "List", "items": all})
}

// database is what makes a service's database in PostgreSQL, and the login that alone may use it.
func database(app, login string) string {
	return fmt.Sprintf(`CREATE ROLE %[1]s LOGIN PASSWORD '%[2]s';
CREATE DATABASE %[1]s OWNER %[1]s;
REVOKE ALL ON DATABASE %[1]s FROM PUBLIC;
`, app, login)
}

// mongodb is what a replica set needs to start, and to have the login of the one service that uses
// it.
func mongodb(app, login string) secret {
	script := fmt.Sprintf("db.getSiblingDB(%[1]q).createUser("+
		"{user: %[1]q, pwd: %[2]q, roles: [{role: \"readWrite\", db: %[1]q}]})\n", app, login)
	return named("mongodb", values{
		"keyfile":        secrets.Token() + secrets.Token(),
		"admin-password": password(),
		"init.js":        script,
	})
}

type values map[string]string

type secret struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	StringData values            `json:"stringData"`
}

func named(name string, data values) secret {
	return secret{"v1", "Secret", map[string]string{"name": name}, data}
}

func password() string { return strings.ToLower(rand.Text()) }

// random makes what the services read from their secret store.
func random() (secrets.Secrets, error) {
	dir, err := os.MkdirTemp("", "sidecart-secrets-")
	if err != nil {
		return secrets.Secrets{}, err
	}
	defer os.RemoveAll(dir)
	return secrets.Ensure(filepath.Join(dir, "secrets.json"))
}

// secretsFile is the secret store's file of one service, with nothing that it does not need.
func secretsFile(app string, s secrets.Secrets) (string, error) {
	needs := values{"service-key": s.ServiceKey}
	if app == "users" {
		needs["token-signing-keys"] = s.TokenSigningKeys
		needs["operator-email"], needs["operator-password"] = s.OperatorEmail, s.OperatorPassword
	}
	text, err := json.Marshal(needs)
	return string(text), err
}

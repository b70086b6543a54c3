package harness

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// MongoDB is a database of a suite's own, on the server that $SIDECART_MONGODB_URI names. Suites
// that shared one would find each other's unfinished orders. It is not safe for concurrent use.
type MongoDB struct {
	// URI leads to the server, through Relay where there is one.
	URI string
	// Name is the database's.
	Name string
	// Relay stands before the server, where the URI names one host and not a name that DNS resolves to
	// several.
	Relay *Relay

	server string // the URI as it was given
}

// MongoDBURI is where the environment says that a MongoDB is; empty: nowhere, so that orders are on
// PostgreSQL.
func MongoDBURI() string { return os.Getenv("SIDECART_MONGODB_URI") }

// NewMongoDB names a new database on the server at the URI. The caller drops it.
func NewMongoDB(uri string) (*MongoDB, error) {
	unique := strings.ReplaceAll(uuid.NewString(), "-", "")[:16]
	m := &MongoDB{URI: uri, server: uri, Name: "sidecart_" + unique}
	u, err := url.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("$SIDECART_MONGODB_URI is not a URI with one host: %w", err)
	}
	if u.Scheme != "mongodb" || strings.Contains(u.Host, ",") {
		return m, nil
	}
	host := u.Host
	if u.Port() == "" {
		host += ":27017"
	}
	if m.Relay, err = NewRelay(host); err != nil {
		return nil, err
	}
	u.Host = m.Relay.Addr()
	query := u.Query()
	query.Del("replicaSet") // a client that looks for the set's members goes past the relay
	query.Set("directConnection", "true")
	if !query.Has("serverSelectionTimeoutMS") {
		query.Set("serverSelectionTimeoutMS", "2000")
	}
	u.RawQuery = query.Encode()
	m.URI = u.String()
	return m, nil
}

// Component writes the production set's component of orders, changed only in the name of the
// database, into the folder, and returns the file's path. Root is the folder of the repository.
func (m *MongoDB) Component(root, dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "components/production/orders.yaml"))
	if err != nil {
		return "", err
	}
	before := []byte("- name: databaseName\n      value: orders\n")
	if bytes.Count(text, before) != 1 {
		return "", fmt.Errorf("components/production/orders.yaml does not name the database as expected")
	}
	text = bytes.Replace(text, before, []byte("- name: databaseName\n      value: "+m.Name+"\n"), 1)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "orders-mongodb.yaml")
	return path, os.WriteFile(path, text, 0o600)
}

// Drop removes the database and closes the relay.
func (m *MongoDB) Drop(ctx context.Context) error {
	if m.Relay != nil {
		defer m.Relay.Close()
	}
	opts := options.Client().ApplyURI(m.server).SetServerSelectionTimeout(10 * time.Second)
	client, err := mongo.Connect(opts)
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx) //nolint:errcheck // the process is about to end
	return client.Database(m.Name).Drop(ctx)
}

package components

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/local/stack"
)

// component is one that a set has.
type component struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct{ Type string }
	Scopes   []string

	text []byte
}

// production reads the components of the production set, with the file that is given for orders in
// place of the set's.
func production(t *testing.T, orders string) []component {
	t.Helper()
	paths, err := filepath.Glob(root + "/components/production/*.yaml")
	require.NoError(t, err)
	paths = slices.DeleteFunc(paths, func(path string) bool { return filepath.Base(path) == "orders.yaml" })
	paths = append(paths, orders)
	var all []component
	for _, path := range paths {
		file, err := os.ReadFile(path)
		require.NoError(t, err)
		for documents := yaml.NewDecoder(bytes.NewReader(file)); ; {
			var node yaml.Node
			if err := documents.Decode(&node); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(t, err, path)
			}
			var c component
			require.NoError(t, node.Decode(&c))
			if c.Kind != "Component" {
				continue // a document of comments alone
			}
			c.text, err = yaml.Marshal(&node)
			require.NoError(t, err)
			all = append(all, c)
		}
	}
	require.NotEmpty(t, all)
	return all
}

// TestAnyOneComponentIsSwappedByOneFile runs the embedded set with each of the production set's
// components in place of its own, one at a time and by nothing but that component's YAML.
func TestAnyOneComponentIsSwappedByOneFile(t *testing.T) {
	b := shared.Get(t)
	orders, env := root+"/components/variants/orders-postgresql.yaml", map[string]string{}
	if uri := harness.MongoDBURI(); uri != "" {
		m, err := harness.NewMongoDB(uri)
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Drop(context.WithoutCancel(t.Context()))) }()
		orders, err = m.Component(root, t.TempDir())
		require.NoError(t, err)
		env["SIDECART_ORDERS_DB"] = m.URI
	}
	for _, c := range production(t, orders) {
		t.Run(c.Metadata.Name+" as "+c.Spec.Type, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "replacement.yaml")
			require.NoError(t, os.WriteFile(file, c.text, 0o600))
			opts := options(t, b)
			maps.Copy(opts.Env, env)
			opts.Replace = []string{file}
			st, err := stack.Start(t.Context(), opts)
			require.NoError(t, err)
			defer stop(t, st)
			for _, app := range c.Scopes {
				assert.Equal(t, c.Spec.Type, loaded(t, st, app, c.Metadata.Name), "%s in the sidecar of %s", c.Metadata.Name, app)
			}
			carriesAnOrder(t, st)
		})
	}
}

// loaded is the type of a component as the app's sidecar has it.
func loaded(t *testing.T, st *stack.Stack, app, name string) string {
	t.Helper()
	info, err := st.App(app)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, info.SidecarURL+"/v1.0/metadata", nil)
	require.NoError(t, err)
	req.Header.Set("dapr-api-token", info.SidecarToken)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var metadata struct {
		Components []struct{ Name, Type string }
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&metadata))
	for _, c := range metadata.Components {
		if c.Name == name {
			return c.Type
		}
	}
	return ""
}

package kubernetes

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	subscriptions "github.com/dapr/dapr/pkg/apis/subscriptions/v2alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// verbs are those that a caller may send.
var verbs = strings.Fields("DELETE GET PATCH POST PUT")

// nobodys are paths of every service that are its sidecar's and its kubelet's, and no other app's.
var nobodys = []string{
	"/", "/healthz", "/readyz", "/metrics", "/dapr/subscribe", "/dapr/config",
	"/internal/provider/charges",
}

// paths are those that are tried at an app: what anybody needs of it, what its own sidecar sends
// there, and what is nobody's.
func paths(objects []object, to string) []string {
	all := map[string]bool{}
	for _, c := range allowed() {
		if c.to == to {
			all[strings.ReplaceAll(c.path, "*", "id_1")] = true
		}
	}
	for _, o := range objects {
		if s, ok := o.typed.(*subscriptions.Subscription); ok && slices.Contains(s.Scopes, to) {
			all[s.Spec.Routes.Default] = true
		}
	}
	for _, path := range nobodys {
		all[path] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// needed tells whether the caller makes the call.
func needed(from, to, method, path string) bool {
	return slices.ContainsFunc(allowed(), func(c call) bool {
		return c == call{from, to, method, c.path} &&
			strings.ReplaceAll(c.path, "*", "id_1") == path
	})
}

// wider tells whether the gateway may make a call that it does not need: Dapr 1.18 gives a path
// the verbs of all that the gateway needs below the shortest path above it (see governing). The
// services' own guards decide there. Nobody else's rules are wider.
func wider(from, to, method, path string) bool {
	if from != "gateway" {
		return false
	}
	need := map[string][]string{}
	for _, c := range allowed() {
		if c.from == from && c.to == to {
			need[c.path] = append(need[c.path], c.method)
		}
	}
	for rule, verbs := range governing(need) {
		rule = strings.ReplaceAll(rule, "*", "id_1")
		if (path == rule || strings.HasPrefix(path, rule+"/")) && slices.Contains(verbs, method) {
			return true
		}
	}
	return false
}

// TestAppsReachWhatTheyNeedOfEachOtherAndNothingElse runs the sidecars of all apps with the
// identities and the access control that they have on the cluster, and lets every app ask every
// other for everything.
func TestAppsReachWhatTheyNeedOfEachOtherAndNothingElse(t *testing.T) {
	authority := newAuthority(t)
	m := newMesh(t, authority.TrustAnchors())
	sentry := startSentry(t, authority, "sidecart", m.ports)
	of := map[string]*app{}
	for _, id := range apps {
		of[id] = m.start(t, id, namespace, sentry)
	}
	ready(t, slices.Collect(maps.Values(of))...)
	t.Run("calls", func(t *testing.T) { everyCall(t, m, of) })
	t.Run("disguised paths", func(t *testing.T) { disguised(t, of) })
	t.Run("without a certificate", func(t *testing.T) { uncertified(t, of) })
	t.Run("stores", func(t *testing.T) { everyComponent(t, m, of) })
	t.Run("topics", func(t *testing.T) { everyTopic(t, m, of) })
	t.Run("strangers", func(t *testing.T) {
		// Last, for the sidecars that are called gateway register that name as well.
		public := startSentry(t, authority, "public", m.ports)
		everyStranger(t, of, map[string]*app{
			"an app that no rule names":         m.start(t, "stranger", namespace, sentry),
			"a gateway of another namespace":    m.start(t, "gateway", "elsewhere", sentry),
			"a gateway of another trust domain": m.start(t, "gateway", namespace, public),
		})
	})
}

// everyCall prints the table of who may ask whom for what: the verbs that pass, in brackets
// those that Dapr adds.
func everyCall(t *testing.T, m *mesh, of map[string]*app) {
	rows := [][]string{append([]string{"app", "path"}, apps...)}
	tried := 0
	for _, to := range apps {
		for _, path := range paths(m.objects, to) {
			row := []string{to, path}
			for _, from := range apps {
				if from == to { // an app's calls of itself are no business of other sidecars
					row = append(row, "-")
					continue
				}
				tried += len(verbs)
				row = append(row, strings.Join(everyVerb(t, of[from], of[to], path), " "))
			}
			rows = append(rows, row)
		}
	}
	t.Logf("%d calls tried:\n%s", tried, table(rows))
}

// everyVerb is the verbs with which one app may ask another for a path, after they were tried.
func everyVerb(t *testing.T, from, to *app, path string) (pass []string) {
	for _, method := range verbs {
		switch {
		case needed(from.id, to.id, method, path):
			passes(t, from, to, method, path)
			pass = append(pass, method)
		case wider(from.id, to.id, method, path):
			passes(t, from, to, method, path)
			pass = append(pass, "("+method+")")
		default:
			refused(t, from.id, from, to, method, path)
		}
	}
	return pass
}

func passes(t *testing.T, from, to *app, method, path string) {
	t.Helper()
	status, text, id := from.call(t, to, method, path)
	if status != http.StatusOK {
		t.Errorf("%s may not ask %s for %s %s: %d %s", from.id, to.id, method, path, status, text)
	}
	_, reached := to.reached(id)
	assert.True(t, reached, "%s %s of %s has not come to %s", method, path, from.id, to.id)
}

func refused(t *testing.T, name string, from, to *app, method, path string) {
	t.Helper()
	status, text, id := from.call(t, to, method, path)
	if status != http.StatusForbidden {
		t.Errorf("%s may ask %s for %s %s: %d %s", name, to.id, method, path, status, text)
	}
	_, reached := to.reached(id)
	assert.False(t, reached, "%s %s of %s has come to %s", method, path, name, to.id)
}

// disguises are other spellings of a path of users that is for notifications alone, or ways to
// it past one that is for orders.
var disguises = []string{
	"/.well-known/jwks.json/../../internal/contacts",
	"/.well-known/jwks.json/%2e%2e/%2e%2e/internal/contacts",
	"/.well-known/jwks.json/..%2f..%2finternal%2fcontacts",
	"/internal/ended/../contacts",
	"/internal/ended%2f%2e%2e%2fcontacts",
	`/internal/ended\..\contacts`,
	"/internal/ended/%252e%252e/contacts",
	"//internal/contacts",
	"/./internal/contacts",
	"/internal//contacts",
	"/internal/contacts/",
	"/INTERNAL/contacts",
	"/%69nternal/contacts",
	"/internal%2fcontacts",
	"/internal/contacts?x=/.well-known/jwks.json",
	"/internal/contacts;/.well-known/jwks.json",
	"/internal/contacts%00",
	"/internal/contacts%23/.well-known/jwks.json",
	"/internal/contacts%3f/.well-known/jwks.json",
}

// disguised tries to get at a path by other spellings of it.
func disguised(t *testing.T, of map[string]*app) {
	const hidden = "/internal/contacts"
	passes(t, of["notifications"], of["users"], http.MethodPost, hidden)
	outcome := map[int]int{}
	for _, path := range disguises {
		for _, method := range verbs {
			status, _, id := of["orders"].call(t, of["users"], method, path)
			outcome[status]++
			if at, reached := of["users"].reached(id); reached {
				// A service has no route for what is not spelled like one.
				assert.NotEqual(t, hidden, at, "%s %s of orders", method, path)
				t.Logf("%s %s of orders comes to users as %s", method, path, at)
			}
		}
	}
	t.Logf("%d spellings, %d verbs; answers by status: %v", len(disguises), len(verbs), outcome)
}

// uncertified speaks to a sidecar's port for other sidecars without a certificate.
func uncertified(t *testing.T, of map[string]*app) {
	for id, a := range of {
		config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
		addr := fmt.Sprintf("127.0.0.1:%d", a.sidecar.DaprInternalGRPCPort)
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", addr)
		if err == nil { // with TLS 1.3 the server's refusal is read after the handshake
			_, err = conn.Read(make([]byte, 1))
			conn.Close()
		}
		require.Error(t, err, "%s lets in whoever comes", id)
		assert.Contains(t, err.Error(), "certificate required", id)
	}
}

// everyStranger lets apps whose identity no rule knows ask for everything that any app needs.
func everyStranger(t *testing.T, of, strangers map[string]*app) {
	ready(t, slices.Collect(maps.Values(strangers))...)
	for name, stranger := range strangers {
		for _, c := range allowed() {
			refused(t, name, stranger, of[c.to], c.method, strings.ReplaceAll(c.path, "*", "id_1"))
		}
	}
}

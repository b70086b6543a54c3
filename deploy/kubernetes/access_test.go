package kubernetes

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"sidecart.dev/gateway"
)

var update = flag.Bool("update", false, "write base/access.yaml anew")

// call is what one app may ask of another.
type call struct{ from, to, method, path string }

// internal are the calls between services. Those of the gateway follow from its routes.
var internal = []call{
	{"orders", "payments", http.MethodPost, "/internal/payments/lookup"},
	{"payments", "orders", http.MethodPost, "/internal/orders/lookup"},
	{"users", "notifications", http.MethodPost, "/internal/notifications/accepted"},
	{"users", "orders", http.MethodPost, "/internal/orders/accepted"},
	{"users", "payments", http.MethodPost, "/internal/payments/accepted"},
	{"orders", "notifications", http.MethodPost, "/internal/notifications/accepted"},
	{"payments", "notifications", http.MethodPost, "/internal/notifications/accepted"},
	{"notifications", "users", http.MethodPost, "/internal/contacts"},
	{"notifications", "users", http.MethodPost, "/internal/mail-tokens"},
	{"gateway", "users", http.MethodGet, "/internal/ended"},
	{"orders", "users", http.MethodGet, "/internal/ended"},
	{"payments", "users", http.MethodGet, "/internal/ended"},
	{"notifications", "users", http.MethodGet, "/internal/ended"},
	{"orders", "users", http.MethodGet, "/.well-known/jwks.json"},
	{"payments", "users", http.MethodGet, "/.well-known/jwks.json"},
	{"notifications", "users", http.MethodGet, "/.well-known/jwks.json"},
}

var apps = []string{"gateway", "notifications", "orders", "payments", "users"}

var variable = regexp.MustCompile(`\{[^{}]*(\{[^{}]*\}[^{}]*)*\}`)

// allowed is every call that any app makes of another.
func allowed() []call {
	all := slices.Clone(internal)
	for _, r := range gateway.Routes {
		path := variable.ReplaceAllString(r.Path, "*")
		if r.App != gateway.Own {
			all = append(all, call{"gateway", r.App, r.Method, path})
		}
	}
	// What the gateway answers itself it makes of these: an order's events from the order, and the
	// services' dead letters.
	all = append(all, call{"gateway", "orders", http.MethodGet, "/api/v1/orders/*"})
	for _, app := range gateway.Services {
		letters := gateway.DeadLetters
		all = append(all,
			call{"gateway", app, http.MethodGet, letters}, call{"gateway", app, http.MethodGet, letters + "/*"},
			call{"gateway", app, http.MethodDelete, letters + "/*"}, call{"gateway", app, http.MethodPost, letters + "/*/replay"})
	}
	return all
}

// access renders the Configurations of all apps.
func access(t *testing.T) string {
	t.Helper()
	type operation struct {
		Name     string   `json:"name"`
		HTTPVerb []string `json:"httpVerb"`
		Action   string   `json:"action"`
	}
	var out strings.Builder
	out.WriteString("# Made by `go test -run TestAccess -update .` from the gateway's routes and the calls between services: who may call what.\n" +
		"# What is not named is refused by the sidecar of the app that is called.\n")
	for _, app := range apps {
		verbs := map[string]map[string][]string{} // by caller and path
		for _, c := range allowed() {
			if c.to != app {
				continue
			}
			if verbs[c.from] == nil {
				verbs[c.from] = map[string][]string{}
			}
			if of := verbs[c.from][c.path]; !slices.Contains(of, c.method) {
				verbs[c.from][c.path] = append(of, c.method)
			}
		}
		var policies []map[string]any
		for _, caller := range slices.Sorted(maps.Keys(verbs)) {
			var operations []operation
			rules := governing(verbs[caller])
			for _, path := range slices.Sorted(maps.Keys(rules)) {
				assert.NotContains(t, strings.TrimSuffix(path, "/*"), "*", "Dapr knows a single wildcard at the end only")
				operations = append(operations, operation{path, slices.Sorted(slices.Values(rules[path])), "allow"})
			}
			policies = append(policies, map[string]any{
				"appId": caller, "namespace": "sidecart", "trustDomain": "sidecart", "defaultAction": "deny", "operations": operations,
			})
		}
		control := map[string]any{"defaultAction": "deny", "trustDomain": "sidecart"}
		if policies != nil {
			control["policies"] = policies
		}
		text, err := yaml.Marshal(map[string]any{
			"apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": map[string]any{"name": app},
			"spec": map[string]any{
				"accessControl": control,
				"metrics":       map[string]any{"enabled": true, "http": map[string]any{"increasedCardinality": false}},
				"tracing":       map[string]any{"samplingRate": "1"},
				"logging":       map[string]any{"apiLogging": map[string]any{"enabled": false}},
			},
		})
		require.NoError(t, err)
		fmt.Fprintf(&out, "---\n%s", text)
	}
	return out.String()
}

// governing merges rules as Dapr 1.18 applies them: in its search (pkg/config/acl_trie.go) the rule
// of the shortest path decides on every path below it. So a path below another has no rule of its
// own, and its verbs are allowed to the one above. What exactly may be asked there, the app's own
// guards decide.
func governing(verbs map[string][]string) map[string][]string {
	rules := map[string][]string{}
	for _, path := range slices.Sorted(maps.Keys(verbs)) { // a path comes before all that are below it
		above := path
		for rule := range rules {
			if strings.HasPrefix(path, rule+"/") {
				above = rule
			}
		}
		for _, verb := range verbs[path] {
			if !slices.Contains(rules[above], verb) {
				rules[above] = append(rules[above], verb)
			}
		}
	}
	return rules
}

func TestAccessIsWhatTheRoutesNeedAndNothingElse(t *testing.T) {
	const path = "base/access.yaml"
	want := access(t)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "run: go test -run TestAccess -update .")
}

// TestEveryInternalRouteHasACaller finds routes of the services that no app may call, and calls of
// what is no route.
func TestEveryInternalRouteHasACaller(t *testing.T) {
	routes := map[string]bool{}
	pattern := regexp.MustCompile(`"(/internal/[a-z/-]+)"`)
	for _, app := range apps {
		sources, err := os.ReadDir("../../services/" + app + "/http")
		require.NoError(t, err)
		for _, f := range sources {
			if strings.HasSuffix(f.Name(), "_test.go") || !strings.HasSuffix(f.Name(), ".go") {
				continue
			}
			text, err := os.ReadFile("../../services/" + app + "/http/" + f.Name())
			require.NoError(t, err)
			for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
				routes[app+m[1]] = true
			}
		}
	}
	// A main asks the kit for the route by which publishers learn what was accepted.
	accepting := regexp.MustCompile(`s\.(Accepts|Remembering)\(`)
	for _, app := range apps {
		main, err := os.ReadFile("../../services/" + app + "/cmd/" + app + "/main.go")
		require.NoError(t, err)
		if accepting.Match(main) {
			routes[app+"/internal/"+app+"/accepted"] = true
		}
	}
	called := map[string]bool{}
	for _, c := range internal {
		if strings.HasPrefix(c.path, "/internal/") {
			called[c.to+c.path] = true
		}
	}
	delete(routes, "payments/internal/provider/charges") // for tests of the simulated provider, which no app calls
	assert.Equal(t, slices.Sorted(maps.Keys(routes)), slices.Sorted(maps.Keys(called)))
}

package resources_test

import (
	"strings"
	"testing"
)

const referring = `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: store}
spec:
  type: state.postgresql
  metadata:
  - {name: connectionString, envRef: STORE}
  - {name: timeout, value: 10s}
scopes: [one, two]
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: email}
spec:
  type: bindings.smtp
  metadata:
  - {name: host, envRef: MAIL_HOST}
  - {name: port, envRef: MAIL_PORT}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: bus}
spec:
  type: pubsub.redis
  metadata:
  - {name: redisHost, envRef: BUS}
`

var values = map[string]string{
	"STORE":     "postgres://u:secret@127.0.0.1:5432/u",
	"MAIL_HOST": "127.0.0.1", "MAIL_PORT": "1025", "BUS": "127.0.0.1:6379",
}

func lookup(name string) (string, bool) {
	value, ok := values[name]
	return value, ok
}

func TestReferencedValuesMoveAndStayOutOfTheFiles(t *testing.T) {
	set := load(t, referring)
	if needs := set.Needs(); needs.Redis || needs.Inbox {
		t.Errorf("unbound, the set needs %+v", needs)
	}
	if missing := set.Bind(lookup); len(missing) != 0 {
		t.Errorf("missing %v", missing)
	}
	if needs := set.Needs(); !needs.Redis || !needs.Inbox {
		t.Errorf("bound, the set needs %+v", needs)
	}
	set = set.At(moved)
	for name, want := range map[string]string{
		"STORE": values["STORE"], "MAIL_HOST": "127.0.0.1", "MAIL_PORT": "11025", "BUS": "127.0.0.1:16379",
	} {
		if got, ok := set.Bound(name); !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	text := written(t, set)
	if strings.Contains(text, "secret") || !strings.Contains(text, "envRef: STORE") {
		t.Errorf("the file has the value:\n%s", text)
	}
}

func TestReferencesNameWhoLoadsThem(t *testing.T) {
	set := load(t, referring)
	missing := set.Bind(func(string) (string, bool) { return "", false })
	if len(missing) != 4 || missing[0].Name != "STORE" || missing[0].Component != "store" {
		t.Fatalf("missing are %+v", missing)
	}
	for app, want := range map[string]bool{"one": true, "two": true, "three": false} {
		if missing[0].LoadedBy(app) != want || !missing[3].LoadedBy(app) {
			t.Errorf("%s is told wrongly what it loads", app)
		}
	}
}

func TestAResourceIsReplacedByItsKindAndName(t *testing.T) {
	set := load(t, referring)
	other := load(t, "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: store}\nspec: {type: state.in-memory}\n")
	if n := set.Replace(other); n != 1 {
		t.Fatalf("%d were replaced", n)
	}
	for _, ref := range set.References() {
		if ref.Name == "STORE" {
			t.Error("the old component is still there")
		}
	}
	if n := set.Replace(load(t, "apiVersion: v1\nkind: Component\nmetadata: {name: none}\nspec: {type: state.in-memory}\n")); n != 0 {
		t.Errorf("a component of another name replaced %d", n)
	}
}

package resources_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidecart.dev/local/resources"
)

var moved = resources.Addresses{
	Redis: "127.0.0.1:16379", SMTP: "127.0.0.1:11025", InboxHTTP: "127.0.0.1:18025",
	StateDir: "/state", Ports: map[int]int{8080: 18080},
}

func TestRewriteFollowsWhatMoved(t *testing.T) {
	for value, want := range map[string]string{
		"127.0.0.1:6379":                               "127.0.0.1:16379",
		"localhost:6379":                               "127.0.0.1:16379",
		"127.0.0.1:63790":                              "127.0.0.1:63790",
		"redis.example.com:6379":                       "redis.example.com:6379",
		"http://127.0.0.1:8025/sms?a=localhost:6379":   "http://127.0.0.1:18025/sms?a=127.0.0.1:16379",
		"http://localhost:8080/x":                      "http://127.0.0.1:18080/x",
		"http://localhost:8081/x":                      "http://localhost:8081/x",
		"http://localhost:/x":                          "http://localhost:/x",
		"../../.sidecart/secrets.json":                 "/state/secrets.json",
		".sidecart/secrets.json":                       "/state/secrets.json",
		"/home/ada/shop/.sidecart/secrets.json":        "/home/ada/shop/.sidecart/secrets.json",
		"file:/.sidecart/x.db":                         "file:/.sidecart/x.db",
		"file:../../.sidecart/data/users.db?_txlock=x": "file:/state/data/users.db?_txlock=x",
		"plain": "plain",
		"":      "",
	} {
		if got := moved.Rewrite(value); got != want {
			t.Errorf("%q becomes %q, want %q", value, got, want)
		}
	}
}

func TestDefaultsStayAsTheyAre(t *testing.T) {
	same := resources.Addresses{
		Redis: resources.DefaultRedis, SMTP: resources.DefaultSMTP, InboxHTTP: resources.DefaultInboxHTTP,
	}
	const value = "http://localhost:8025/ localhost:6379 ../.sidecart/x"
	if got := same.Rewrite(value); got != value {
		t.Errorf("%q becomes %q", value, got)
	}
}

const components = `# kept
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: email}
spec:
  type: bindings.smtp
  version: v1
  metadata:
  - {name: host, value: localhost}
  - {name: port, value: "1025"}
---
apiVersion: dapr.io/v1alpha1
kind: HTTPEndpoint
metadata: {name: bank}
spec: {baseUrl: "http://127.0.0.1:8025/bank"}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: elsewhere}
spec:
  type: bindings.smtp
  version: v1
  metadata:
  - {name: host, value: smtp.example.com}
  - {name: port, value: "1025"}
  - {name: password, secretKeyRef: {name: x, key: y}}
`

func load(t *testing.T, text string) *resources.Set {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "c.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := resources.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestMailAndEndpointsMoveInACopyOfTheSet(t *testing.T) {
	set := load(t, components)
	if needs := set.Needs(); !needs.Inbox || needs.Redis {
		t.Errorf("needs are %+v, want the inbox only", needs)
	}
	text := written(t, set.At(moved))
	for _, want := range []string{
		"{name: host, value: 127.0.0.1}", `{name: port, value: "11025"}`, "http://127.0.0.1:18025/bank",
		"{name: host, value: smtp.example.com}", `{name: port, value: "1025"}`, "# kept", "secretKeyRef",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	load(t, text)
	if text := written(t, set); strings.Contains(text, "11025") {
		t.Errorf("the set itself has changed:\n%s", text)
	}
}

// written is the one file of a set.
func written(t *testing.T, set *resources.Set) string {
	t.Helper()
	files, err := set.Files("out")
	if err != nil || len(files) != 1 || files[0].Path != filepath.Join("out", "c.yaml") {
		t.Fatalf("the files are %v (%v), want out/c.yaml alone", files, err)
	}
	return string(files[0].Text)
}

// TestTheShippedSetsCanBeLoaded reads what stands in components/, where a cluster's files stand
// beside the resources.
func TestTheShippedSetsCanBeLoaded(t *testing.T) {
	for _, dir := range []string{"embedded", "production", "shared"} {
		set, err := resources.Load(filepath.Join("../../../components", dir))
		if err != nil {
			t.Error(err)
			continue
		}
		files, err := set.Files("")
		if err != nil || len(files) == 0 {
			t.Errorf("%s has %d files to be written (%v)", dir, len(files), err)
		}
		for _, file := range files {
			if file.Path == "kustomization.yaml" {
				t.Errorf("%s: a sidecar would read what is for kustomize alone", dir)
			}
		}
	}
}

func TestNothingLocalNeedsNothing(t *testing.T) {
	set := load(t, "apiVersion: v1\nkind: Component\nmetadata: {name: x}\n"+
		"spec: {type: state.redis, metadata: [{name: redisHost, value: 'redis:6379'}]}\n")
	if needs := set.Needs(); needs.Inbox || needs.Redis {
		t.Errorf("needs are %+v, want none", needs)
	}
}

package terminal_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"sidecart.dev/local/terminal"
)

func TestPlainOutputHasPrefixesAndNoColour(t *testing.T) {
	var out bytes.Buffer
	c := terminal.New(&out, false)
	c.Reserve("gateway")
	c.Log("users", []byte("hello"))
	c.Log("gateway", []byte("bad \xff byte"))
	step := c.Step("build %s", "users")
	step.Progress("half")
	step.Done("fine")
	c.Step("other").Fail()
	c.Notice("it died")
	c.Table("Ready", [][2]string{{"shop", "http://x"}, {"API docs", "http://y"}})
	text := out.String()
	for _, want := range []string{
		"users   | hello\n", "gateway | bad ? byte\n", "✓ build users: fine (", "✗ other\n", "! it died\n",
		"  shop      http://x\n", "  API docs  http://y\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("there is an escape sequence in output that is not a terminal:\n%q", text)
	}
}

func TestJSONOutputIsOneObjectALine(t *testing.T) {
	var out bytes.Buffer
	c := terminal.New(&out, true)
	c.Log("users", []byte(`{"msg":"inner"}`))
	c.Log("users", []byte("plain"))
	c.Step("build").Done("")
	c.Table("Ready", [][2]string{{"API docs", "http://y"}})
	var entries []map[string]any
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%q is not JSON: %v", line, err)
		}
		entries = append(entries, entry)
	}
	if inner, ok := entries[0]["line"].(map[string]any); !ok || inner["msg"] != "inner" {
		t.Errorf("a JSON line is not kept as an object: %v", entries[0])
	}
	if entries[1]["line"] != "plain" || entries[1]["source"] != "users" {
		t.Errorf("a plain line is %v", entries[1])
	}
	if entries[3]["API_docs"] != "http://y" {
		t.Errorf("the table is %v", entries[3])
	}
}

func TestANilTerminalShowsNothing(*testing.T) {
	var c *terminal.Terminal
	c.Reserve("x")
	c.Log("x", nil)
	c.Notice("x")
	c.Info("x")
	c.Table("x", nil)
	c.Step("x").Progress("x")
	c.Step("x").Done("")
	c.Step("x").Fail()
}

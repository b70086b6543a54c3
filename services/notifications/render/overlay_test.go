package render_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidecart.dev/notifications"
	"sidecart.dev/notifications/render"
)

func TestATemplateIsReplacedWithoutRebuilding(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "en/password_changed.txt", `{{define "subject"}}Changed, {{.Name}}{{end}}{{define "text"}}So it is.{{end}}`)
	for _, file := range []string{"format.json", "common.html", "common.txt"} {
		copyBuiltIn(t, dir, "de/"+file, "fr/"+file)
	}
	for _, m := range notifications.Messages() {
		if !m.Code {
			copyBuiltIn(t, dir, "en/"+m.Template+".html", "fr/"+m.Template+".html")
		}
		copyBuiltIn(t, dir, "de/"+m.Template+".txt", "fr/"+m.Template+".txt")
	}
	r := newRenderer(t, dir)
	if got, _ := r.Subject("password_changed", sample(t, "password_changed", "en")); got != "Changed, Ada Lovelace" {
		t.Errorf("the replaced subject is %q", got)
	}
	if got, _ := r.Subject("password_changed", sample(t, "password_changed", "de")); got != "Ihr Passwort für Sidecart wurde geändert" {
		t.Errorf("the other language's subject is %q", got)
	}
	if out, err := r.Render("order_delayed", sample(t, "order_delayed", "fr")); err != nil || !strings.Contains(out.HTML, `lang="fr"`) {
		t.Errorf("a language that was added: %v", err)
	}
}

func TestATemplateThatCannotWorkStopsTheStart(t *testing.T) {
	for name, text := range map[string]string{
		"syntax":        `{{define "subject"}}{{end}`,
		"unknown field": `{{define "subject"}}{{.Nothing}}{{end}}{{define "text"}}x{{end}}`,
		"no subject":    `{{define "subject"}}{{end}}{{define "text"}}x{{end}}`,
	} {
		dir := t.TempDir()
		write(t, dir, "en/password_changed.txt", text)
		if _, err := render.New(render.Config{Dir: dir, PublicURL: "https://shop.test", DefaultLocale: "en"}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := render.New(render.Config{Dir: filepath.Join(t.TempDir(), "none"), DefaultLocale: "en"}); err == nil {
		t.Error("a folder that is not there: no error")
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyBuiltIn(t *testing.T, dir, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("templates", from))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, to, string(raw))
}

package render_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sidecart.dev/notifications"
	"sidecart.dev/notifications/render"
)

func newRenderer(t *testing.T, dir string) *render.Renderer {
	t.Helper()
	r, err := render.New(render.Config{Dir: dir, PublicURL: "http://127.0.0.1:8080", ShopName: "Sidecart", DefaultLocale: "en"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestWriteSamples writes every message to the folder RENDER_TO, to be looked at.
func TestWriteSamples(t *testing.T) {
	dir := os.Getenv("RENDER_TO")
	if dir == "" {
		t.Skip("RENDER_TO is not set")
	}
	r := newRenderer(t, "")
	for _, m := range notifications.Messages() {
		for _, locale := range []string{"en", "de"} {
			out, err := r.Render(m.Template, render.Sample(m, locale))
			if err != nil {
				t.Fatal(err)
			}
			for ext, text := range map[string]string{"html": out.HTML, "txt": fmt.Sprintf("%s\n\n%s\n[SMS] %s\n", out.Subject, out.Text, out.SMS)} {
				if err := os.WriteFile(filepath.Join(dir, m.Template+"."+locale+"."+ext), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

package console_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience is how long anything may take on a busy machine.
const patience = time.Minute

func openBrowser() (end func(), err error) {
	path := ""
	for _, name := range []string{
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
	} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "sidecart-console-")
	if err != nil {
		return nil, err
	}
	opts := append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox,
		chromedp.Flag(
			"disable-quic",
			true,
		),
		chromedp.Flag("disable-component-update", true),
		chromedp.UserDataDir(dir),
	)
	ctx, closeBrowser := chromedp.NewExecAllocator(context.Background(), opts...)
	tabs, _ = chromedp.NewContext(ctx)
	if err := chromedp.Do(tabs); err != nil {
		closeBrowser()
		return nil, err
	}
	return func() {
		closeBrowser()
		_ = os.RemoveAll(dir)
	}, nil
}

// reader is a tab of the browser. It notes what the page says to its own console: nothing, or the
// test fails.
type reader struct {
	t       *testing.T
	ctx     context.Context
	expects string // what the page may complain of all the same
}

// open opens a page of the console in a tab of its own.
func open(t *testing.T, hash string) *reader {
	t.Helper()
	if tabs == nil {
		t.Skip("there is no Chromium on PATH")
	}
	ctx, cancel := chromedp.NewContext(tabs)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*patience)
	t.Cleanup(cancel)
	r := &reader{t: t, ctx: ctx}
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800)))
	messages := chromedp.Console(ctx)
	var said []string
	heard := make(chan struct{})
	listening, hush := context.WithCancel(ctx)
	go func() {
		defer close(heard)
		for m, err := range messages {
			if err != nil || listening.Err() != nil {
				return
			}
			said = append(said, fmt.Sprintf("%s: %s", m.Type, m.Text))
		}
	}()
	t.Cleanup(func() {
		hush()
		cancel()
		<-heard
		said = slices.DeleteFunc(
			said,
			func(text string) bool { return r.expects != "" && strings.Contains(text, r.expects) },
		)
		assert.Empty(t, said, "the page complains")
	})
	r.do(chromedp.Navigate(shown.URL() + hash))
	return r
}

// do runs steps, and says what the page shows if one fails.
func (r *reader) do(steps ...chromedp.Action[chromedp.Void]) {
	r.t.Helper()
	for i, step := range steps {
		ctx, cancel := context.WithTimeout(r.ctx, patience/2)
		err := chromedp.Do(ctx, step)
		for err != nil && strings.Contains(err.Error(), "Could not find node") && ctx.Err() == nil {
			err = chromedp.Do(ctx, step) // it was drawn anew in that moment
		}
		cancel()
		if err != nil {
			text, _ := chromedp.Run(
				r.ctx,
				chromedp.Evaluate[string](`location.hash + "\n" + document.body.innerText`),
			)
			require.NoError(r.t, err, "step %d; the page shows:\n%s", i+1, text)
		}
	}
}

// sees waits until each text stands on the page, as a person sees it.
func (r *reader) sees(texts ...string) {
	r.t.Helper()
	const shown = `document.getElementById("main").innerText.replace(/\s+/g, " ").includes(%q)`
	for _, text := range texts {
		r.until(fmt.Sprintf(shown, text), fmt.Sprintf("the page says %q", text))
	}
}

// until waits until an expression is true in the page.
func (r *reader) until(expression, what string) {
	r.t.Helper()
	holds := chromedp.Evaluate[bool](expression)
	r.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
		for {
			if found, err := holds(ctx, t); err != nil || found {
				return err
			}
			select {
			case <-again.C:
			case <-ctx.Done():
				return fmt.Errorf("it is not so that %s", what)
			}
		}
	}))
}

// click clicks what has this text.
func (r *reader) click(path string) {
	r.t.Helper()
	r.do(chromedp.Click(path))
}

func link(text string) string { return fmt.Sprintf(`//a[contains(., %q)]`, text) }

// asks evaluates an expression in the page.
func asks[T any](r *reader, expression string) T {
	r.t.Helper()
	value, err := chromedp.Run(r.ctx, chromedp.Evaluate[T](expression))
	require.NoError(r.t, err, expression)
	return value
}

// fits checks that nothing sticks out of the page at the width of a phone, and keeps pictures where
// they are asked for.
func (r *reader) fits(name string) {
	r.t.Helper()
	dir := os.Getenv("SIDECART_SCREENSHOTS")
	for _, width := range []int64{1280, 390} {
		r.do(chromedp.EmulateViewport(width, 800), chromedp.WaitReady(`#main[data-ready]`))
		if asks[bool](
			r,
			`!!document.querySelector("svg.system")`,
		) { // it is drawn anew for the width
			class := map[bool]string{true: ".narrow", false: ":not(.narrow)"}[width < 640]
			r.do(chromedp.WaitVisible("svg.system" + class))
		}
		asks[bool](r, `(scrollTo(0, 0), true)`)
		over := asks[int](r, `document.documentElement.scrollWidth - innerWidth`)
		assert.LessOrEqual(r.t, over, 0, "%s sticks out at a width of %d", name, width)
		for _, theme := range []string{"light", "dark"} {
			if dir == "" {
				continue
			}
			r.do(prefer(theme))
			png, err := chromedp.Run(r.ctx, chromedp.FullScreenshot(100))
			require.NoError(r.t, err)
			file := filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, theme))
			require.NoError(r.t, os.WriteFile(file, png, 0o600))
		}
	}
	r.do(chromedp.EmulateViewport(1280, 800), prefer("light"))
}

func prefer(theme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
		})
		return err
	})
}

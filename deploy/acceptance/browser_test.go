package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

// browser opens a page in a headless Chromium, or skips the test where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium on PATH")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1100, 800),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*harness.Patience)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx)) // a tab ends with the context it is first used with
	return ctx
}

// look keeps pictures of the page in SIDECART_SCREENSHOTS, if that is set: as it is, and as wide as
// a phone.
func look(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		dir := os.Getenv("SIDECART_SCREENSHOTS")
		if dir == "" {
			return nil
		}
		for _, width := range []int64{1100, 390} {
			if _, err := chromedp.EmulateViewport(width, 800)(ctx, t); err != nil {
				return err
			}
			png, err := chromedp.FullScreenshot(100)(ctx, t)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", name, width)), png, 0o600); err != nil {
				return err
			}
		}
		_, err := chromedp.EmulateViewport(1100, 800)(ctx, t)
		return err
	})
}

// shopper is a browser whose requests pass a gate that can lose, hold or replace answers.
type shopper struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu   sync.Mutex
	gate func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

// openShop opens a browser at the shop.
func openShop(t *testing.T) *shopper {
	t.Helper()
	s := &shopper{t: t, ctx: browser(t)}
	target, err := url.Parse(world.API.Base)
	require.NoError(t, err)
	next := httputil.NewSingleHostReverseProxy(target)
	next.FlushInterval = -1
	next.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		gate := s.gate
		s.mu.Unlock()
		if gate == nil {
			next.ServeHTTP(w, r)
			return
		}
		gate(w, r, next)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.base = server.URL
	return s
}

// through makes requests pass the gate from now on; nil lets them pass.
func (s *shopper) through(gate func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = gate
}

// do runs steps in the first tab.
func (s *shopper) do(steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	s.in(s.ctx, steps...)
}

// in runs steps in a tab, and says what the page shows if one fails.
func (s *shopper) in(tab context.Context, steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	for i, step := range steps {
		ctx, cancel := context.WithTimeout(tab, harness.Patience/4)
		err := chromedp.Do(ctx, step)
		for stale(err) && ctx.Err() == nil { // nothing was done yet: the page drew the element anew in that moment
			err = chromedp.Do(ctx, step)
		}
		cancel()
		if err != nil {
			text, _ := chromedp.Run(tab, chromedp.Evaluate[string](`location.hash + "\n" + document.body.innerText`))
			require.NoError(s.t, err, "step %d; the page shows:\n%s", i+1, text)
		}
	}
}

// stale reports whether a step failed because its element was replaced between being found and
// being used.
func stale(err error) bool {
	return err != nil && strings.Contains(err.Error(), "Could not find node with given id")
}

// tab opens another tab of the same browser.
func (s *shopper) tab() context.Context {
	s.t.Helper()
	ctx, cancel := chromedp.NewContext(s.ctx)
	s.t.Cleanup(cancel)
	require.NoError(s.t, chromedp.Do(ctx))
	s.in(ctx, chromedp.Navigate(s.base+"/#/cart"), chromedp.WaitVisible(heading("Cart")))
	return ctx
}

func (s *shopper) logIn(login harness.Login) {
	s.t.Helper()
	s.do(chromedp.Navigate(s.base+"/#/login"), chromedp.WaitVisible(heading("Log in")),
		chromedp.SendKeys(`#field-email`, login.Email), chromedp.SendKeys(`#field-password`, login.Password),
		chromedp.Click(button("Log in")), chromedp.WaitVisible(`//nav/button[.="Log out"]`), chromedp.WaitVisible(heading("Shop")))
}

// put puts one of each product into the cart, beginning at the shop's first page.
func (s *shopper) put(products ...harness.Product) {
	s.t.Helper()
	s.do(chromedp.Navigate(s.base+"/#/"), chromedp.WaitVisible(heading("Shop")))
	for _, p := range products {
		s.do(chromedp.WaitVisible(`[aria-label="Add `+p.Name+` to the cart"]`), chromedp.Click(`[aria-label="Add `+p.Name+` to the cart"]`))
	}
	s.do(chromedp.Navigate(s.base+"/#/cart"), chromedp.WaitVisible(heading("Cart")), says(products[len(products)-1].Name))
}

func button(text string) string  { return `//main//button[normalize-space()="` + text + `"]` }
func heading(text string) string { return `//h1[normalize-space()="` + text + `"]` }

// script runs JavaScript in the page.
func script(js string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[any]("void (() => {"+js+"})()")(ctx, t)
		return err
	})
}

// says waits until the page shows the text, whatever the white space in it.
func says(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			shown, err := chromedp.Evaluate[string](`document.querySelector("main")?.innerText ?? ""`)(ctx, t)
			if err == nil && strings.Contains(strings.Join(strings.Fields(shown), " "), text) {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("the page does not say %q: %w", text, ctx.Err())
			case <-tick.C:
			}
		}
	})
}

func TestACustomerShopsInTheBrowser(t *testing.T) {
	ctx := browser(t)
	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(world.API.Base+"/"),
		chromedp.WaitVisible(button("Add")), look("shop"),
		chromedp.Navigate(world.API.Base+"/#/register"),
		chromedp.WaitVisible(`#field-email`),
		chromedp.SendKeys(`#field-email`, "b-"+uuid.NewString()+"@example.com"),
		chromedp.SendKeys(`#field-name`, "Bea Browser"),
		chromedp.SendKeys(`#field-password`, "short"),
		chromedp.Click(button("Register")),
		chromedp.WaitVisible(`//span[@id="field-password-error" and string-length(.)>0]`), look("refused"),
		chromedp.SendKeys(`#field-password`, " but much longer now"),
		chromedp.Click(button("Register")),
		chromedp.WaitVisible(`//nav/a[.="Bea Browser"]`),
		chromedp.WaitVisible(button("Add")),
		chromedp.Click(button("Add")),
		chromedp.WaitVisible(`//nav/a[.="Cart (1)"]`),
		chromedp.Click(`//nav/a[.="Cart (1)"]`),
		chromedp.WaitVisible(button("Order and pay")), look("cart"),
		chromedp.Click(button("Order and pay")),
		chromedp.WaitVisible(heading("Order")),
		chromedp.WaitVisible(`//ol/li/span[.="paid"]`), look("order"),
		chromedp.Click(`//nav/a[.="Messages"]`),
		chromedp.WaitVisible(heading("Messages")), look("messages"),
		chromedp.Click(`//nav/a[.="Orders"]`),
		chromedp.WaitVisible(`//td//span[.="paid"]`), look("orders"),
		chromedp.Click(`//nav/a[.="Bea Browser"]`),
		chromedp.WaitVisible(button("Delete my account")), look("account"),
		chromedp.Click(`//nav/button[.="Log out"]`),
		chromedp.WaitVisible(`//nav/a[.="Log in"]`),
	))
}

func TestAnOperatorSeesTheBooksInTheBrowser(t *testing.T) {
	ctx := browser(t)
	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(world.API.Base+"/#/login"),
		chromedp.WaitVisible(`#field-email`),
		chromedp.SendKeys(`#field-email`, world.Operator.Email),
		chromedp.SendKeys(`#field-password`, world.Operator.Password),
		chromedp.Click(`//button[normalize-space()="Log in"]`),
		chromedp.WaitVisible(`//nav/a[@href="#/operator"]`),
		chromedp.Click(`//nav/a[@href="#/operator"]`),
		chromedp.WaitVisible(`//p[.="The books balance."]`), look("operator"),
	))
}

func TestTheContractIsReadableInTheBrowser(t *testing.T) {
	ctx := browser(t)
	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(world.API.Base+"/docs"),
		chromedp.WaitVisible(`//span[contains(@class,"opblock-summary-path")]`),
		look("docs"),
	))
}

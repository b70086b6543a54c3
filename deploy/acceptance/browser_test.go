package acceptance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

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
	return ctx
}

// look keeps a picture of the page in SIDECART_SCREENSHOTS, if that is set.
func look(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		dir := os.Getenv("SIDECART_SCREENSHOTS")
		if dir == "" {
			return nil
		}
		png, err := chromedp.FullScreenshot(100)(ctx, t)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)
	})
}

func TestACustomerShopsInTheBrowser(t *testing.T) {
	ctx := browser(t)
	button := func(text string) string { return `//button[normalize-space()="` + text + `"]` }
	heading := func(text string) string { return `//h1[normalize-space()="` + text + `"]` }
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
		chromedp.WaitVisible(`//td/span[.="paid"]`), look("orders"),
		chromedp.Click(`//nav/a[.="Bea Browser"]`),
		chromedp.WaitVisible(button("Delete my account")), look("account"),
		chromedp.Click(`//nav/a[.="Log out"]`),
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

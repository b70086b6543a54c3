package render_test

import (
	"strings"
	"testing"
	"time"

	"sidecart.dev/kit/money"
	"sidecart.dev/notifications/render"
)

func TestALocaleFallsBackToItsLanguageAndThenToTheDefault(t *testing.T) {
	r := newRenderer(t, "")
	for locale, want := range map[string]string{"de-AT": "Bestellung storniert", "DE": "Bestellung storniert", "fr": "Order cancelled", "": "Order cancelled", "../en": "Order cancelled"} {
		c := sample(t, "order_cancelled", locale)
		if got, err := r.Subject("order_cancelled", c); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("locale %q: %q, %v, want %s…", locale, got, err, want)
		}
	}
}

func TestAmountsAreWrittenForCurrencyAndLanguage(t *testing.T) {
	r := newRenderer(t, "")
	for _, c := range []struct {
		m      money.Money
		en, de string
	}{
		{money.New(1999, "EUR"), "€19.99", "19,99\u00a0€"},
		{money.New(5, "EUR"), "€0.05", "0,05\u00a0€"},
		{money.New(123456789, "USD"), "$1,234,567.89", "1.234.567,89\u00a0$"},
		{money.New(1500, "JPY"), "¥1,500", "1.500\u00a0¥"},
		{money.New(1234567, "BHD"), "BHD\u00a01,234.567", "1.234,567\u00a0BHD"},
		{money.New(1500, "RWF"), "RWF\u00a01,500", "1.500\u00a0RWF"},
		{money.New(1500, "CLF"), "CLF\u00a00.1500", "0,1500\u00a0CLF"},
		{money.New(1500, "HUF"), "HUF\u00a015.00", "15,00\u00a0HUF"},
		{money.New(100, "CHF"), "CHF\u00a01.00", "1,00\u00a0CHF"},
	} {
		for locale, want := range map[string]string{"en": c.en, "de": c.de} {
			content := sample(t, "payment_refunded", locale)
			content.Facts.Amount = c.m
			if got, err := r.Subject("payment_refunded", content); err != nil || !strings.Contains(got, " "+want+" ") {
				t.Errorf("%v in %s: %q, %v, want %q", c.m, locale, got, err, want)
			}
		}
	}
}

func TestDatesAreInTheZoneOfTheShop(t *testing.T) {
	r, err := render.New(render.Config{PublicURL: "https://shop.test", DefaultLocale: "en", TimeZone: "Europe/Berlin"})
	if err != nil {
		t.Fatal(err)
	}
	c := sample(t, "password_changed", "en")
	c.Facts.At = time.Date(2026, 7, 31, 22, 30, 0, 0, time.UTC)
	if out, err := r.Render("password_changed", c); err != nil || !strings.Contains(out.Text, "1 August 2026, 00:30 CEST") {
		t.Errorf("%s, %v", out.Text, err)
	}
}

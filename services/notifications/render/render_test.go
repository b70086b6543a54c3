package render_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sidecart.dev/notifications"
	"sidecart.dev/notifications/render"
)

func newRenderer(t *testing.T, dir string) *render.Renderer {
	t.Helper()
	r, err := render.New(render.Config{Dir: dir, PublicURL: "https://shop.test/", ShopName: "Sidecart", DefaultLocale: "en"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sample(t *testing.T, template, locale string) notifications.Content {
	t.Helper()
	for _, m := range notifications.Messages() {
		if m.Template == template {
			return render.Sample(m, locale)
		}
	}
	t.Fatalf("there is no message %s", template)
	return notifications.Content{}
}

const order = "ord_k3v9q2m7x4d1"

// said is what a message must say in its mail (HTML and text alike), and how its subject reads.
var said = map[string]map[string]struct {
	subject string
	parts   []string
}{
	"registered": {
		"en": {"Welcome to Sidecart: please confirm your e-mail address", []string{"Hello Ada Lovelace,", "https://shop.test/#/verify?token=3q2-7wEBAgMEBQYHCAkKCwwNDg8", "until 2 March 2026, 09:05 UTC"}},
		"de": {"Willkommen bei Sidecart: Bitte bestätigen Sie Ihre E-Mail-Adresse", []string{"Guten Tag Ada Lovelace,", "https://shop.test/#/verify?token=3q2-7wEBAgMEBQYHCAkKCwwNDg8", "bis 2. März 2026, 09:05 Uhr UTC"}},
	},
	"verification": {
		"en": {"Please confirm your e-mail address", []string{"https://shop.test/#/verify?token="}},
		"de": {"Bitte bestätigen Sie Ihre E-Mail-Adresse", []string{"https://shop.test/#/verify?token="}},
	},
	"password_reset": {
		"en": {"Reset your Sidecart password", []string{"https://shop.test/#/reset?token=", "If it was not you"}},
		"de": {"Passwort für Sidecart zurücksetzen", []string{"https://shop.test/#/reset?token=", "Falls Sie es nicht waren"}},
	},
	"password_changed": {
		"en": {"Your Sidecart password was changed", []string{"1 March 2026, 09:05 UTC", "If it was not you"}},
		"de": {"Ihr Passwort für Sidecart wurde geändert", []string{"1. März 2026, 09:05 Uhr UTC", "Falls Sie es nicht waren"}},
	},
	"deleted": {
		"en": {"Your Sidecart account was deleted", []string{"1 March 2026", "last message"}},
		"de": {"Ihr Konto bei Sidecart wurde gelöscht", []string{"1. März 2026", "letzte Nachricht"}},
	},
	"order_delayed": {
		"en": {"Order received: " + order, []string{order, "€1,261.48", "Espresso beans", "€25.98", "€12.99", "1 March 2026"}},
		"de": {"Bestellung eingegangen: " + order, []string{order, "1.261,48\u00a0€", "Espresso beans", "25,98\u00a0€", "12,99\u00a0€", "1. März 2026"}},
	},
	"order_cancelled": {
		"en": {"Order cancelled: " + order, []string{order, "€1,261.48", "ordered twice"}},
		"de": {"Bestellung storniert: " + order, []string{order, "1.261,48\u00a0€", "ordered twice"}},
	},
	"payment_confirmed": {
		"en": {"Your receipt for order " + order + ": €1,261.48", []string{order, "€1,261.48", "Espresso beans", "€25.98", "€1,235.50", "1 March 2026, 09:05 UTC", "Total"}},
		"de": {"Ihre Quittung für Bestellung " + order + ": 1.261,48\u00a0€", []string{order, "1.261,48\u00a0€", "25,98\u00a0€", "1.235,50\u00a0€", "1. März 2026, 09:05 Uhr UTC", "Gesamtbetrag"}},
	},
	"payment_declined": {
		"en": {"Payment declined for order " + order + ": what to do next", []string{order, "€1,261.48", "not enough funds", "What to do next:", "Nothing was charged"}},
		"de": {"Zahlung abgelehnt für Bestellung " + order + ": So geht es weiter", []string{order, "1.261,48\u00a0€", "nicht ausreichend gedeckt", "So geht es weiter:", "nichts abgebucht"}},
	},
	"payment_refunded": {
		"en": {"Refund of €5.00 for order " + order, []string{order, "€5.00", "€15.00", "damaged in transit"}},
		"de": {"Erstattung von 5,00\u00a0€ für Bestellung " + order, []string{order, "5,00\u00a0€", "15,00\u00a0€", "damaged in transit"}},
	},
}

func TestEveryMessageSaysWhatHappenedInEveryLanguage(t *testing.T) {
	r := newRenderer(t, "")
	for _, m := range notifications.Messages() {
		if m.Code {
			continue // see TestACodeIsAnSMSAlone
		}
		for _, locale := range []string{"en", "de"} {
			want, ok := said[m.Template][locale]
			if !ok {
				t.Fatalf("nothing is expected of %s in %s", m.Template, locale)
			}
			out, err := r.Render(m.Template, render.Sample(m, locale))
			if err != nil {
				t.Fatal(err)
			}
			name := m.Template + "." + locale
			if out.Subject != want.subject {
				t.Errorf("%s: subject %q, want %q", name, out.Subject, want.subject)
			}
			for _, part := range want.parts {
				if !strings.Contains(out.HTML, part) {
					t.Errorf("%s: the HTML lacks %q", name, part)
				}
				if !strings.Contains(out.Text, part) {
					t.Errorf("%s: the text lacks %q:\n%s", name, part, out.Text)
				}
			}
			if !strings.Contains(out.HTML, `<html lang="`+locale+`">`) || strings.Contains(out.HTML, "ZgotmplZ") || strings.Contains(out.Text, "<") {
				t.Errorf("%s: the HTML or the text is not well made", name)
			}
			if m.Kind != notifications.Security && (!strings.Contains(out.SMS, order) || len([]rune(out.SMS)) > 180 || strings.Contains(out.SMS, "\n")) {
				t.Errorf("%s: SMS %q", name, out.SMS)
			}
		}
	}
}

func TestACodeIsAnSMSAlone(t *testing.T) {
	r := newRenderer(t, "")
	for locale, subject := range map[string]string{
		"en": "Code to confirm your phone number", "de": "Code zur Bestätigung Ihrer Telefonnummer",
	} {
		out, err := r.Render("phone_confirmation", sample(t, "phone_confirmation", locale))
		if err != nil || out.Subject != subject || out.HTML+out.Text != "" {
			t.Errorf("%s: %+v, %v; want an SMS alone", locale, out, err)
		}
		if !strings.HasPrefix(out.SMS, "042137 ") || !strings.Contains(out.SMS, "Sidecart") || len([]rune(out.SMS)) > 180 {
			t.Errorf("%s: SMS %q", locale, out.SMS)
		}
		if strings.Contains(out.SMS, "Ada") {
			t.Errorf("%s: %q tells a stranger what somebody typed", locale, out.SMS)
		}
	}
}

func TestWhatCustomersTypeIsEscaped(t *testing.T) {
	r := newRenderer(t, "")
	c := sample(t, "payment_confirmed", "en")
	c.Name = `<script>alert("x")</script>`
	c.Facts.Items[0].Name = `<img src=x onerror=alert(1)> & "beans"`
	out, err := r.Render("payment_confirmed", c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.HTML, "<script>") || strings.Contains(out.HTML, "<img") || !strings.Contains(out.HTML, "&lt;script&gt;") {
		t.Error("the HTML has markup of the customer's")
	}
}

func TestNothingBreaksALineOfASubject(t *testing.T) {
	r, err := render.New(render.Config{PublicURL: "https://shop.test", ShopName: "Side\r\nBcc: eve@example.org\r\n\r\ncart", DefaultLocale: "en"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Render("registered", sample(t, "registered", "en"))
	if err != nil || strings.ContainsAny(out.Subject, "\r\n") {
		t.Errorf("subject %q, %v", out.Subject, err)
	}
}

// A provider that never said what it did may have taken the money.
func TestADeclineSaysThatNothingWasChargedOnlyIfThatIsKnown(t *testing.T) {
	r := newRenderer(t, "")
	for locale, claim := range map[string]string{"en": "othing was charged", "de": "nichts abgebucht"} {
		for code, known := range map[string]bool{"card_declined": true, "amount_too_small": true, "provider_unresolved": false} {
			c := sample(t, "payment_declined", locale)
			c.Facts.Code, c.Facts.Reason = code, "The provider's reason."
			out, err := r.Render("payment_declined", c)
			if err != nil {
				t.Fatal(err)
			}
			for part, text := range map[string]string{"text": out.Text, "HTML": out.HTML, "SMS": out.SMS} {
				if strings.Contains(text, claim) != known {
					t.Errorf("%s of %s in %s: %s", part, code, locale, text)
				}
			}
		}
	}
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
			write(t, dir, m.Template+"."+locale+".html", out.HTML)
			write(t, dir, m.Template+"."+locale+".txt", fmt.Sprintf("%s\n\n%s\n[SMS] %s\n", out.Subject, out.Text, out.SMS))
		}
	}
}

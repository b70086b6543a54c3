package render_test

import (
	"testing"

	"sidecart.dev/notifications"
	"sidecart.dev/notifications/render"
)

// BenchmarkReceipt is what a receipt costs: its subject when the event is accepted, and all of it
// when it is sent.
func BenchmarkReceipt(b *testing.B) {
	r, err := render.New(render.Config{PublicURL: "https://shop.example.com", ShopName: "Sidecart", DefaultLocale: "en"})
	if err != nil {
		b.Fatal(err)
	}
	m, _ := notifications.MessageOf("payment.confirmed.v1")
	c := render.Sample(m, "en")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Subject(m.Template, c); err != nil {
			b.Fatal(err)
		}
		if _, err := r.Render(m.Template, c); err != nil {
			b.Fatal(err)
		}
	}
}

package render

import (
	"time"

	"sidecart.dev/kit/money"
	"sidecart.dev/notifications"
)

// view is what a template sees. Amounts and dates are already words of its language.
type view struct {
	Lang     string // of the HTML document
	Shop     string
	ShopURL  string
	Name     string // of the customer; may be empty
	OrderID  string
	OrderURL string
	Items    []itemView
	Amount   string // total, or what was paid, declined or refunded
	Refunded string // everything refunded so far
	Partial  bool   // the refund leaves something paid
	Code     string // why a payment was declined, for programs
	Reason   string // why, in words
	Date     string // when it happened
	DateTime string
	Link     string // where the mailed token leads
	PIN      string // the code that confirms a phone number
	Expires  string // until when
	Last     bool   // further mails of the kind are not sent within this hour
}

type itemView struct {
	Name, UnitPrice, Total string
	Quantity               int64
}

// pages of the browser client that a message with a token leads to.
var pages = map[notifications.TokenKind]string{
	notifications.VerifyToken: "verify",
	notifications.ResetToken:  "reset",
}

func (r *Renderer) view(l *language, c notifications.Content) view {
	f := c.Facts
	v := view{
		Lang: l.tag, Shop: r.cfg.ShopName, ShopURL: r.cfg.PublicURL + "/", Name: c.Name, Last: c.Last,
		OrderID: f.OrderID, OrderURL: r.linkTo("orders/"+f.OrderID, ""),
		Amount: l.format.amount(f.Amount), Refunded: l.format.amount(f.TotalRefunded),
		Partial: !f.FullyRefunded, Code: f.Code, Reason: notifications.OneLine(f.Reason),
		Date: l.format.date(f.At), DateTime: l.format.dateTime(f.At),
	}
	switch {
	case c.TokenKind == notifications.PhoneToken:
		v.PIN = c.Token
	case c.Token != "":
		v.Link = r.linkTo(pages[c.TokenKind], c.Token)
	}
	if !c.Expires.IsZero() {
		v.Expires = l.format.dateTime(c.Expires)
	}
	for _, i := range f.Items {
		total, err := i.UnitPrice.Times(i.Quantity)
		if err != nil {
			total = money.Money{} // shown as nothing rather than as something wrong
		}
		v.Items = append(v.Items, itemView{
			Name: notifications.OneLine(i.Name), Quantity: i.Quantity,
			UnitPrice: l.format.amount(i.UnitPrice), Total: l.format.amount(total),
		})
	}
	return v
}

// Sample returns contents to try a message with.
func Sample(m notifications.Message, locale string) notifications.Content {
	at := time.Date(2026, time.March, 1, 9, 5, 0, 0, time.UTC)
	c := notifications.Content{
		Name: "Ada Lovelace", Locale: locale,
		Facts: notifications.Facts{UserID: "usr_p6r1l9k4a8e2", At: at},
	}
	switch m.Token {
	case notifications.NoToken:
	case notifications.PhoneToken:
		c.TokenKind, c.Token, c.Expires = m.Token, "042137", at.Add(10*time.Minute)
	default:
		c.TokenKind, c.Token, c.Expires = m.Token, "3q2-7wEBAgMEBQYHCAkKCwwNDg8", at.Add(24*time.Hour)
	}
	if m.Kind == notifications.Security {
		return c
	}
	f := &c.Facts
	f.OrderID, f.Amount = "ord_k3v9q2m7x4d1", money.New(126148, "EUR")
	switch m.Template {
	case "order_delayed", "payment_confirmed":
		f.Items = []notifications.Item{{
			Name: "Espresso beans", Quantity: 2, UnitPrice: money.New(1299, "EUR"),
		}, {
			Name: "Espresso machine, polished steel, with a milk frother", Quantity: 1,
			UnitPrice: money.New(123550, "EUR"),
		}}
	case "payment_declined":
		f.Code, f.Reason = "insufficient_funds", "The card has insufficient funds."
	case "payment_refunded":
		f.Amount, f.TotalRefunded = money.New(500, "EUR"), money.New(1500, "EUR")
		f.Reason = "damaged in transit"
	case "order_cancelled":
		f.Reason = "ordered twice"
	}
	return c
}

// Command notifications runs the notifications service.
package main

import (
	"context"
	"fmt"

	"sidecart.dev/kit/service"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/bindings"
	"sidecart.dev/notifications/http"
	"sidecart.dev/notifications/peers"
	"sidecart.dev/notifications/render"
	"sidecart.dev/notifications/store"
)

func main() { service.Main("notifications", &Config{}, wire) }

// wire says what the service is made of, which events it hears and which routes it has.
func wire(s *service.Service, cfg *Config) error {
	renderer, err := render.New(render.Config{
		Dir: cfg.TemplatesDir, PublicURL: cfg.PublicURL, ShopName: cfg.ShopName,
		DefaultLocale: cfg.DefaultLocale, TimeZone: cfg.TimeZone,
	})
	if err != nil {
		return fmt.Errorf("templates: %w", err)
	}
	lists := store.NewLists(s.State)
	email := bindings.NewEmailSender(s.Bind, cfg.EmailBinding)
	sms := bindings.NewSMSSender(s.Bind, cfg.SMSBinding,
		bindings.SMSFormat(cfg.SMSFormat), cfg.SMSFrom)
	domain := notifications.New(cfg.domain(s.Metrics), notifications.Deps{
		State: s.State, Journal: s.Intents(), Lists: lists, Counters: store.NewCounters(s.State),
		Contacts: peers.NewContacts(s.Peers, cfg.ContactSlack, cfg.BatchWindow, nil),
		Letters:  s.Letters, Renderer: renderer,
		Senders: map[notifications.Channel]notifications.Sender{
			notifications.Email: email, notifications.SMS: sms,
		},
	})
	s.Settles(notifications.RecordKind, domain)
	s.Background("senders", domain.Run)
	s.Drains(domain.Drain)
	for _, m := range notifications.Messages() {
		s.Events.On(m.Topic, m.EventType, domain.Accept)
	}
	s.Accepts(domain.Accepted, "users", "orders", "payments")
	http.Routes(s.Access(), func(
		ctx context.Context, userID, cursor string, limit int,
	) ([]notifications.Delivered, string, error) {
		return lists.Delivered(ctx, domain.Records, userID, cursor, limit)
	})
	return nil
}

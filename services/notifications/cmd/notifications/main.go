// Command notifications runs the notifications service.
package main

import (
	"context"
	"fmt"

	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
	"sidecart.dev/kit/consumer"
	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/journal"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/dapr"
	"sidecart.dev/notifications/http"
	"sidecart.dev/notifications/render"
)

func main() { chassis.Main(run) }

func run(ctx context.Context) error {
	var cfg Config
	if err := config.Load(&cfg); err != nil {
		return err
	}
	c, err := chassis.New(ctx, "notifications", cfg.Config)
	if err != nil {
		return err
	}
	if err := wire(ctx, c, cfg); err != nil {
		return err
	}
	return c.Run(ctx)
}

// wire puts the service together on the chassis.
func wire(ctx context.Context, c *chassis.Chassis, cfg Config) error {
	services, err := c.ServiceKey(ctx)
	if err != nil {
		return err
	}
	renderer, err := render.New(render.Config{
		Dir: cfg.TemplatesDir, PublicURL: cfg.PublicURL, ShopName: cfg.ShopName, DefaultLocale: cfg.DefaultLocale, TimeZone: cfg.TimeZone,
	})
	if err != nil {
		return fmt.Errorf("templates: %w", err)
	}
	state := c.Sidecar.State(cfg.StateStore)
	log, err := journal.New(journal.Config{
		Name: "notifications", State: state, Instance: cfg.Instance(), Registerer: c.Metrics, OneByOne: !cfg.GroupCommit,
	})
	if err != nil {
		return err
	}
	letters := deadletter.New(state, "notifications")
	store, lists := dapr.NewStore(state), dapr.NewLists(state)
	service := notifications.New(cfg.domain(c.Metrics), notifications.Deps{
		Store: store, Lists: lists, Journal: dapr.Journal{Journal: log}, Renderer: renderer,
		Contacts: dapr.NewContacts(c.Sidecar.Caller(services.Authorize), cfg.ContactSlack, nil), Counters: dapr.NewCounters(state), Letters: letters,
		Senders: map[notifications.Channel]notifications.Sender{
			notifications.Email: dapr.NewEmailSender(c.Sidecar, cfg.EmailBinding),
			notifications.SMS:   dapr.NewSMSSender(c.Sidecar, cfg.SMSBinding, dapr.SMSFormat(cfg.SMSFormat), cfg.SMSFrom),
		},
	})
	consumer := consumer.New("notifications", letters)
	for _, m := range notifications.Messages() {
		consumer.On(m.Topic, m.EventType, service.Accept)
	}
	verifier := c.UserVerifier()
	consumer.Routes(c.ThroughSidecar())
	letters.Routes(c.ThroughSidecar(), verifier, consumer)
	http.Routes(c.ThroughSidecar, http.Deps{
		Accepted: service.Accepted, Verifier: verifier, Services: services,
		Delivered: func(ctx context.Context, userID, cursor string, limit int) ([]notifications.Delivered, string, error) {
			return store.Delivered(ctx, lists, userID, cursor, limit)
		},
	})
	c.ReadyWhen(func(context.Context) error { return log.Ready() })
	c.Background("journal", func(ctx context.Context) error { return log.Run(ctx, service) })
	c.Background("senders", service.Run)
	return nil
}

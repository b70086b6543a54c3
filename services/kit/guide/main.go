// Command guide is the service that the guide beside the kit writes. It is compiled and tested, and
// not a part of the system.
package main

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/service"
	"sidecart.dev/kit/web"
)

func main() {
	chassis.Main(func(ctx context.Context) error {
		var cfg service.Config
		if err := config.Load(&cfg); err != nil {
			return err
		}
		s, err := service.New(ctx, "parcels", cfg)
		if err != nil {
			return err
		}
		wire(s, bindingCarrier{s.Bind})
		return s.Run(ctx)
	})
}

// wire says what the service is made of, which events it hears and which routes it has.
func wire(s *service.Service, carrier Carrier) {
	docs := aggregate.New(aggregate.Config[Parcel]{
		Kind: "parcel", State: s.State, Journal: s.Intents(), Bus: s.Bus, Topic: "parcels",
		Done: Parcel.Done, Events: Parcel.Events,
	})
	s.Settles("parcel", docs)
	s.Drains(docs.Drain)
	parcels := NewParcels(docs, carrier)
	event.On(s.Events, "payments", "payment.confirmed.v1", parcels.Confirmed)

	r := s.ThroughSidecar()
	r.Use(s.Users.Require())
	r.Handle("/api/v1/parcels/{order_id}", web.Handler(func(w http.ResponseWriter, r *http.Request) error {
		parcel, err := parcels.Of(r.Context(), auth.From(r.Context()).UserID, mux.Vars(r)["order_id"])
		if err != nil {
			return err
		}
		return web.WriteJSON(w, http.StatusOK, parcel)
	})).Methods(http.MethodGet)
}

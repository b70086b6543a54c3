// Command guide is the service that the guide beside the kit writes. It is compiled and tested, and
// not a part of the system.
package main

import (
	"net/http"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/service"
	"sidecart.dev/kit/web"
)

func main() { service.Main("parcels", &service.Config{}, wire) }

// wire says what the service is made of, which events it hears and which routes it has.
func wire(s *service.Service, _ *service.Config) error {
	parcels := NewParcels(s.State, s.Intents(), s.Bus, bindingCarrier{s.Bind})
	s.Settles("parcel", parcels.docs)
	s.Drains(parcels.docs.Drain)
	event.On(s.Events, "payments", "payment.confirmed.v1", parcels.Confirmed)

	get := func(w http.ResponseWriter, r *http.Request) error {
		user, orderID := auth.From(r.Context()).UserID, mux.Vars(r)["order_id"]
		parcel, err := parcels.Of(r.Context(), user, orderID)
		if err != nil {
			return err
		}
		return web.WriteJSON(w, http.StatusOK, parcel)
	}
	web.Route(s.Access().User(), http.MethodGet, "/api/v1/parcels/{order_id}", get)
	return nil
}

package deadletter

import (
	"net/http"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/web"
)

// Routes adds the operators' routes under /api/v1/admin/dead-letters.
func (s *Store) Routes(access web.Access, consumer Replayer) {
	const path = "/api/v1/admin/dead-letters"
	admin := access.User(auth.Operator)
	admin.Handle(path, web.Handler(s.list)).Methods(http.MethodGet)
	admin.Handle(path+"/{id}", web.Handler(s.inspect)).Methods(http.MethodGet)
	admin.Handle(path+"/{id}", web.Handler(s.discard)).Methods(http.MethodDelete)
	admin.Handle(path+"/{id}/replay", web.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if err := s.Replay(r.Context(), mux.Vars(r)["id"], consumer); err != nil {
			return err
		}
		w.WriteHeader(http.StatusAccepted)
		return nil
	})).Methods(http.MethodPost)
}

func (s *Store) list(w http.ResponseWriter, r *http.Request) error {
	limit, err := web.Limit(r)
	if err != nil {
		return err
	}
	letters, next, err := s.List(r.Context(), r.URL.Query().Get("cursor"), limit)
	if err != nil {
		return err
	}
	return web.WriteList(w, letters, next)
}

func (s *Store) inspect(w http.ResponseWriter, r *http.Request) error {
	letter, err := s.Get(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, letter)
}

func (s *Store) discard(w http.ResponseWriter, r *http.Request) error {
	if err := s.Discard(r.Context(), mux.Vars(r)["id"]); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

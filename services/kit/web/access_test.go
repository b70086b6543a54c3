package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/kit/web"
)

// TestARouterAdmitsWhomItIsFor asks every router of a service as everybody.
func TestARouterAdmitsWhomItIsFor(t *testing.T) {
	sidecar, root := servicetest.NewSidecar(t), mux.NewRouter()
	access := sidecar.Access(t, "orders", root)
	none := func(w http.ResponseWriter, _ *http.Request) error { return web.WriteJSON(w, 200, "") }
	who := func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.WriteString(w, auth.From(r.Context()).UserID)
		return err
	}
	web.Route(access.Anyone(), http.MethodGet, "/anyone", none)
	web.Route(access.User(), http.MethodGet, "/user", who)
	web.Route(access.User(auth.Operator), http.MethodGet, "/operator", who)
	web.Route(access.Service("payments", "users"), http.MethodGet, "/service", none)

	callers := map[string]string{
		"nobody":            "",
		"nonsense":          "Bearer nonsense",
		"a customer":        sidecar.AsUser(t, "usr_ada", auth.Customer),
		"an operator":       sidecar.AsUser(t, "usr_ada", auth.Operator),
		"payments":          sidecar.AsService(t, "payments", "orders"),
		"gateway":           sidecar.AsService(t, "gateway", "orders"),
		"payments of users": sidecar.AsService(t, "payments", "users"),
	}
	for path, want := range map[string]map[string]int{
		"/anyone": {"nobody": 200, "nonsense": 200, "a customer": 200},
		"/user": {
			"nobody": 401, "nonsense": 401, "payments": 401, "a customer": 200, "an operator": 200,
		},
		"/operator": {"nobody": 401, "payments": 401, "a customer": 403, "an operator": 200},
		"/service": {
			"nobody": 401, "nonsense": 401, "an operator": 401, "payments": 200, "gateway": 403,
			"payments of users": 401,
		},
	} {
		for caller, status := range want {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
			if callers[caller] != "" {
				r.Header.Set("Authorization", callers[caller])
			}
			root.ServeHTTP(w, r)
			assert.Equal(t, status, w.Code, "%s asks %s", caller, path)
			if status == http.StatusOK && path == "/user" {
				assert.Equal(t, "usr_ada", w.Body.String(), "the handler finds the user")
			}
		}
	}
}

// Package web shows what an inbox has caught, on a page and through Mailpit's REST API, and takes
// SMS messages as an SMS provider does.
package web

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sidecart.dev/local/inbox/faults"
	"sidecart.dev/local/inbox/mailbox"
)

// Config says who is answered.
type Config struct {
	// AllowedHosts are the names, besides localhost and IP addresses, under which the server may be
	// asked.
	AllowedHosts []string
	MaxBodyBytes int64
	Logger       *slog.Logger
}

type server struct {
	Config
	box     *mailbox.Mailbox
	faults  *faults.State
	started time.Time
}

// Handler serves a mailbox and takes SMS messages into it, as the faults in force say. A request
// ends early when its context does.
func Handler(box *mailbox.Mailbox, inForce *faults.State, c Config) http.Handler {
	s := &server{Config: c, box: box, faults: inForce, started: time.Now()}
	return s.routes()
}

// routes are all paths of the HTTP server.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", asset("index.html"))
	mux.Handle("GET /style.css", asset("style.css"))
	mux.Handle("GET /app.js", asset("app.js"))
	mux.HandleFunc("GET /api/inbox", s.listAll)
	mux.HandleFunc("GET /api/inbox/messages/{id}", s.getAny)
	mux.HandleFunc("GET /api/inbox/events", s.events)
	mux.HandleFunc("GET /view/{file}", s.view)

	mux.HandleFunc("GET /api/v1/messages", s.listMail)
	mux.HandleFunc("PUT /api/v1/messages", s.putMessages)
	mux.HandleFunc("DELETE /api/v1/messages", s.deleteMessages)
	mux.HandleFunc("GET /api/v1/search", s.searchMail)
	mux.HandleFunc("DELETE /api/v1/search", s.deleteSearch)
	mux.HandleFunc("GET /api/v1/message/{id}", s.withMail(s.getMail))
	mux.HandleFunc("GET /api/v1/message/{id}/headers", s.withMail(s.getHeaders))
	mux.HandleFunc("GET /api/v1/message/{id}/raw", s.withMail(s.getRaw))
	mux.HandleFunc("GET /api/v1/message/{id}/part/{part}", s.withMail(s.getPart))
	mux.HandleFunc("GET /api/v1/info", s.getInfo)
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /readyz", alive)

	mux.HandleFunc("POST /sms", s.postSMS)
	mux.HandleFunc("POST /2010-04-01/Accounts/{sid}/Messages.json", s.postTwilio)
	mux.HandleFunc("GET /api/v1/sms", s.listSMS)
	mux.HandleFunc("DELETE /api/v1/sms", s.deleteSMS)

	mux.HandleFunc("GET /api/faults", s.getFaults)
	mux.HandleFunc("PUT /api/faults", s.putFaults)

	return s.guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard refuses foreign hosts, bounds bodies and sets the headers that every
// answer carries.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.allowedHost(r.Host) {
			http.Error(w, "this inbox does not answer for that host; ask for it as localhost",
				http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, s.MaxBodyBytes)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// allowedHost accepts IP addresses, which no foreign name server can take over,
// localhost and the configured names.
func (s *server) allowedHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		slices.Contains(s.AllowedHosts, host)
}

func alive(w http.ResponseWriter, _ *http.Request) { writeOK(w) }

func writeOK(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write([]byte("ok"))
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client is gone if it fails
}

// badRequest answers in plain text, as Mailpit does.
func badRequest(w http.ResponseWriter, err error) {
	http.Error(w, err.Error(), http.StatusBadRequest)
}

func (s *server) getFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.faults.Get())
}

func (s *server) putFaults(w http.ResponseWriter, r *http.Request) {
	var f faults.Faults
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		badRequest(w, err)
		return
	}
	f, err := s.faults.Set(f)
	if err != nil {
		badRequest(w, err)
		return
	}
	writeJSON(w, http.StatusOK, f)
}

package console

import (
	"crypto/subtle"
	"embed"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

//go:embed static
var static embed.FS

// TokenHeader carries the token of requests that change something.
const TokenHeader = "X-Console-Token"

func (c *Console) routes(receiver http.Handler) http.Handler {
	pages, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", page(http.FileServerFS(pages)))
	mux.HandleFunc("GET /api/overview", c.getOverview)
	mux.HandleFunc("GET /api/failures", c.getFailures)
	mux.HandleFunc("GET /api/logs", c.getLogs)
	mux.HandleFunc("GET /api/logs/stream", c.followLogs)
	mux.HandleFunc("GET /api/traces", c.getTraces)
	mux.HandleFunc("GET /api/traces/{id}", c.getTrace)
	mux.HandleFunc("GET /api/metrics", c.getMetrics)
	mux.HandleFunc("GET /api/system", c.getSystem)
	mux.HandleFunc("GET /api/orders", c.getOrders)
	mux.HandleFunc("GET /api/orders/{id}", c.getOrder)
	mux.HandleFunc("GET /api/mails", c.getMails)
	mux.Handle("POST /api/apps/{id}/{action}", c.withToken(http.HandlerFunc(c.act)))
	mux.Handle("POST /v1/traces", receiver)
	return guard(mux)
}

// policy lets the pages load what stands here, and nothing from elsewhere.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page adds the policy of the pages.
func page(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		next.ServeHTTP(w, r)
	})
}

// guard refuses hosts and origins that are not this machine's, whatever is asked for: a foreign
// page could read through a name server of its own, or through a browser that lets it ask.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			http.Error(w, "the console answers for localhost only", http.StatusMisdirectedRequest)
			return
		}
		crossSite := r.Header.Get("Sec-Fetch-Site") == "cross-site"
		if crossSite && r.Header.Get("Sec-Fetch-Mode") != "navigate" || !ownOrigin(r) {
			http.Error(w, "the console answers its own pages only", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// ownOrigin accepts requests without an origin, as of curl and of links, and those of the console's
// own pages.
func ownOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	from, err := url.Parse(origin)
	return err == nil && from.Scheme == "http" && strings.EqualFold(from.Host, r.Host)
}

func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost"
}

func (c *Console) withToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get(TokenHeader)), []byte(c.token)) != 1 {
			const detail = "open the console by the link with the token that the launcher printed"
			refuse(w, http.StatusUnauthorized, detail)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client is gone if it fails
}

func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"detail": detail})
}

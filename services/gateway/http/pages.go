package http

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"

	"github.com/gorilla/mux"
	"github.com/klauspost/compress/gzhttp"
	"github.com/swaggest/swgui/v5emb"

	"sidecart.dev/contracts"
	"sidecart.dev/kit/money"
	"sidecart.dev/kit/web"
)

// The browser client.
//
//go:embed static
var static embed.FS

const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; " +
	"img-src 'self' data:; connect-src 'self'; " +
	"font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// docsPolicy lets Swagger UI have its inline start script and styles. The page shows a fixed
// document and has no state worth stealing.
const docsPolicy = "default-src 'none'; script-src 'self' 'unsafe-inline'; " +
	"style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; font-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"

// pages adds the contract, the page that renders it, and the browser client. All of it is embedded;
// nothing is fetched from elsewhere. Each stands behind the given limit.
func pages(r *mux.Router, limit mux.MiddlewareFunc) {
	r = r.NewRoute().Subrouter()
	r.Use(limit)
	ui := policy(docsPolicy, gzhttp.GzipHandler(v5emb.New("Sidecart API", "/openapi.yaml", "/docs/")))
	r.Handle("/docs", ui).Methods(http.MethodGet, http.MethodHead)
	r.Handle("/docs/{file:[A-Za-z0-9._-]+}", ui).Methods(http.MethodGet, http.MethodHead)
	r.Handle("/openapi.yaml", asset("openapi.yaml", "application/yaml", contracts.OpenAPI())).
		Methods(http.MethodGet, http.MethodHead)
	r.Handle("/static/currencies.js", asset("currencies.js", "", currencies())).
		Methods(http.MethodGet, http.MethodHead)
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the embedded tree is fixed when the program is built
	}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		r.Handle(pagePath(name), asset(name, "", body)).Methods(http.MethodGet, http.MethodHead)
		return nil
	})
	if err != nil {
		panic(err)
	}
}

// pagePath maps index.html to /; other files keep their names under /static.
func pagePath(name string) string {
	if name == "index.html" {
		return "/"
	}
	return "/static/" + name
}

// currencies is the browser client's table of ISO 4217: the decimals of each currency that has not
// two, from the table by which every service and every message writes amounts.
func currencies() []byte {
	digits := map[string]int{}
	for _, code := range money.Currencies() {
		if n := money.Exponent(code); n != 2 {
			digits[code] = n
		}
	}
	table, _ := json.Marshal(digits) //nolint:errchkjson // strings and integers only
	const script = "// Decimals of the currencies that have not two, by ISO 4217.\n" +
		"export const digits = %s;\n"
	return fmt.Appendf(nil, script, table)
}

// policy sets the content policy of a page that cannot live with the common one.
func policy(csp string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", csp)
		next.ServeHTTP(w, r)
	})
}

var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".json": "application/json",
}

// asset serves a fixed document, compressed where the client accepts that, revalidated by its hash.
func asset(name, mediaType string, body []byte) http.Handler {
	if mediaType == "" {
		mediaType = mediaTypes[path.Ext(name)]
	}
	tag := web.BytesTag(body)
	return gzhttp.GzipHandler(web.Handler(func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Content-Type", mediaType)
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Security-Policy", pagePolicy)
		if web.NotModified(w, r, tag) {
			return nil
		}
		_, err := w.Write(body)
		return err
	}))
}

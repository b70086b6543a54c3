package console

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sidecart.dev/local/console/logs"
	"sidecart.dev/local/console/traces"
)

// getOverview answers with what runs.
func (c *Console) getOverview(w http.ResponseWriter, r *http.Request) {
	c.scraper.Look()
	series, refused := c.metrics.Stats()
	write(w, map[string]any{
		"processes": c.processes(r.Context()), "traces": c.traces.Stats(),
		"series": series, "refused": refused,
		"inbox": c.system.InboxURL(), "shop": c.front(), "routes": c.slowest(5),
	})
}

func (c *Console) front() string {
	for _, app := range c.system.Apps() {
		if app.Front {
			return app.URL + "/"
		}
	}
	return ""
}

// getFailures answers with what failed in the last minute, or in the seconds of the parameter
// "last".
func (c *Console) getFailures(w http.ResponseWriter, r *http.Request) {
	since := time.Now().Add(-seconds(r.URL.Query(), "last", time.Minute))
	write(w, map[string]any{
		"logs":   c.logs.Search(logs.Query{Level: "error", Since: since, Limit: 50}),
		"traces": c.traces.Search(traces.Query{Errors: true, Since: since, Limit: 50}),
		"events": c.logs.Search(
			logs.Query{Source: launcherSource, Level: "warn", Since: since, Limit: 50},
		),
	})
}

// launcherSource is the source of the launcher's own notices, such as of restarts.
const launcherSource = "launcher"

func seconds(values url.Values, name string, otherwise time.Duration) time.Duration {
	if n, err := strconv.ParseFloat(values.Get(name), 64); err == nil && n > 0 && n < 86_400 {
		return time.Duration(n * float64(time.Second))
	}
	return otherwise
}

func (c *Console) getTraces(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	milliseconds, _ := strconv.ParseFloat(values.Get("longer"), 64)
	limit, _ := strconv.Atoi(values.Get("limit"))
	write(w, map[string]any{"traces": c.traces.Search(traces.Query{
		Order: values.Get("order"), Service: values.Get("app"),
		Route: values.Get("route"), Text: values.Get("text"),
		Errors: values.Get("errors") != "", Background: values.Get("background") != "",
		Longer: time.Duration(milliseconds * float64(time.Millisecond)),
		Limit:  min(max(limit, 0), 1_000),
	}), "kept": c.traces.Stats()})
}

func (c *Console) getTrace(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	spans := c.traces.Trace(id)
	if spans == nil {
		refuse(w, http.StatusNotFound, "this trace is not, or no longer, kept here")
		return
	}
	write(w, map[string]any{
		"spans": spans, "orders": traces.OrdersOf(spans),
		"logs": c.logs.Search(logs.Query{Trace: id}),
	})
}

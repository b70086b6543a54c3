package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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

func logQuery(values url.Values) logs.Query {
	limit, _ := strconv.Atoi(values.Get("limit"))
	return logs.Query{
		Source: values.Get("app"), Level: values.Get("level"),
		Text: values.Get("text"), Trace: values.Get("trace"),
		Limit: min(max(limit, 0), 5_000),
	}
}

func (c *Console) getLogs(w http.ResponseWriter, r *http.Request) {
	foreign := slices.ContainsFunc(c.system.Apps(), func(a App) bool { return a.Foreign })
	write(w, map[string]any{
		"lines": c.logs.Search(logQuery(r.URL.Query())), "sources": c.logs.Sources(),
		"foreign": foreign, // somebody else has the log lines of the apps
	})
}

// beat finds out that a reader is gone.
const beat = 15 * time.Second

// followLogs sends the lines that a query asks for as server-sent events: first those that are
// there, then those that come.
func (c *Console) followLogs(w http.ResponseWriter, r *http.Request) {
	query := logQuery(r.URL.Query())
	lines, cancel := c.logs.Follow(query)
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	last := uint64(0)
	if id, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		last = id
	}
	send := func(record logs.Record) error {
		if record.Seq <= last {
			return nil // it is among those that were there
		}
		last = record.Seq
		text, err := json.Marshal(record)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "id: %d\ndata: %s\n\n", record.Seq, text)
		return err
	}
	for _, record := range c.logs.Search(query) {
		if send(record) != nil {
			return
		}
	}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for err := stream.Flush(); err == nil; err = errors.Join(err, stream.Flush()) {
		select {
		case record := <-lines:
			err = send(record)
		case <-tick.C:
			_, err = fmt.Fprint(w, ": still here\n\n")
		case <-r.Context().Done():
			return
		case <-c.closing:
			return
		}
		if err != nil {
			return
		}
	}
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

// act stops, starts or restarts an app with its sidecar.
func (c *Console) act(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	known := false
	for _, app := range c.system.Apps() {
		known = known || app.ID == id && !app.Foreign
	}
	if !known {
		detail := "there is no app " + strconv.Quote(id) + " that the launcher runs"
		refuse(w, http.StatusNotFound, detail)
		return
	}
	var err error
	switch r.PathValue("action") {
	case "restart": // goes on if the page is closed meanwhile
		err = c.system.Restart(context.WithoutCancel(r.Context()), id)
	case "stop":
		err = c.system.StopApp(id)
	case "start":
		err = c.system.StartApp(id)
	default:
		refuse(w, http.StatusNotFound, "the actions are restart, stop and start")
		return
	}
	if err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	write(w, map[string]string{"done": r.PathValue("action")})
}

package console_test

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sidecart.dev/local/console"
)

//go:embed testdata/*.json
var recordings embed.FS

// recording is what a real system told of one order. Times are microseconds after its first span.
type recording struct {
	Order   string
	Total   amount
	History []struct {
		Status, Reason string
		After          int64
	}
	Spans []recordedSpan
}

type recordedSpan struct {
	Trace, ID, Parent, Service, Name, Kind string
	Start, Duration                        int64
	Error                                  bool
	Attributes                             map[string]string
}

var paid, declined = load("paid"), load("declined")

func load(name string) recording {
	text, err := recordings.ReadFile("testdata/" + name + ".json")
	if err != nil {
		panic(err)
	}
	var r recording
	if err := json.Unmarshal(text, &r); err != nil {
		panic(err)
	}
	return r
}

func (r recording) trace() string { return r.Spans[0].Trace }

// pending is the n-th order that payments cannot finish: its provider does not answer.
func pending(n int) recording {
	text, _ := recordings.ReadFile("testdata/declined.json")
	other := strings.NewReplacer(declined.Order, fmt.Sprintf("ord_7qmwaitingaitingaiting%d", n),
		declined.trace(), fmt.Sprintf("%032x", 0x7ad6b7169203331b+n))
	var r recording
	if err := json.Unmarshal([]byte(other.Replace(string(text))), &r); err != nil {
		panic(err)
	}
	r.History = r.History[:1]
	spans := r.Spans[:0]
	for _, s := range r.Spans {
		if s.Name == "process orders" && s.Service == "payments" {
			s.Error, s.Attributes["error.type"] = true, "unavailable"
		}
		if s.Start < 15_000 {
			spans = append(spans, s)
		}
	}
	r.Spans = spans
	return r
}

// play tells the console of the order as if it was placed at the time.
func (s *system) play(c *console.Console, r recording, at time.Time) error {
	kept := record{Status: r.History[len(r.History)-1].Status, Total: r.Total}
	for _, h := range r.History {
		kept.History = append(
			kept.History,
			step{h.Status, at.Add(time.Duration(h.After) * time.Microsecond), h.Reason},
		)
	}
	s.mu.Lock()
	s.records[r.Order] = kept
	s.mu.Unlock()
	return export(c, r.Spans, at)
}

// export sends spans in OpenTelemetry's protocol, those of a service and of its sidecar apart.
func export(c *console.Console, spans []recordedSpan, at time.Time) error {
	kinds := map[string]int{"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
	var resources []any
	for _, s := range spans {
		scope := "sidecart.dev/kit"
		attributes := []any{}
		for key, value := range s.Attributes {
			attributes = append(attributes, attribute(key, value))
			if strings.HasPrefix(key, "dapr.") {
				scope = "dapr-diagnostics"
			}
		}
		if strings.HasPrefix(s.Name, "pubsub/") {
			scope = "dapr-diagnostics"
		}
		nanos := func(after int64) string {
			return strconv.FormatInt(at.Add(time.Duration(after)*time.Microsecond).UnixNano(), 10)
		}
		status := map[string]any{}
		if s.Error {
			status["code"] = 2
		}
		resources = append(resources, map[string]any{
			"resource": map[string]any{"attributes": []any{attribute("service.name", s.Service)}},
			"scopeSpans": []any{
				map[string]any{
					"scope": map[string]any{"name": scope},
					"spans": []any{map[string]any{
						"traceId": s.Trace, "spanId": s.ID, "parentSpanId": s.Parent,
						"name": s.Name, "kind": kinds[s.Kind],
						"startTimeUnixNano": nanos(s.Start),
						"endTimeUnixNano":   nanos(s.Start + s.Duration),
						"attributes":        attributes, "status": status,
					}},
				},
			},
		})
	}
	body, err := json.Marshal(map[string]any{"resourceSpans": resources})
	if err != nil {
		return err
	}
	resp, err := http.Post(c.URL()+"v1/traces", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the console answers %s to spans", resp.Status)
	}
	return nil
}

func attribute(key, value string) any {
	return map[string]any{"key": key, "value": map[string]any{"stringValue": value}}
}

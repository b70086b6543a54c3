package console

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sidecart.dev/local/console/logs"
	"sidecart.dev/local/console/traces"
)

// fake is a system of one app that never runs.
type fake struct {
	mu   sync.Mutex
	done []string
}

func (f *fake) Apps() []App {
	return []App{{ID: "orders", Front: true, URL: "http://127.0.0.1:1"}}
}
func (*fake) Servers() []Server    { return []Server{{Name: "redis", Addr: "127.0.0.1:6379"}} }
func (*fake) InboxURL() string     { return "" }
func (*fake) MetricsToken() string { return "" }
func (f *fake) act(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, what)
	return nil
}
func (f *fake) Restart(_ context.Context, id string) error { return f.act("restart " + id) }
func (f *fake) StopApp(id string) error                    { return f.act("stop " + id) }
func (f *fake) StartApp(id string) error                   { return f.act("start " + id) }

func start(t *testing.T) (*Console, *fake) {
	t.Helper()
	system := &fake{}
	return startWith(t, system), system
}

func startWith(t *testing.T, system System) *Console {
	t.Helper()
	c, err := Start(Config{Addr: "127.0.0.1:0", OTLPAddr: "127.0.0.1:0", System: system})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// send asks the console with headers given as name and value; Host is one of them.
func send(
	t *testing.T,
	c *Console,
	method, path string,
	headers ...string,
) (status int, body string, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(
		t.Context(),
		method,
		c.URL()+strings.TrimPrefix(path, "/"),
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestForeignHostsAndOriginsAreRefused(t *testing.T) {
	c, _ := start(t)
	own := strings.TrimSuffix(c.URL(), "/")
	for _, path := range []string{"/", "/api/overview", "/api/logs", "/app.js"} {
		for _, foreign := range [][]string{
			{"Host", "evil.example"},
			{"Host", "192.0.2.1"},
			{"Host", "localhost.evil.example"},
			{"Host", "127.0.0.1.evil.example:8026"},
			{"Origin", "https://evil.example"},
			{"Origin", "null"},
			{"Origin", "http://127.0.0.1:1"},
			{"Origin", "http://localhost"},
			{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"},
		} {
			status, _, _ := send(t, c, http.MethodGet, path, foreign...)
			if status != http.StatusMisdirectedRequest && status != http.StatusForbidden {
				t.Errorf("%s with %v answers %d", path, foreign, status)
			}
		}
		status, _, _ := send(t, c, http.MethodGet, path, "Origin", own)
		if status != http.StatusOK {
			t.Errorf("%s with the console's own origin answers %d", path, status)
		}
	}
}

func TestOnlyWhoHasTheTokenStopsAndStarts(t *testing.T) {
	c, system := start(t)
	const stop = "/api/apps/orders/stop"
	for _, headers := range [][]string{
		{},
		{TokenHeader, ""},
		{TokenHeader, "wrong"},
		{"Cookie", "token=" + c.token},
		{"Authorization", c.token},
	} {
		status, _, _ := send(t, c, http.MethodPost, stop, headers...)
		if status != http.StatusUnauthorized {
			t.Errorf("a stop with %v answers %d, not 401", headers, status)
		}
	}
	status, _, _ := send(t, c, http.MethodPost, stop+"?token="+c.token)
	if status != http.StatusUnauthorized {
		t.Errorf("a stop with the token in the address answers %d, not 401", status)
	}
	if status, _, _ := send(t, c, http.MethodGet, stop, TokenHeader, c.token); status < 400 {
		t.Errorf("a GET stops: %d", status)
	}
	if len(system.done) > 0 {
		t.Fatalf("it was done: %v", system.done)
	}
	for path, want := range map[string]int{
		"orders/restart": 200, "orders/stop": 200, "orders/start": 200, "orders/explode": 404,
		"others/stop": 404,
	} {
		status, _, _ := send(t, c, http.MethodPost, "/api/apps/"+path, TokenHeader, c.token)
		if status != want {
			t.Errorf("%s with the token answers %d, not %d", path, status, want)
		}
	}
	if len(system.done) != 3 {
		t.Errorf("what was done is %v", system.done)
	}
}

func TestItListensOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "nonsense"} {
		c, err := Start(Config{Addr: addr, OTLPAddr: "127.0.0.1:0", System: &fake{}})
		if err == nil {
			c.Close()
			t.Errorf("it listens on %s", addr)
		}
	}
}

func TestThePagesAreSmallAndMayLoadNothingFromElsewhere(t *testing.T) {
	c, _ := start(t)
	total := 0
	files, err := static.ReadDir("static")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		path := strings.TrimSuffix("/"+file.Name(), "index.html")
		status, body, header := send(t, c, http.MethodGet, path)
		policy := header.Get("Content-Security-Policy")
		if status != http.StatusOK || !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s answers %d under the policy %q", path, status, policy)
		}
		if strings.Contains(body, "://") && !strings.Contains(body, "://www.w3.org/") {
			t.Errorf("%s names an address elsewhere", path)
		}
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		if _, err := io.WriteString(zip, body); err != nil || zip.Close() != nil {
			t.Fatal(err)
		}
		total += packed.Len()
	}
	if total > 100_000 {
		t.Errorf("the pages are %d bytes compressed, more than 100,000", total)
	}
	t.Logf("the pages are %d bytes compressed", total)
}

func TestLogLinesAreFollowedAsTheyCome(t *testing.T) {
	c, _ := start(t)
	c.Log("orders", `level=ERROR msg="no money" trace_id=abc order=ord_abcdefgh12`)
	c.Log("users", "level=INFO msg=fine")
	req, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodGet,
		c.URL()+"api/logs/stream?app=orders",
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	c.Log("orders/daprd", `time="x" level=warning msg="a sidecar's"`)
	lines := bufio.NewScanner(resp.Body)
	var found []string
	for len(found) < 2 && lines.Scan() {
		if data, is := strings.CutPrefix(lines.Text(), "data: "); is {
			var record struct{ Level, Message, Trace string }
			if err := json.Unmarshal([]byte(data), &record); err != nil {
				t.Fatal(err)
			}
			found = append(found, record.Level+" "+record.Message+" "+record.Trace)
		}
	}
	if strings.Join(found, "; ") != "error no money abc; warn a sidecar's " {
		t.Errorf("the lines are %q", found)
	}
}

func TestFailuresOfTheLastMinuteAreShownAndOlderOnesNot(t *testing.T) {
	c, _ := start(t)
	now := time.Now().UnixMicro()
	c.traces.Add(&traces.Span{TraceID: "new", ID: "1", Error: true, Start: now},
		&traces.Span{TraceID: "old", ID: "1", Error: true, Start: now - 120_000_000})
	c.Log("orders", "level=ERROR msg=broken")
	_, body, _ := send(t, c, http.MethodGet, "/api/failures")
	if !strings.Contains(body, `"id":"new"`) || !strings.Contains(body, "broken") ||
		strings.Contains(body, `"id":"old"`) {
		t.Errorf("the failures are %s", body)
	}
}

// one is a system of another app.
type one struct {
	*fake
	app App
}

func (o one) Apps() []App { return []App{o.app} }

func TestProcessorTimeIsReadInTheFormatsOfPS(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1024 00:01:02":      62 * time.Second,
		" 1024 1-00:00:01\n": 24*time.Hour + time.Second,
		"1024 1:02.50":       62500 * time.Millisecond,
	} {
		if memory, got, ok := parsePS(text); !ok || got != want || memory != 1<<20 {
			t.Errorf("%q is %d bytes and %s, %t", text, memory, got, ok)
		}
	}
	if _, _, ok := parsePS("nonsense"); ok {
		t.Error("nonsense is read")
	}
}

func TestThatSomebodyElseHasTheLogLinesIsSaid(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		c := &Console{system: one{&fake{}, App{ID: "orders", Foreign: foreign}}, logs: logs.New(logs.Limits{})}
		answer := httptest.NewRecorder()
		c.getLogs(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/logs", nil))
		var said struct{ Foreign bool }
		if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil || said.Foreign != foreign {
			t.Errorf("of apps that are foreign (%t) is said %s, %v", foreign, answer.Body, err)
		}
	}
}

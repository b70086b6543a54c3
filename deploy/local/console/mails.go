package console

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sidecart.dev/local/console/traces"
)

const (
	// messagesShown is how many of the inbox's messages are shown, and messagesSearched how many
	// text messages are looked through for those of an order, as the inbox cannot search them.
	messagesShown, messagesSearched = 40, 200
)

// message is a mail or a text message in the inbox.
type message struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"` // mail or sms
	At      time.Time `json:"at"`
	Subject string    `json:"subject"` // of a text message, all that it says
	Link    string    `json:"link"`
	Order   string    `json:"order,omitempty"` // that it tells of
	Trace   string    `json:"trace,omitempty"` // in which it was sent
}

// newestMessages asks the inbox, newest first. It is empty where there is no inbox or it does not
// answer.
func (c *Console) newestMessages(ctx context.Context) []message {
	all := append(c.mails(ctx, "", messagesShown), c.texts(ctx, messagesShown)...)
	slices.SortStableFunc(all, func(a, b message) int { return b.At.Compare(a.At) })
	return all[:min(messagesShown, len(all))]
}

// mailsOf are the mails and text messages that tell of an order.
func (c *Console) mailsOf(ctx context.Context, order string) []message {
	texts := slices.DeleteFunc(c.texts(ctx, messagesSearched), func(m message) bool {
		return m.Order != order
	})
	return append(c.mails(ctx, order, messagesShown), texts...)
}

// mails asks the inbox for its newest mails; with an order, for those that tell of it.
func (c *Console) mails(ctx context.Context, order string, limit int) []message {
	path := "/api/v1/messages?limit=" + strconv.Itoa(limit)
	if order != "" {
		path = "/api/v1/search?limit=" + strconv.Itoa(limit) +
			"&query=" + url.QueryEscape(strconv.Quote(order))
	}
	var answer struct {
		Messages []struct {
			ID, Subject, Snippet string
			Created              time.Time
		} `json:"messages"`
	}
	found := []message{}
	inbox := c.system.InboxURL()
	if inbox == "" || fetch(ctx, inbox+path, "", nil, &answer) != nil {
		return found
	}
	for _, m := range answer.Messages {
		found = append(found, message{
			ID: m.ID, Kind: "mail", At: m.Created, Subject: m.Subject, Link: inbox + "/#" + m.ID,
			Order: cmp.Or(order, firstOrder(m.Subject+" "+m.Snippet)),
		})
	}
	return found
}

// code is what a text message with a code begins with. It is for its reader alone.
var code = regexp.MustCompile(`^[0-9]{4,}\b`)

// texts asks the inbox for its newest text messages. One that is not of the launcher has none.
func (c *Console) texts(ctx context.Context, limit int) []message {
	var answer struct {
		Messages []struct {
			ID, Body string
			Created  time.Time
		} `json:"messages"`
	}
	found := []message{}
	inbox, path := c.system.InboxURL(), "/api/v1/sms?limit="+strconv.Itoa(limit)
	if inbox == "" || fetch(ctx, inbox+path, "", nil, &answer) != nil {
		return found
	}
	for _, m := range answer.Messages {
		found = append(found, message{
			ID: m.ID, Kind: "sms", At: m.Created, Subject: code.ReplaceAllString(m.Body, "••••"),
			Link: inbox + "/#" + m.ID, Order: firstOrder(m.Body),
		})
	}
	return found
}

func firstOrder(text string) string {
	if ids := traces.Orders(text); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// getMails answers with the newest messages and the trace in which each was sent: the one that a
// mail names in its headers, or else the only one that was sending something when it came.
func (c *Console) getMails(w http.ResponseWriter, r *http.Request) {
	list := slices.Clone(c.inbox.get(r.Context()))
	sent := c.traces.Where(sending)
	for i := range list {
		m := &list[i]
		if m.Kind == "mail" {
			m.Trace = c.headers.traceOf(r.Context(), c.system.InboxURL(), m.ID)
		}
		m.Trace = cmp.Or(m.Trace, underWay(sent, m.At))
	}
	write(w, map[string]any{"mails": list})
}

// sending tells the spans in which a service sends a message.
func sending(s *traces.Span) bool {
	return component(s) != "" && strings.HasSuffix(s.Name, "/InvokeBinding")
}

// underWay is the trace of the only span in whose time a message came, which the inbox writes down
// to the millisecond; or "" where there are several or none.
func underWay(spans []*traces.Span, came time.Time) (trace string) {
	at := came.UnixMicro()
	for _, s := range spans {
		if s.Start-1000 > at || s.Start+s.Duration < at || s.TraceID == trace {
			continue
		}
		if trace != "" {
			return ""
		}
		trace = s.TraceID
	}
	return trace
}

// headers remembers which trace each mail names, as a mail never changes. It is safe for concurrent
// use.
type headers struct {
	mu    sync.Mutex
	trace map[string]string // by mail
}

// traceOf reads the trace id from a mail's headers, as W3C Trace Context or by itself.
func (h *headers) traceOf(ctx context.Context, inbox, id string) string {
	h.mu.Lock()
	trace, known := h.trace[id]
	h.mu.Unlock()
	if known {
		return trace
	}
	var list map[string][]string
	address := inbox + "/api/v1/message/" + url.PathEscape(id) + "/headers"
	if fetch(ctx, address, "", nil, &list) != nil {
		return ""
	}
	header := http.Header{}
	for name, values := range list {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	trace = cmp.Or(header.Get("X-Trace-Id"), header.Get("Trace-Id"))
	if parent := header.Get("Traceparent"); len(parent) == 55 {
		trace = parent[3:35]
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.trace) > 10*messagesShown || h.trace == nil { // mails come and go
		h.trace = map[string]string{}
	}
	h.trace[id] = trace
	return trace
}

package console

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sidecart.dev/local/console/traces"
)

// mail is a message in the inbox.
type mail struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Subject string    `json:"subject"`
	Link    string    `json:"link"`
	Order   string    `json:"order,omitempty"` // that it tells of
}

// mails asks the inbox for its newest mails, newest first; with an order, for those that tell of
// it. It is empty where there is no inbox or it does not answer.
func (c *Console) mails(ctx context.Context, order string, limit int) []mail {
	found := []mail{}
	inbox := c.system.InboxURL()
	if inbox == "" {
		return found
	}
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
	if fetch(ctx, inbox+path, "", &answer) != nil {
		return found
	}
	for _, m := range answer.Messages {
		about := ""
		if ids := traces.Orders(m.Subject + " " + m.Snippet); len(ids) > 0 {
			about = ids[0]
		}
		found = append(found, mail{
			ID: m.ID, At: m.Created, Subject: m.Subject, Link: inbox + "/#" + m.ID,
			Order: cmp.Or(order, about),
		})
	}
	return found
}

// message is a mail with what its headers say of where it comes from.
type message struct {
	mail
	Trace string `json:"trace,omitempty"`
}

// getMails answers with the newest mails and the trace that each names in its headers.
func (c *Console) getMails(w http.ResponseWriter, r *http.Request) {
	list := []message{}
	for _, m := range c.mails(r.Context(), "", 30) {
		list = append(list, message{mail: m, Trace: c.traceOf(r.Context(), m.ID)})
	}
	write(w, map[string]any{"mails": list})
}

// traceOf reads the trace id from a mail's headers, as W3C Trace Context or by itself.
func (c *Console) traceOf(ctx context.Context, id string) string {
	var headers map[string][]string
	address := c.system.InboxURL() + "/api/v1/message/" + url.PathEscape(id) + "/headers"
	if fetch(ctx, address, "", &headers) != nil {
		return ""
	}
	header := http.Header{}
	for name, values := range headers {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	if parent := header.Get("Traceparent"); len(parent) == 55 {
		return parent[3:35]
	}
	return cmp.Or(header.Get("X-Trace-Id"), header.Get("Trace-Id"))
}

// unseen prepares a question that the console asks for itself: with the sidecar's token, where
// there is one, and in a trace that nobody records. A sidecar would begin a recorded one, and what
// is looked at would fill with the looking.
func unseen(req *http.Request, token string) {
	if token != "" {
		req.Header.Set("dapr-api-token", token)
	}
	id := strings.ToLower(rand.Text())
	trace, span := hex.EncodeToString([]byte(id[:16])), hex.EncodeToString([]byte(id[16:24]))
	req.Header.Set("traceparent", "00-"+trace+"-"+span+"-00")
}

// fetch reads a JSON answer of a server of this machine.
func fetch(ctx context.Context, url, token string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	unseen(req, token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 4<<20)).Decode(into)
}

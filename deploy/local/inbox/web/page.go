package web

import (
	"embed"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sidecart.dev/local/inbox/mailbox"
)

//go:embed page
var assets embed.FS

// asset serves a file of the page, which may load nothing from elsewhere.
func asset(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
				"img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'self'; "+
				"frame-ancestors 'none'")
		http.ServeFileFS(w, r, assets, "page/"+name)
	})
}

// listItem is a row of the page's list.
type listItem struct {
	Kind string        `json:"kind"` // "mail" or "sms"
	Mail *mailbox.Mail `json:"mail,omitempty"`
	SMS  *mailbox.SMS  `json:"sms,omitempty"`
}

// listAll answers with mail and SMS together, for the page.
func (s *server) listAll(w http.ResponseWriter, r *http.Request) {
	start, limit := stretch(r)
	all := s.box.List(mailbox.Any, 0, 0)
	found := s.box.List(mailbox.Query(r.URL.Query().Get("query")), start, limit)
	items := make([]listItem, 0, len(found.Messages))
	for _, m := range found.Messages {
		if mailbox.IsSMS(m) {
			view := m.SMS()
			items = append(items, listItem{Kind: "sms", SMS: &view})
			continue
		}
		view := m.Mail()
		items = append(items, listItem{Kind: "mail", Mail: &view})
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"total": all.Total, "unread": all.Unread, "matching": found.Total,
		"start": start, "items": items,
	})
}

// getAny answers with one mail or SMS, for the page, and marks it read.
func (s *server) getAny(w http.ResponseWriter, r *http.Request) {
	m, ok := s.box.Get(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.box.MarkRead(m)
	if mailbox.IsSMS(m) {
		writeJSON(w, http.StatusOK, map[string]any{"kind": "sms", "sms": m.SMS()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"kind": "mail", "mail": m.Detail()})
}

// view serves /view/{ID}.html and /view/{ID}.txt.
func (s *server) view(w http.ResponseWriter, r *http.Request) {
	id, kind, _ := strings.Cut(r.PathValue("file"), ".")
	r.SetPathValue("id", id)
	switch kind {
	case "html":
		s.withMail(s.viewHTML)(w, r)
	case "txt":
		s.withMail(s.viewText)(w, r)
	default:
		http.NotFound(w, r)
	}
}

const (
	eventPause = 250 * time.Millisecond // a burst of mails is one event
	eventBeat  = 20 * time.Second       // finds out that the page is gone
)

// events tells the page when the mailbox changed, as server-sent events.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	text := "retry: 1000\n\n"
	beat := time.NewTicker(eventBeat)
	defer beat.Stop()
	for {
		changed := s.box.NextChange()
		if _, err := fmt.Fprint(w, text); err != nil || stream.Flush() != nil {
			return
		}
		select {
		case <-changed:
			text = "event: change\ndata: {}\n\n"
			select {
			case <-time.After(eventPause):
			case <-r.Context().Done():
				return
			}
		case <-beat.C:
			text = ": still here\n\n"
		case <-r.Context().Done():
			return
		}
	}
}

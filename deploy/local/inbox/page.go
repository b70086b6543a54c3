package inbox

import (
	"embed"
	"fmt"
	"net/http"
	"strings"
	"time"
)

//go:embed page
var assets embed.FS

// asset serves a file of the page, which may load nothing from elsewhere.
func asset(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
			"img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		http.ServeFileFS(w, r, assets, "page/"+name)
	})
}

// listItem is a row of the page's list.
type listItem struct {
	Kind string       `json:"kind"` // "mail" or "sms"
	Mail *mailSummary `json:"mail,omitempty"`
	SMS  *smsMessage  `json:"sms,omitempty"`
}

// listAll answers with mail and SMS together, for the page.
func (s *Server) listAll(w http.ResponseWriter, r *http.Request) {
	start, limit := stretch(r)
	all := s.box.list(isAny, 0, 0)
	found := s.box.list(query(r.URL.Query().Get("query")), start, limit)
	items := make([]listItem, 0, len(found.messages))
	for _, m := range found.messages {
		if isSMS(m) {
			view := m.smsView()
			items = append(items, listItem{Kind: "sms", SMS: &view})
			continue
		}
		view := m.summary()
		items = append(items, listItem{Kind: "mail", Mail: &view})
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"total": all.total, "unread": all.unread, "matching": found.total, "start": start, "items": items,
	})
}

// getAny answers with one mail or SMS, for the page, and marks it read.
func (s *Server) getAny(w http.ResponseWriter, r *http.Request) {
	m, ok := s.box.get(r.PathValue("id"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.box.markRead(m)
	if isSMS(m) {
		writeJSON(w, http.StatusOK, map[string]any{"kind": "sms", "sms": m.smsView()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"kind": "mail", "mail": m.detail()})
}

// view serves /view/{ID}.html and /view/{ID}.txt.
func (s *Server) view(w http.ResponseWriter, r *http.Request) {
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
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	text := "retry: 1000\n\n"
	for {
		changed := s.box.nextChange()
		if _, err := fmt.Fprint(w, text); err != nil || stream.Flush() != nil {
			return
		}
		beat := time.NewTimer(eventBeat)
		select {
		case <-changed:
			text = "event: change\ndata: {}\n\n"
			s.wait(r.Context(), eventPause)
		case <-beat.C:
			text = ": still here\n\n"
		case <-r.Context().Done():
		case <-s.closing:
		}
		beat.Stop()
		select {
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		default:
		}
	}
}

package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/mail"
	"runtime"
	"strconv"
	"strings"
	"time"

	"sidecart.dev/local/inbox/mailbox"
)

// mailList is the answer of Mailpit's list and search.
type mailList struct {
	Total          int            `json:"total"`
	Unread         int            `json:"unread"`
	Count          int            `json:"count"`
	MessagesCount  int            `json:"messages_count"`
	MessagesUnread int            `json:"messages_unread"`
	Start          int            `json:"start"`
	Tags           []string       `json:"tags"`
	Messages       []mailbox.Mail `json:"messages"`
}

// stretch reads start and limit as Mailpit does: what is not a number counts as
// absent. A limit is never more than a thousand.
func stretch(r *http.Request) (start, limit int) {
	start, limit = 0, 50
	if n, err := strconv.Atoi(r.URL.Query().Get("start")); err == nil && n > 0 {
		start = n
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil && n >= 0 {
		limit = n
	}
	return start, min(limit, 1000)
}

func (s *server) listMail(w http.ResponseWriter, r *http.Request) {
	s.answerList(w, r, mailbox.IsMail)
}

func (s *server) searchMail(w http.ResponseWriter, r *http.Request) {
	if match, ok := searched(w, r); ok {
		s.answerList(w, r, match)
	}
}

// searched accepts the mails that the request's query finds. Without a query it has answered.
func searched(
	w http.ResponseWriter, r *http.Request,
) (match func(*mailbox.Message) bool, ok bool) {
	text := strings.TrimSpace(r.URL.Query().Get("query"))
	if text == "" {
		badRequest(w, errors.New("Error: no search query")) //nolint:staticcheck // Mailpit's words
		return nil, false
	}
	found := mailbox.Query(text)
	return func(m *mailbox.Message) bool { return mailbox.IsMail(m) && found(m) }, true
}

func (s *server) answerList(
	w http.ResponseWriter, r *http.Request, match func(*mailbox.Message) bool,
) {
	start, limit := stretch(r)
	all := s.box.List(mailbox.IsMail, 0, 0)
	found := s.box.List(match, start, limit)
	answer := mailList{
		Total: all.Total, Unread: all.Unread, Count: len(found.Messages),
		MessagesCount: found.Total, MessagesUnread: found.Unread,
		Start: start, Tags: []string{}, Messages: []mailbox.Mail{},
	}
	for _, m := range found.Messages {
		answer.Messages = append(answer.Messages, m.Mail())
	}
	writeJSON(w, http.StatusOK, answer)
}

// withMail calls next with the mail that the path names, or answers 404.
func (s *server) withMail(
	next func(http.ResponseWriter, *http.Request, *mailbox.Message),
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m, ok := s.box.Get(r.PathValue("id"))
		if !ok || !mailbox.IsMail(m) {
			http.NotFound(w, r)
			return
		}
		next(w, r, m)
	}
}

func (s *server) getMail(w http.ResponseWriter, _ *http.Request, m *mailbox.Message) {
	s.box.MarkRead(m)
	writeJSON(w, http.StatusOK, m.Detail())
}

func (s *server) getHeaders(w http.ResponseWriter, _ *http.Request, m *mailbox.Message) {
	parsed, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		badRequest(w, err)
		return
	}
	writeJSON(w, http.StatusOK, parsed.Header)
}

func (s *server) getRaw(w http.ResponseWriter, r *http.Request, m *mailbox.Message) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if r.URL.Query().Get("dl") == "1" {
		w.Header().Set("Content-Disposition", `attachment; filename="`+m.ID+`.eml"`)
	}
	_, _ = w.Write(m.Raw)
}

// getPart serves an attachment; anything a browser might run is downloaded.
func (s *server) getPart(w http.ResponseWriter, r *http.Request, m *mailbox.Message) {
	part, ok := m.Part(r.PathValue("part"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	contentType, disposition := part.ContentType, "inline"
	shown := strings.HasPrefix(contentType, "image/") || contentType == "text/plain"
	if !shown || strings.Contains(contentType, "svg") {
		contentType, disposition = "application/octet-stream", "attachment"
	}
	w.Header().Set("Content-Type", contentType)
	named := map[string]string{"filename": part.FileName}
	w.Header().Set("Content-Disposition", mime.FormatMediaType(disposition, named))
	_, _ = w.Write(part.Content)
}

// viewHTML shows the HTML of a mail, as itself and in the page's frame: no
// script, nothing from elsewhere, no access to this origin.
func (s *server) viewHTML(w http.ResponseWriter, _ *http.Request, m *mailbox.Message) {
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "+
			"frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(m.Detail().HTML + "\n<base target=\"_blank\">\n"))
}

func (s *server) viewText(w http.ResponseWriter, _ *http.Request, m *mailbox.Message) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(m.Detail().Text))
}

// deleteMessages deletes the messages of a list of ids or, without one,
// everything, SMS messages included.
func (s *server) deleteMessages(w http.ResponseWriter, r *http.Request) {
	var request struct{ IDs []string }
	_ = json.NewDecoder(r.Body).Decode(&request) // no body means all, as in Mailpit
	s.box.Delete(selection(request.IDs))
	writeOK(w)
}

// putMessages sets or clears the read mark.
func (s *server) putMessages(w http.ResponseWriter, r *http.Request) {
	var request struct {
		IDs    []string
		Read   bool
		Search string
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		badRequest(w, err)
		return
	}
	match := selection(request.IDs)
	if request.Search != "" {
		match = mailbox.Query(request.Search)
	}
	s.box.SetRead(match, request.Read)
	writeOK(w)
}

func (s *server) deleteSearch(w http.ResponseWriter, r *http.Request) {
	if match, ok := searched(w, r); ok {
		s.box.Delete(match)
		writeOK(w)
	}
}

// selection accepts the given ids, or everything when there are none.
func selection(ids []string) func(*mailbox.Message) bool {
	if len(ids) == 0 {
		return mailbox.Any
	}
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	return func(m *mailbox.Message) bool { return wanted[m.ID] }
}

// getInfo answers in the shape of Mailpit's application information.
func (s *server) getInfo(w http.ResponseWriter, _ *http.Request) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	stats := s.box.Stats()
	all := s.box.List(mailbox.IsMail, 0, 0)
	writeJSON(w, http.StatusOK, map[string]any{
		"Version": "sidecart-inbox", "LatestVersion": "disabled",
		"Database": "memory", "DatabaseSize": stats.Held,
		"Messages": all.Total, "Unread": all.Unread, "Tags": map[string]int{},
		"RuntimeStats": map[string]any{
			"Uptime":           uint64(time.Since(s.started).Seconds()),
			"Memory":           memory.Sys - memory.HeapReleased,
			"MessagesDeleted":  stats.Deleted,
			"SMTPAccepted":     stats.Accepted,
			"SMTPAcceptedSize": stats.AcceptedSize,
			"SMTPRejected":     stats.Rejected,
			"SMTPIgnored":      0,
		},
	})
}

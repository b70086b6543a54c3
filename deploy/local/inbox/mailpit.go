package inbox

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
)

// mailList is the answer of Mailpit's list and search.
type mailList struct {
	Total          int           `json:"total"`
	Unread         int           `json:"unread"`
	Count          int           `json:"count"`
	MessagesCount  int           `json:"messages_count"`
	MessagesUnread int           `json:"messages_unread"`
	Start          int           `json:"start"`
	Tags           []string      `json:"tags"`
	Messages       []mailSummary `json:"messages"`
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

func (s *Server) listMail(w http.ResponseWriter, r *http.Request) {
	s.answerList(w, r, isMail)
}

func (s *Server) searchMail(w http.ResponseWriter, r *http.Request) {
	text := strings.TrimSpace(r.URL.Query().Get("query"))
	if text == "" {
		badRequest(w, errors.New("Error: no search query")) //nolint:staticcheck // Mailpit's words
		return
	}
	match := query(text)
	s.answerList(w, r, func(m *message) bool { return isMail(m) && match(m) })
}

func (s *Server) answerList(w http.ResponseWriter, r *http.Request, match func(*message) bool) {
	start, limit := stretch(r)
	all := s.box.list(isMail, 0, 0)
	found := s.box.list(match, start, limit)
	answer := mailList{
		Total: all.total, Unread: all.unread, Count: len(found.messages),
		MessagesCount: found.total, MessagesUnread: found.unread,
		Start: start, Tags: []string{}, Messages: []mailSummary{},
	}
	for _, m := range found.messages {
		answer.Messages = append(answer.Messages, m.summary())
	}
	writeJSON(w, http.StatusOK, answer)
}

func (m *message) summary() mailSummary {
	view := *m.mail
	view.Read = m.read.Load()
	return view
}

// withMail calls next with the mail that the path names, or answers 404.
func (s *Server) withMail(next func(http.ResponseWriter, *http.Request, *message)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m, ok := s.box.get(r.PathValue("id"))
		if !ok || !isMail(m) {
			http.NotFound(w, r)
			return
		}
		next(w, r, m)
	}
}

func (s *Server) getMail(w http.ResponseWriter, _ *http.Request, m *message) {
	s.box.markRead(m)
	writeJSON(w, http.StatusOK, m.detail())
}

func (s *Server) getHeaders(w http.ResponseWriter, _ *http.Request, m *message) {
	parsed, err := mail.ReadMessage(bytes.NewReader(m.raw))
	if err != nil {
		badRequest(w, err)
		return
	}
	writeJSON(w, http.StatusOK, parsed.Header)
}

func (s *Server) getRaw(w http.ResponseWriter, r *http.Request, m *message) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if r.URL.Query().Get("dl") == "1" {
		w.Header().Set("Content-Disposition", `attachment; filename="`+m.id+`.eml"`)
	}
	_, _ = w.Write(m.raw)
}

// getPart serves an attachment; anything a browser might run is downloaded.
func (s *Server) getPart(w http.ResponseWriter, r *http.Request, m *message) {
	part, ok := m.part(r.PathValue("part"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	contentType, disposition := part.ContentType, "inline"
	if !strings.HasPrefix(contentType, "image/") && contentType != "text/plain" || strings.Contains(contentType, "svg") {
		contentType, disposition = "application/octet-stream", "attachment"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": part.FileName}))
	_, _ = w.Write(part.Content)
}

// viewHTML shows the HTML of a mail, as itself and in the page's frame: no
// script, nothing from elsewhere, no access to this origin.
func (s *Server) viewHTML(w http.ResponseWriter, _ *http.Request, m *message) {
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'; "+
			"sandbox allow-popups allow-popups-to-escape-sandbox")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(m.detail().HTML + "\n<base target=\"_blank\">\n"))
}

func (s *Server) viewText(w http.ResponseWriter, _ *http.Request, m *message) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(m.detail().Text))
}

// deleteMessages deletes the messages of a list of ids or, without one,
// everything, SMS messages included.
func (s *Server) deleteMessages(w http.ResponseWriter, r *http.Request) {
	var request struct{ IDs []string }
	_ = json.NewDecoder(r.Body).Decode(&request) // no body means all, as in Mailpit
	s.box.delete(selection(request.IDs))
	writeOK(w)
}

// putMessages sets or clears the read mark.
func (s *Server) putMessages(w http.ResponseWriter, r *http.Request) {
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
		match = query(request.Search)
	}
	s.box.setRead(match, request.Read)
	writeOK(w)
}

func (s *Server) deleteSearch(w http.ResponseWriter, r *http.Request) {
	text := strings.TrimSpace(r.URL.Query().Get("query"))
	if text == "" {
		badRequest(w, errors.New("Error: no search query")) //nolint:staticcheck // Mailpit's words
		return
	}
	match := query(text)
	s.box.delete(func(m *message) bool { return isMail(m) && match(m) })
	writeOK(w)
}

// selection accepts the given ids, or everything when there are none.
func selection(ids []string) func(*message) bool {
	if len(ids) == 0 {
		return isAny
	}
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	return func(m *message) bool { return wanted[m.id] }
}

// getInfo answers in the shape of Mailpit's application information.
func (s *Server) getInfo(w http.ResponseWriter, _ *http.Request) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	stats, held := s.box.snapshot()
	all := s.box.list(isMail, 0, 0)
	writeJSON(w, http.StatusOK, map[string]any{
		"Version": "sidecart-inbox", "LatestVersion": "disabled", "Database": "memory", "DatabaseSize": held,
		"Messages": all.total, "Unread": all.unread, "Tags": map[string]int{},
		"RuntimeStats": map[string]any{
			"Uptime": uint64(time.Since(s.started).Seconds()), "Memory": memory.Sys - memory.HeapReleased,
			"MessagesDeleted": stats.deleted, "SMTPAccepted": stats.accepted, "SMTPAcceptedSize": stats.acceptedSize,
			"SMTPRejected": stats.rejected, "SMTPIgnored": 0,
		},
	})
}

package inbox

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// smsMessage is a caught SMS, as GET /api/v1/sms shows it.
type smsMessage struct {
	ID        string
	From      string
	To        string
	Body      string
	Reference string
	Read      bool
	Created   time.Time
}

// smsRequest is what an output binding posts to /sms.
type smsRequest struct {
	To        string `json:"to"`
	From      string `json:"from"`
	Message   string `json:"message"`
	Body      string `json:"body"`
	Text      string `json:"text"`
	Reference string `json:"reference"`
}

// smsList is the answer of GET /api/v1/sms, shaped like Mailpit's lists.
type smsList struct {
	Total         int          `json:"total"`
	MessagesCount int          `json:"messages_count"`
	Start         int          `json:"start"`
	Messages      []smsMessage `json:"messages"`
}

func newSMS(from, to, body, reference string, now time.Time) *message {
	m := &message{id: rand.Text(), created: now.UTC().Truncate(time.Millisecond)}
	m.sms = &smsMessage{ID: m.id, From: from, To: to, Body: body, Reference: reference, Created: m.created}
	m.search = strings.ToLower(strings.Join([]string{from, to, body, reference}, " "))
	return m
}

func (m *message) smsView() smsMessage {
	view := *m.sms
	view.Read = m.read.Load()
	return view
}

// postSMS takes an SMS as JSON: 202 with its id, 400 when it lacks a recipient
// or a text.
func (s *Server) postSMS(w http.ResponseWriter, r *http.Request) {
	var request smsRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		badRequest(w, err)
		return
	}
	body := cmp.Or(request.Message, request.Body, request.Text)
	if strings.TrimSpace(request.To) == "" || body == "" {
		badRequest(w, errors.New(`"to" and "message" are required`))
		return
	}
	reference := cmp.Or(request.Reference, r.Header.Get("Idempotency-Key"))
	m := newSMS(request.From, request.To, body, reference, time.Now())
	switch s.deliverSMS(r, m) {
	case Temporary:
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "temporary failure asked for by /api/faults"})
	case Permanent:
		writeJSON(w, http.StatusUnprocessableEntity, map[string]string{"error": "permanent failure asked for by /api/faults"})
	case Drop, DropAfterAccept:
		panic(http.ErrAbortHandler) // closes the connection without an answer
	default:
		writeJSON(w, http.StatusAccepted, map[string]string{"id": m.id, "status": "accepted"})
	}
}

// postTwilio takes an SMS as Twilio's API does, with its answers.
func (s *Server) postTwilio(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		twilioError(w, http.StatusBadRequest, 20001, err.Error())
		return
	}
	to, from, body := r.PostForm.Get("To"), r.PostForm.Get("From"), r.PostForm.Get("Body")
	switch {
	case to == "":
		twilioError(w, http.StatusBadRequest, 21604, "A 'To' phone number is required.")
		return
	case body == "":
		twilioError(w, http.StatusBadRequest, 21602, "Message body is required.")
		return
	}
	m := newSMS(from, to, body, r.Header.Get("Idempotency-Key"), time.Now())
	switch s.deliverSMS(r, m) {
	case Temporary:
		twilioError(w, http.StatusServiceUnavailable, 20503, "Temporary failure asked for by /api/faults")
	case Permanent:
		twilioError(w, http.StatusBadRequest, 21211, "Permanent failure asked for by /api/faults")
	case Drop, DropAfterAccept:
		panic(http.ErrAbortHandler)
	default:
		writeJSON(w, http.StatusCreated, twilioMessage(r.PathValue("sid"), m))
	}
}

// deliverSMS keeps the message unless the faults in force forbid it.
func (s *Server) deliverSMS(r *http.Request, m *message) Outcome {
	outcome, delay := s.faults.take(smsOutcome, m.sms.To)
	s.wait(r.Context(), delay)
	if outcome == Accept || outcome == DropAfterAccept {
		s.box.add(m)
	}
	s.log.Debug("sms received", "bytes", len(m.sms.Body), "outcome", outcome)
	return outcome
}

func twilioMessage(account string, m *message) map[string]any {
	sid := "SM" + strings.ToLower(m.id)
	return map[string]any{
		"sid": sid, "account_sid": account, "api_version": "2010-04-01",
		"to": m.sms.To, "from": m.sms.From, "body": m.sms.Body,
		"status": "queued", "direction": "outbound-api", "num_segments": "1", "num_media": "0",
		"date_created": m.created.Format(time.RFC1123Z), "date_updated": m.created.Format(time.RFC1123Z), "date_sent": nil,
		"error_code": nil, "error_message": nil, "price": nil, "price_unit": "USD",
		"uri": "/2010-04-01/Accounts/" + account + "/Messages/" + sid + ".json",
	}
}

func twilioError(w http.ResponseWriter, status, code int, text string) {
	writeJSON(w, status, map[string]any{
		"code": code, "message": text, "more_info": "https://www.twilio.com/docs/errors", "status": status,
	})
}

// listSMS answers with the SMS messages, newest first, optionally of one number.
func (s *Server) listSMS(w http.ResponseWriter, r *http.Request) {
	to := digits(r.URL.Query().Get("to"))
	start, limit := stretch(r)
	found := s.box.list(func(m *message) bool {
		return isSMS(m) && (to == "" || digits(m.sms.To) == to)
	}, start, limit)
	answer := smsList{Total: s.box.list(isSMS, 0, 0).total, MessagesCount: found.total, Start: start, Messages: []smsMessage{}}
	for _, m := range found.messages {
		answer.Messages = append(answer.Messages, m.smsView())
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) deleteSMS(w http.ResponseWriter, _ *http.Request) {
	s.box.delete(isSMS)
	writeOK(w)
}

// digits is a phone number as it is compared.
func digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
}

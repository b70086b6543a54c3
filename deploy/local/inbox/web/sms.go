package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"sidecart.dev/local/inbox/faults"
	"sidecart.dev/local/inbox/mailbox"
)

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
	Total         int           `json:"total"`
	MessagesCount int           `json:"messages_count"`
	Start         int           `json:"start"`
	Messages      []mailbox.SMS `json:"messages"`
}

// postSMS takes an SMS as JSON: 202 with its id, 400 when it lacks a recipient
// or a text.
func (s *server) postSMS(w http.ResponseWriter, r *http.Request) {
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
	m := mailbox.NewSMS(request.From, request.To, body, reference, time.Now())
	switch s.deliverSMS(r, m) {
	case faults.Temporary:
		smsError(w, http.StatusServiceUnavailable, "temporary failure asked for by /api/faults")
	case faults.Permanent:
		smsError(w, http.StatusUnprocessableEntity, "permanent failure asked for by /api/faults")
	case faults.Drop, faults.DropAfterAccept:
		panic(http.ErrAbortHandler) // closes the connection without an answer
	default:
		writeJSON(w, http.StatusAccepted, map[string]string{"id": m.ID, "status": "accepted"})
	}
}

func smsError(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, map[string]string{"error": text})
}

// postTwilio takes an SMS as Twilio's API does, with its answers.
func (s *server) postTwilio(w http.ResponseWriter, r *http.Request) {
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
	m := mailbox.NewSMS(from, to, body, r.Header.Get("Idempotency-Key"), time.Now())
	switch s.deliverSMS(r, m) {
	case faults.Temporary:
		twilioError(w, http.StatusServiceUnavailable, 20503,
			"Temporary failure asked for by /api/faults")
	case faults.Permanent:
		twilioError(w, http.StatusBadRequest, 21211,
			"Permanent failure asked for by /api/faults")
	case faults.Drop, faults.DropAfterAccept:
		panic(http.ErrAbortHandler)
	default:
		writeJSON(w, http.StatusCreated, twilioMessage(r.PathValue("sid"), m))
	}
}

// deliverSMS keeps the message unless the faults in force forbid it.
func (s *server) deliverSMS(r *http.Request, m *mailbox.Message) faults.Outcome {
	sms := m.SMS()
	outcome := s.faults.SMS(r.Context(), sms.To)
	if outcome.Kept() {
		s.box.Add(m)
	}
	s.Logger.Debug("sms received", "bytes", len(sms.Body), "outcome", outcome)
	return outcome
}

func twilioMessage(account string, m *mailbox.Message) map[string]any {
	sid, sms := "SM"+strings.ToLower(m.ID), m.SMS()
	created := m.Created.Format(time.RFC1123Z)
	return map[string]any{
		"sid": sid, "account_sid": account, "api_version": "2010-04-01",
		"to": sms.To, "from": sms.From, "body": sms.Body,
		"status": "queued", "direction": "outbound-api", "num_segments": "1", "num_media": "0",
		"date_created": created, "date_updated": created, "date_sent": nil,
		"error_code": nil, "error_message": nil, "price": nil, "price_unit": "USD",
		"uri": "/2010-04-01/Accounts/" + account + "/Messages/" + sid + ".json",
	}
}

func twilioError(w http.ResponseWriter, status, code int, text string) {
	writeJSON(w, status, map[string]any{
		"code": code, "message": text, "status": status,
		"more_info": "https://www.twilio.com/docs/errors",
	})
}

// listSMS answers with the SMS messages, newest first, optionally of one number.
func (s *server) listSMS(w http.ResponseWriter, r *http.Request) {
	start, limit := stretch(r)
	found := s.box.List(mailbox.SentTo(r.URL.Query().Get("to")), start, limit)
	answer := smsList{
		Total: s.box.List(mailbox.IsSMS, 0, 0).Total, MessagesCount: found.Total,
		Start: start, Messages: []mailbox.SMS{},
	}
	for _, m := range found.Messages {
		answer.Messages = append(answer.Messages, m.SMS())
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *server) deleteSMS(w http.ResponseWriter, _ *http.Request) {
	s.box.Delete(mailbox.IsSMS)
	writeOK(w)
}

package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Inbox reads a Mailpit-compatible mailbox.
type Inbox struct{ Base string }

// Mail is a message's head.
type Mail struct {
	ID      string
	Subject string
	To      []struct{ Name, Address string }
	Cc      []struct{ Name, Address string }
	Created time.Time
}

// Body is a message with its text.
type Body struct {
	Mail
	HTML string
	Text string
}

// SMS is a captured text message.
type SMS struct {
	To   string `json:"to"`
	Body string `json:"body"`
}

// To returns the mails to an address, newest first.
func (i Inbox) To(ctx context.Context, address string) ([]Mail, error) {
	var answer struct {
		Messages []Mail `json:"messages"`
	}
	err := i.get(ctx, "/api/v1/search?limit=200&query="+url.QueryEscape("to:"+address), &answer)
	return answer.Messages, err
}

// Read returns a message with its text.
func (i Inbox) Read(ctx context.Context, id string) (Body, error) {
	var body Body
	return body, i.get(ctx, "/api/v1/message/"+id, &body)
}

func (i Inbox) get(ctx context.Context, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.Base+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("inbox answered %s to %s", resp.Status, path)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// SMS returns the text messages to a number, newest first. It is the inbox's own: Mailpit has none.
func (i Inbox) SMS(ctx context.Context, number string) ([]SMS, error) {
	var answer struct {
		Messages []SMS `json:"messages"`
	}
	err := i.get(ctx, "/api/v1/sms?to="+url.QueryEscape(number), &answer)
	return answer.Messages, err
}

// Find returns the mails that contain a word, newest first.
func (i Inbox) Find(ctx context.Context, word string) ([]Mail, error) {
	var answer struct {
		Messages []Mail `json:"messages"`
	}
	err := i.get(ctx, "/api/v1/search?limit=50&query="+url.QueryEscape(word), &answer)
	return answer.Messages, err
}

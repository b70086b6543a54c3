package inbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"sidecart.dev/local/inbox"
)

func TestSearchUnderstandsMailpitsTerms(t *testing.T) {
	s := start(t, inbox.Config{})
	send(t, s, plain("Ada <ada@example.org>", "Order placed", "Your espresso machine"), "ada@example.org")
	send(t, s, plain("bob@example.org", "Payment failed", "placed with care"), "bob@example.org")
	send(t, s, multipart, "ada@example.org", "charles@example.org")
	for query, want := range map[string]int{
		"to:ada@example.org":                        2,
		`to:"ada@example.org"`:                      2,
		"TO:ADA@example.org":                        2,
		"from:shop@sidecart.local":                  3,
		`subject:"order placed"`:                    2,
		`to:ada@example.org subject:"Order placed"`: 2,
		`"espresso machine"`:                        1,
		"espresso":                                  1,
		"machine espresso":                          1,
		"placed":                                    3,
		"placed -subject:payment":                   2,
		"!placed":                                   0,
		"cc:charles":                                1,
		"message-id:ntf_1@sidecart.local":           1,
		"has:attachment":                            1,
		"is:unread to:bob":                          1,
		"after:2020-01-01":                          3,
		"before:2020-01-01":                         0,
		"nothing-like-it":                           0,
	} {
		if got := search(t, s, query); got.MessagesCount != want || len(got.Messages) != want || got.Total != 3 {
			t.Errorf("search %q finds %d (%d listed) of %d, want %d of 3",
				query, got.MessagesCount, len(got.Messages), got.Total, want)
		}
	}
}

func TestListsAreNewestFirstAndPaged(t *testing.T) {
	s := start(t, inbox.Config{})
	for i := range 5 {
		send(t, s, plain("ada@example.org", fmt.Sprint("n", i), "Hi"), "ada@example.org")
	}
	var found list
	call(t, s, "GET", "/api/v1/messages?start=1&limit=2", "", &found)
	if len(found.Messages) != 2 || found.Messages[0].Subject != "n3" ||
		found.Messages[1].Subject != "n2" || found.MessagesCount != 5 || found.Start != 1 {
		t.Errorf("page is %+v, want n3 and n2 of 5", found)
	}
}

func TestDeleteRemovesTheNamedMessagesOrAll(t *testing.T) {
	s := start(t, inbox.Config{})
	for _, subject := range []string{"one", "two", "three"} {
		send(t, s, plain("ada@example.org", subject, "Hi"), "ada@example.org")
	}
	body, _ := json.Marshal(map[string]any{"IDs": []string{search(t, s, "subject:two").Messages[0].ID}})
	if status, text := call(t, s, "DELETE", "/api/v1/messages", string(body), nil); status != 200 || text != "ok" {
		t.Fatalf("deleting one answers %d %q", status, text)
	}
	var found list
	call(t, s, "GET", "/api/v1/messages", "", &found)
	if found.Total != 2 || search(t, s, "subject:two").MessagesCount != 0 {
		t.Errorf("%d messages are left, want one and three", found.Total)
	}
	call(t, s, "DELETE", "/api/v1/messages", "", nil)
	call(t, s, "GET", "/api/v1/messages", "", &found)
	if found.Total != 0 {
		t.Errorf("%d messages are left after deleting all", found.Total)
	}
}

func TestAnyCredentialsAreAccepted(t *testing.T) {
	s := start(t, inbox.Config{})
	auth := smtp.PlainAuth("", "whoever", "whatever", "127.0.0.1")
	const to = "b@example.org"
	mail := []byte(plain(to, "Hi", "Hi"))
	err := smtp.SendMail(s.SMTPAddr(), auth, "a@example.org", []string{to}, mail)
	if err != nil {
		t.Fatalf("AUTH PLAIN: %v", err)
	}
	connection, err := net.Dial("tcp", s.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(connection, "EHLO test\r\nAUTH LOGIN\r\nd2hv\r\nd2hhdA==\r\nQUIT\r\n")
	var dialogue bytes.Buffer
	_, _ = io.Copy(&dialogue, connection)
	if !strings.Contains(dialogue.String(), "\r\n235 ") {
		t.Errorf("AUTH LOGIN was not accepted:\n%s", dialogue.String())
	}
}

package inbox_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sidecart.dev/local/inbox"
)

type smsList struct {
	Total         int                                              `json:"total"`
	MessagesCount int                                              `json:"messages_count"`
	Messages      []struct{ ID, From, To, Body, Reference string } `json:"messages"`
}

func TestSMSIsListedByNumberNewestFirst(t *testing.T) {
	s := start(t, inbox.Config{})
	for _, body := range []string{
		`{"to":"+49 151 1","from":"Sidecart","message":"first","reference":"ntf_1"}`,
		`{"to":"+491511","from":"Sidecart","body":"second"}`,
		`{"to":"+491522","text":"other"}`,
	} {
		if status, text := call(t, s, "POST", "/sms", body, nil); status != http.StatusAccepted {
			t.Fatalf("POST /sms %s answers %d %s", body, status, text)
		}
	}
	var found smsList
	call(t, s, "GET", "/api/v1/sms?to=+491511", "", &found)
	if found.Total != 3 || found.MessagesCount != 2 || len(found.Messages) != 2 {
		t.Fatalf("list is %+v, want 2 of 3", found)
	}
	if found.Messages[0].Body != "second" || found.Messages[1].Body != "first" || found.Messages[1].Reference != "ntf_1" {
		t.Errorf("messages are %+v, want second, first", found.Messages)
	}
	var mails list
	call(t, s, "GET", "/api/v1/messages", "", &mails)
	if mails.Total != 0 {
		t.Errorf("Mailpit's list counts %d messages, want no SMS in it", mails.Total)
	}
	for _, bad := range []string{"{}", `{"to":"+49"}`, `{"message":"hi"}`, "nonsense"} {
		if status, _ := call(t, s, "POST", "/sms", bad, nil); status != http.StatusBadRequest {
			t.Errorf("POST /sms %s answers %d, want 400", bad, status)
		}
	}
}

func TestTwilioRequestIsAccepted(t *testing.T) {
	s := start(t, inbox.Config{})
	path := "http://" + s.HTTPAddr() + "/2010-04-01/Accounts/AC123/Messages.json"
	answer, err := http.PostForm(path, url.Values{"To": {"+491511"}, "From": {"+49300"}, "Body": {"Grüße"}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		t.Errorf("status is %d, want 201", answer.StatusCode)
	}
	var found smsList
	call(t, s, "GET", "/api/v1/sms?to=%2B491511", "", &found)
	if len(found.Messages) != 1 || found.Messages[0].Body != "Grüße" || found.Messages[0].From != "+49300" {
		t.Errorf("messages are %+v", found.Messages)
	}
	missing, err := http.PostForm(path, url.Values{"Body": {"Hi"}})
	if err != nil {
		t.Fatal(err)
	}
	defer missing.Body.Close()
	if missing.StatusCode != http.StatusBadRequest {
		t.Errorf("without To the status is %d, want 400", missing.StatusCode)
	}
}

func TestSMTPFaultsSayWhatTheyAre(t *testing.T) {
	s := start(t, inbox.Config{})
	for _, c := range []struct {
		outcome, want string
		kept          int
	}{
		{"temporary", "451", 0},
		{"permanent", "554", 0},
		{"drop", "EOF", 0},
		{"drop_after_accept", "EOF", 1},
		{"accept", "", 1},
	} {
		call(t, s, "DELETE", "/api/v1/messages", "", nil)
		setFaults(t, s, `{"smtp":"`+c.outcome+`","delay_ms":1}`)
		err := trySend(s, plain("ada@example.org", "Hi", "Hi"), "ada@example.org")
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: sending failed: %v", c.outcome, err)
		case c.want == "EOF" && err == nil:
			t.Errorf("%s: sending succeeded, want a broken connection", c.outcome)
		case c.want != "" && c.want != "EOF" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%s: sending returned %v, want %s", c.outcome, err, c.want)
		}
		if got := search(t, s, "to:ada").MessagesCount; got != c.kept {
			t.Errorf("%s: %d messages were kept, want %d", c.outcome, got, c.kept)
		}
	}
}

func TestSMSFaultsSayWhatTheyAre(t *testing.T) {
	s := start(t, inbox.Config{})
	const body = `{"to":"+491511","message":"hi"}`
	for outcome, want := range map[string]int{"temporary": 503, "permanent": 422, "accept": 202} {
		setFaults(t, s, `{"sms":"`+outcome+`"}`)
		if status, _ := call(t, s, "POST", "/sms", body, nil); status != want {
			t.Errorf("%s answers %d, want %d", outcome, status, want)
		}
	}
	setFaults(t, s, `{"sms":"drop"}`)
	if answer, err := http.Post("http://"+s.HTTPAddr()+"/sms", "application/json", strings.NewReader(body)); err == nil {
		answer.Body.Close()
		t.Errorf("drop answered %d, want a broken connection", answer.StatusCode)
	}
}

func TestFaultsCanBeLimitedToARecipientAndANumber(t *testing.T) {
	s := start(t, inbox.Config{})
	setFaults(t, s, `{"smtp":"temporary","match":"ada@","times":1}`)
	source := plain("x@example.org", "Hi", "Hi")
	if err := trySend(s, source, "bob@example.org"); err != nil {
		t.Errorf("another recipient failed: %v", err)
	}
	if err := trySend(s, source, "ada@example.org"); err == nil {
		t.Error("the first mail to the recipient was accepted, want 451")
	}
	if err := trySend(s, source, "ada@example.org"); err != nil {
		t.Errorf("the second mail to the recipient failed: %v", err)
	}
	for _, bad := range []string{`{"smtp":"explode"}`, `{"delay_ms":-1}`, `{"unknown":1}`} {
		if status, _ := call(t, s, "PUT", "/api/faults", bad, nil); status != http.StatusBadRequest {
			t.Errorf("faults %s answer %d, want 400", bad, status)
		}
	}
}

func setFaults(t *testing.T, s *inbox.Server, faults string) {
	t.Helper()
	if status, text := call(t, s, "PUT", "/api/faults", faults, nil); status != http.StatusOK {
		t.Fatalf("PUT /api/faults %s answers %d %s", faults, status, text)
	}
}

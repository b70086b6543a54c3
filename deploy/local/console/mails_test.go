package console

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sidecart.dev/local/console/traces"
)

// withInbox is a system with an inbox.
type withInbox struct {
	*fake
	url string
}

func (s withInbox) InboxURL() string { return s.url }

func TestMailsAndTextMessagesSayWhyTheyWereSentAndKeepCodes(t *testing.T) {
	const order, trace = "ord_abcdefgh12", "0af7651916cd43dd8448eb211c80319c"
	asked := map[string]int{}
	inbox := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		switch r.URL.Path {
		case "/api/v1/messages":
			_, _ = io.WriteString(w, `{"messages":[{"ID":"m1","Subject":"Your receipt",
				"Snippet":"for `+order+`","Created":"2026-01-02T03:04:06Z"}]}`)
		case "/api/v1/sms":
			_, _ = io.WriteString(w, `{"messages":[
				{"ID":"s1","Body":"123456 is your code","Created":"2026-01-02T03:04:05Z"},
				{"ID":"s2","Body":"Order `+order+` was cancelled","Created":"2026-01-02T03:04:07Z"}]}`)
		case "/api/v1/message/m1/headers":
			fmt.Fprintf(w, `{"Traceparent":["00-%s-b7ad6b7169203331-01"]}`, trace)
		}
	}))
	defer inbox.Close()
	c := startWith(t, withInbox{&fake{}, inbox.URL})
	came := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro()
	for i, start := range []int64{-2000, -3000, 5000} { // two of one trace, and one that is later
		c.traces.Add(&traces.Span{
			TraceID: fmt.Sprintf("%032d", 7+i/2), ID: fmt.Sprint(i), Name: "x.Dapr/InvokeBinding",
			Start: came + start, Duration: 4000, Attributes: map[string]string{"sidecart.component": "sms"},
		})
	}
	for range 2 {
		_, body, _ := send(t, c, http.MethodGet, "/api/mails")
		if strings.Contains(body, "123456") || !strings.Contains(body, "is your code") {
			t.Errorf("a code is shown, or its message is not: %s", body)
		}
		for _, want := range []string{`"order":"` + order + `"`, `"trace":"` + trace + `"`, `"kind":"sms"`, fmt.Sprintf(`"trace":"%032d"`, 7)} {
			if !strings.Contains(body, want) {
				t.Errorf("%s is missing in %s", want, body)
			}
		}
	}
	if n := asked["/api/v1/message/m1/headers"]; n != 1 {
		t.Errorf("the headers of a mail, which never change, were read %d times", n)
	}
	if about := c.mailsOf(t.Context(), order); len(about) != 1 || about[0].ID != "s2" {
		t.Errorf("what tells of the order is %+v, not the text message", about)
	}
}

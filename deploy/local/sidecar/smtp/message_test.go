package smtp

import (
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"
)

func composed(t *testing.T, r request, data string) *mail.Message {
	t.Helper()
	m, err := compose(r, []byte(data), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatalf("composing %+v: %v", r, err)
	}
	for line := range strings.SplitSeq(string(m.source), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("line %q is longer than 998 bytes or has a bare line end", line)
		}
	}
	parsed, err := mail.ReadMessage(strings.NewReader(string(m.source)))
	if err != nil {
		t.Fatalf("the mail cannot be read back: %v\n%s", err, m.source)
	}
	return parsed
}

func valid() request {
	return request{from: "Shop <shop@sidecart.local>", to: "ada@example.org", subject: "Hello"}
}

func TestInjectionIsRefused(t *testing.T) {
	for name, change := range map[string]func(*request){
		"subject with CRLF":        func(r *request) { r.subject = "Hi\r\nBcc: eve@example.org" },
		"subject with LF":          func(r *request) { r.subject = "Hi\nBcc: eve@example.org" },
		"subject with CR":          func(r *request) { r.subject = "Hi\rBcc: eve@example.org" },
		"subject with NUL":         func(r *request) { r.subject = "Hi\x00" },
		"recipient with CRLF":      func(r *request) { r.to = "ada@example.org\r\nBcc: eve@example.org" },
		"recipient's name":         func(r *request) { r.to = "\"Ada\r\nBcc: eve@example.org\" <ada@example.org>" },
		"encoded recipient's name": func(r *request) { r.to = "=?utf-8?q?Ada=0D=0ABcc:_eve@example.org?= <ada@example.org>" },
		"CC with LF":               func(r *request) { r.cc = "ada@example.org\n" },
		"BCC with CR":              func(r *request) { r.bcc = "\rada@example.org" },
		"sender with CRLF":         func(r *request) { r.from = "shop@sidecart.local\r\nX: y" },
		"message id with CRLF":     func(r *request) { r.messageID = "a\r\nBcc: eve@example.org" },
		"content type with CRLF":   func(r *request) { r.contentType = "text/html\r\nBcc: eve@example.org" },
		"SMTP parameter":           func(r *request) { r.to = `"ada> SIZE=1"@example.org` },
		"second at sign":           func(r *request) { r.to = `"ada@example.org"@evil.example` },
		"two by comma":             func(r *request) { r.to = "ada@example.org, eve@example.org" },
		"non-ASCII address":        func(r *request) { r.to = "ädä@example.org" },
		"no recipient":             func(r *request) { r.to = " ; " },
		"no subject":               func(r *request) { r.subject = "" },
		"priority out of range":    func(r *request) { r.priority = "6" },
		"other content type":       func(r *request) { r.contentType = "application/pdf" },
		"text beside text":         func(r *request) { r.contentType, r.text = "text/plain", "x" },
	} {
		r := valid()
		change(&r)
		_, err := compose(r, []byte("x"), time.Now())
		requireFailure(t, name, err, true)
		if err != nil && strings.Contains(err.Error(), "example.org") {
			t.Errorf("%s: the error shows an address: %v", name, err)
		}
	}
}

func TestHeadersAreEncoded(t *testing.T) {
	for _, subject := range []string{
		"Hello", "Grüße aus Köln", "日本語の件名はとても長いので、いくつかの符号化語に分けなければなりません。", strings.Repeat("long words ", 30) + "end",
		strings.Repeat("x", 2000), "two  spaces", " edges ", "=?utf-8?q?literal?=", "tab-free: ✓ \U0001F600",
	} {
		r := valid()
		r.subject = subject
		m := composed(t, r, "x")
		got, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err != nil || got != subject {
			t.Errorf("the subject %q is read back as %q, %v", subject, got, err)
		}
	}
	r := valid()
	r.to = "Ada Löve <ada@example.org>; bob@example.org;"
	list, err := composed(t, r, "x").Header.AddressList("To")
	if err != nil || len(list) != 2 || list[0].Name != "Ada Löve" || list[1].Address != "bob@example.org" {
		t.Errorf("To is read back as %v, %v", list, err)
	}
}

func TestBodiesAreReadBackAsGiven(t *testing.T) {
	long := "<p>" + strings.Repeat("x", 3000) + "</p>"
	for data, want := range map[string]string{
		"<p>Grüße</p>":                       "<p>Grüße</p>",
		`"<p>quoted \/ by \ud83d\ude00</p>"`: "<p>quoted / by \U0001F600</p>",
		`"one\ntwo"`:                         "one\ntwo",
		`"unbalanced`:                        `"unbalanced`,
		".\n..dots":                          ".\n..dots",
		long:                                 long,
	} {
		m := composed(t, valid(), data)
		if got := m.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("Content-Type is %q", got)
		}
		if got := decode(t, m.Body); got != want {
			t.Errorf("the body %q is read back as %q, want %q", data, got, want)
		}
	}
}

func TestTextAndHTMLAreAlternatives(t *testing.T) {
	r := valid()
	r.text, r.messageID = "plain --=_ text", "ntf_1"
	m := composed(t, r, "<p>rich</p>")
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("Content-Type is %q, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	for _, want := range []struct{ contentType, body string }{
		{"text/plain; charset=utf-8", "plain --=_ text"}, {"text/html; charset=utf-8", "<p>rich</p>"},
	} {
		part, err := parts.NextPart() // decodes quoted-printable
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(part)
		if got := part.Header.Get("Content-Type"); got != want.contentType || string(body) != want.body {
			t.Errorf("the part is %s %q, want %+v", got, body, want)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after two parts comes %v, want the end", err)
	}
}

func TestTheSameKeyMakesTheSameMail(t *testing.T) {
	now := time.Now()
	for key, want := range map[string]string{
		"ntf_1": "ntf_1@sidecart.local", "<ntf_1@other.example>": "ntf_1@other.example",
		"ord_1:2:order.placed.v1": "", "a b@c <d>": "", strings.Repeat("x", 900): "",
	} {
		r := valid()
		r.messageID = key
		first, err := compose(r, []byte("x"), now)
		if err != nil || want != "" && first.id != want || want == "" && len(first.id) != len("@sidecart.local")+32 {
			t.Errorf("key %q makes %+v, %v, want %s", key, first, err, want)
			continue
		}
		second, err := compose(r, []byte("x"), now)
		if err != nil || string(first.source) != string(second.source) {
			t.Errorf("key %q makes two different mails", key)
		}
	}
	one, _ := compose(valid(), nil, now)
	two, _ := compose(valid(), nil, now)
	if one.id == two.id {
		t.Error("two mails without a key have the same id")
	}
}

func decode(t *testing.T, r io.Reader) string {
	t.Helper()
	body, err := io.ReadAll(quotedprintable.NewReader(r))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(body), "\r\n", "\n")
}

package smtp

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/dapr/components-contrib/bindings"
	contribmd "github.com/dapr/components-contrib/metadata"
	"github.com/dapr/kit/logger"
	gosmtp "github.com/emersion/go-smtp"
)

var toAda = map[string]string{"emailTo": "ada@example.org"}

func TestRequiredTLSIsNotGivenUp(t *testing.T) {
	s := &server{}
	b := binding(t, s.listen(t, nil), map[string]string{"requireTLS": "true"})
	_, err := invoke(t.Context(), b, "x", toAda)
	requireFailure(t, "no STARTTLS offered", err, false)
	if len(s.got()) != 0 {
		t.Error("the mail was sent without TLS")
	}
}

func TestTheServersCertificateIsChecked(t *testing.T) {
	config := certificate(t)
	s := &server{}
	port := s.listen(t, func(smtpd *gosmtp.Server, l net.Listener) net.Listener {
		smtpd.TLSConfig = config
		return l
	})
	b := binding(t, port, nil)
	_, err := invoke(t.Context(), b, "x", toAda)
	requireFailure(t, "unknown issuer", err, false)

	b = binding(t, port, map[string]string{"skipTLSVerify": "true", "requireTLS": "true"})
	mustInvoke(t, b, "x", toAda)
}

func TestImplicitTLS(t *testing.T) {
	config := certificate(t)
	s := &server{}
	port := s.listen(t, func(_ *gosmtp.Server, l net.Listener) net.Listener { return tls.NewListener(l, config) })
	b := binding(t, port, map[string]string{"implicitTLS": "true", "skipTLSVerify": "true", "requireTLS": "true"})
	mustInvoke(t, b, "x", toAda)
	mustInvoke(t, b, "x", toAda)
	if n := s.connected(); n != 1 {
		t.Errorf("two mails took %d connections, want 1", n)
	}
	m, err := parseMetadata(map[string]string{"host": "mail.example.org", "port": "465"})
	if err != nil || !m.ImplicitTLS {
		t.Errorf("port 465 gives %+v, %v, want implicit TLS", m, err)
	}
}

func TestLoginOncePerConnection(t *testing.T) {
	s := &server{}
	port := s.listen(t, nil)
	b := binding(t, port, map[string]string{"user": "shop", "password": "secret"})
	mustInvoke(t, b, "x", toAda)
	mustInvoke(t, b, "x", toAda)
	if s.logins != 1 {
		t.Errorf("%d logins for two mails, want 1", s.logins)
	}
	b = binding(t, port, map[string]string{"user": "shop", "password": "wrong"})
	_, err := invoke(t.Context(), b, "x", toAda)
	requireFailure(t, "wrong password", err, false)
	if err != nil && strings.Contains(err.Error(), "wrong") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestMetadataIsChecked(t *testing.T) {
	for _, properties := range []map[string]string{
		{},
		{"host": "h", "port": "0"},
		{"host": "h", "port": "x"},
		{"host": "h", "user": "u"},
		{"host": "h", "password": "p"},
		{"host": "h", "priority": "9"},
		{"host": "h", "timeout": "-1s"},
		{"host": "h", "maxConnections": "0"},
	} {
		b := New(logger.NewLogger("test"))
		if err := b.Init(t.Context(), bindings.Metadata{Base: contribmd.Base{Properties: properties}}); err == nil {
			t.Errorf("metadata %v was accepted", properties)
		}
	}
	m, err := parseMetadata(map[string]string{"HOST": "h", "emailfrom": "a@b"})
	if err != nil || m.Host != "h" || m.EmailFrom != "a@b" || m.Port != 587 {
		t.Errorf("metadata is %+v, %v, want names without regard to case and port 587", m, err)
	}
}

package smtp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/dapr/components-contrib/bindings"
	contribmd "github.com/dapr/components-contrib/metadata"
	"github.com/dapr/kit/logger"
	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

// received is a mail as a server got it.
type received struct {
	from   string
	to     []string
	source string
}

// server is a mail server that keeps what it gets. Its hooks must be set before
// it is used.
type server struct {
	onRcpt func(to string) error
	onData func(sofar int) error

	mu          sync.Mutex
	mails       []received
	connections []net.Conn
	logins      int
}

func (s *server) NewSession(c *gosmtp.Conn) (gosmtp.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections = append(s.connections, c.Conn())
	return &session{server: s}, nil
}

func (s *server) got() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.mails...)
}

func (s *server) connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.connections)
}

// hangUp closes all connections, as a server does with idle ones.
func (s *server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.connections {
		_ = c.Close()
	}
}

type session struct {
	server *server
	mail   received
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "shop" || password != "secret" {
			return gosmtp.ErrAuthFailed
		}
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		s.server.logins++
		return nil
	}), nil
}

func (s *session) Reset()        { s.mail = received{} }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *gosmtp.MailOptions) error {
	s.mail.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	if s.server.onRcpt != nil {
		if err := s.server.onRcpt(to); err != nil {
			return err
		}
	}
	s.mail.to = append(s.mail.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	source, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	sofar := len(s.server.mails)
	s.server.mu.Unlock()
	if s.server.onData != nil {
		if err := s.server.onData(sofar); err != nil {
			return err
		}
	}
	s.mail.source = string(source)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.mail)
	return nil
}

// listen starts the server with the given changes to its settings and returns
// its port.
func (s *server) listen(t *testing.T, change func(*gosmtp.Server, net.Listener) net.Listener) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	smtpd := gosmtp.NewServer(s)
	smtpd.Domain = "test"
	smtpd.AllowInsecureAuth = true
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if change != nil {
		listener = change(smtpd, listener)
	}
	ended := make(chan error, 1)
	go func() { ended <- smtpd.Serve(listener) }()
	t.Cleanup(func() {
		_ = smtpd.Close()
		<-ended
	})
	return port
}

// binding returns an initialised binding with defaults under the given metadata.
func binding(t *testing.T, port string, metadata map[string]string) *Binding {
	t.Helper()
	properties := map[string]string{
		"host": "127.0.0.1", "port": port, "emailFrom": "Shop <shop@sidecart.local>", "subject": "Hello", "timeout": "20s",
	}
	maps.Copy(properties, metadata)
	b := New(logger.NewLogger("test")).(*Binding)
	if err := b.Init(t.Context(), bindings.Metadata{Base: contribmd.Base{Properties: properties}}); err != nil {
		t.Fatalf("Init: %v", err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func invoke(ctx context.Context, b *Binding, data string, metadata map[string]string) (string, error) {
	response, err := b.Invoke(ctx, &bindings.InvokeRequest{
		Operation: bindings.CreateOperation, Data: []byte(data), Metadata: metadata,
	})
	if err != nil {
		return "", err
	}
	return response.Metadata["messageId"], nil
}

func mustInvoke(t *testing.T, b *Binding, data string, metadata map[string]string) string {
	t.Helper()
	id, err := invoke(t.Context(), b, data, metadata)
	if err != nil {
		t.Fatalf("sending with %v: %v", metadata, err)
	}
	return id
}

// certificate is self-signed for 127.0.0.1.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

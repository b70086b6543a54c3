package bench

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"mime"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// sink is a mail server that keeps nothing. It sees which order a receipt is for and wakes whoever
// waits for it, so that noticing the end of an order costs next to nothing.
type sink struct {
	addr string

	mu      sync.Mutex
	arrived map[string]chan struct{} // by order id: closed with the receipt
}

// startSink starts one for the length of a benchmark.
func startSink(b *testing.B) *sink {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	s := &sink{addr: listener.Addr().String(), arrived: map[string]chan struct{}{}}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return session{s}, nil }))
	server.Domain, server.AllowInsecureAuth = "localhost", true
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	return s
}

// component writes a resource file that makes the sink the mail server of a component set, and
// returns its path.
func (s *sink) component(b *testing.B, dir string) string {
	b.Helper()
	host, port, err := net.SplitHostPort(s.addr)
	require.NoError(b, err)
	path := filepath.Join(dir, "email.yaml")
	text := fmt.Sprintf(`apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: email}
spec:
  type: %s
  version: v1
  metadata:
    - {name: host, value: %q}
    - {name: port, value: %q}
    - {name: emailFrom, value: "Sidecart <shop@sidecart.local>"}
    - {name: skipTLSVerify, value: "true"}
scopes: [notifications]
`, mailBinding(), host, port)
	require.NoError(b, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// mailBinding is the type of the component that mails leave by.
func mailBinding() string { return cmp.Or(os.Getenv("BENCH_MAIL_BINDING"), "bindings.smtp") }

// receipt returns what is closed when the order's receipt arrives, or has arrived.
func (s *sink) receipt(order string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.arrived[order]
	if !ok {
		c = make(chan struct{})
		s.arrived[order] = c
	}
	return c
}

// await waits until the customer has the order's receipt.
func (s *sink) await(ctx context.Context, order string) error {
	select {
	case <-s.receipt(order):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no receipt for %s: %w", order, context.Cause(ctx))
	}
}

const receiptSubject = "Your receipt for order "

// received takes note of a mail.
func (s *sink) received(raw io.Reader) error {
	message, err := mail.ReadMessage(raw)
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil {
		return err
	}
	order, ok := strings.CutPrefix(subject, receiptSubject)
	if !ok {
		return nil
	}
	order, _, _ = strings.Cut(order, ":")
	c := s.receipt(order)
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-c: // the same receipt once more
	default:
		close(c)
	}
	return nil
}

// session is one connection; it implements [smtp.Session].
type session struct{ sink *sink }

func (session) Reset()                               {}
func (session) Logout() error                        { return nil }
func (session) Mail(string, *smtp.MailOptions) error { return nil }
func (session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s session) Data(r io.Reader) error {
	return s.sink.received(r)
}

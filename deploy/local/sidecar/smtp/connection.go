package smtp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	netsmtp "net/smtp"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"time"
)

// connection is an open, secured and logged-in connection. One goroutine uses
// it at a time.
type connection struct {
	client *netsmtp.Client
	net    net.Conn
	mails  int
	reused bool
	broken bool
	expiry *time.Timer
}

// dial connects, secures and logs in within the connect timeout. Its errors are
// transient.
func dial(ctx context.Context, m Metadata) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, m.ConnectTimeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.address())
	if err != nil {
		return nil, unreachable("connecting", err)
	}
	c := &connection{net: raw}
	stop := c.bound(ctx)
	err = c.greet(m)
	if !stop() && err == nil {
		err = unreachable("connecting", context.Cause(ctx))
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

// greet brings a new connection to where mails can be sent.
func (c *connection) greet(m Metadata) error {
	conn := c.net
	if m.ImplicitTLS {
		conn = tls.Client(conn, m.tlsConfig())
	}
	client, err := netsmtp.NewClient(conn, m.Host)
	if err != nil {
		return unreachable("greeting the server", err)
	}
	c.client = client
	if err := client.Hello(localName()); err != nil {
		return unreachable("greeting the server", err)
	}
	if !m.ImplicitTLS {
		if offered, _ := client.Extension("STARTTLS"); offered {
			if err := client.StartTLS(m.tlsConfig()); err != nil {
				return unreachable("starting TLS", err)
			}
		} else if m.RequireTLS {
			return unreachable("starting TLS",
				errors.New("requireTLS is set and the server offers no STARTTLS"))
		}
	}
	if m.User == "" {
		return nil
	}
	return c.login(m)
}

// login uses PLAIN, or else LOGIN, or else CRAM-MD5. The first two refuse to
// send a password unencrypted to another machine.
func (c *connection) login(m Metadata) error {
	offered, mechanisms := c.client.Extension("AUTH")
	if !offered {
		return unreachable("logging in", errors.New("the server offers no login"))
	}
	list := strings.Fields(strings.ToUpper(mechanisms))
	has := func(mechanism string) bool { return slices.Contains(list, mechanism) }
	var auth netsmtp.Auth
	switch {
	case has("PLAIN"):
		auth = netsmtp.PlainAuth("", m.User, m.Password, m.Host)
	case has("LOGIN"):
		auth = &loginAuth{user: m.User, password: m.Password}
	case has("CRAM-MD5"):
		auth = netsmtp.CRAMMD5Auth(m.User, m.Password)
	default:
		return unreachable("logging in",
			errors.New("the server offers none of PLAIN, LOGIN and CRAM-MD5"))
	}
	if err := c.client.Auth(auth); err != nil {
		return unreachable("logging in", err)
	}
	return nil
}

// loginAuth is the client's side of AUTH LOGIN.
type loginAuth struct{ user, password string }

// Start refuses an unencrypted connection to another machine.
func (a *loginAuth) Start(server *netsmtp.ServerInfo) (string, []byte, error) {
	if !server.TLS && !isLoopback(server.Name) {
		return "", nil, errors.New("unencrypted connection")
	}
	return "LOGIN", nil, nil
}

// Next answers the server's questions.
func (a *loginAuth) Next(question []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	if strings.HasPrefix(strings.ToLower(string(question)), "pass") {
		return []byte(a.password), nil
	}
	return []byte(a.user), nil
}

// send hands the mail over. It returns errStale when the connection turned out
// to be closed before the server heard of the mail.
func (c *connection) send(ctx context.Context, m *message) error {
	stop := c.bound(ctx)
	err := c.transfer(m)
	if !stop() {
		c.broken = true
	}
	c.mails++
	return err
}

var errStale = errors.New("the connection was closed while it was idle")

func (c *connection) transfer(m *message) error {
	fail := func(stage string, err error) error {
		c.afterFailure(err)
		return refused(stage, err, m.recipients)
	}
	if err := c.client.Mail(m.from); err != nil {
		if c.reused && closed(err) {
			c.broken = true
			return errStale
		}
		return fail("naming the sender", err)
	}
	for _, recipient := range m.recipients {
		if err := c.client.Rcpt(recipient); err != nil {
			return fail("naming a recipient", err)
		}
	}
	w, err := c.client.Data()
	if err != nil {
		return fail("beginning the body", err)
	}
	if _, err := w.Write(m.source); err != nil {
		c.broken = true
		return refused("sending the body", err, m.recipients)
	}
	if err := w.Close(); err != nil {
		if _, replied := errors.AsType[*textproto.Error](err); !replied {
			return fail("waiting for the server to accept the body, which it may have done", err)
		}
		return fail("sending the body", err)
	}
	return nil
}

// afterFailure resets the dialogue after a refusal and gives the connection up
// after anything else.
func (c *connection) afterFailure(err error) {
	reply, ok := errors.AsType[*textproto.Error](err)
	if !ok || reply.Code == closingCode || c.client.Reset() != nil {
		c.broken = true
	}
}

const closingCode = 421

// closed recognises a server that hung up, with or without a farewell.
func closed(err error) bool {
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		return reply.Code == closingCode
	}
	if failure, ok := errors.AsType[net.Error](err); ok && failure.Timeout() {
		return false
	}
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// bound makes reads and writes fail once ctx ends, until stop is called. stop
// says false when that has happened.
func (c *connection) bound(ctx context.Context) (stop func() bool) {
	deadline, _ := ctx.Deadline()
	_ = c.net.SetDeadline(deadline)
	return context.AfterFunc(ctx, func() { _ = c.net.SetDeadline(time.Unix(1, 0)) })
}

// quit says goodbye in the background: nobody waits for the answer.
func (c *connection) quit() {
	go func() {
		_ = c.net.SetDeadline(time.Now().Add(time.Second))
		_ = c.client.Quit()
		_ = c.net.Close()
	}()
}

func localName() string {
	name, err := os.Hostname()
	if err != nil || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		name = ""
	}
	return cmp.Or(name, "localhost")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

package inbox

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

// smtpServer accepts every sender, recipient and credential.
func (s *Server) smtpServer() *gosmtp.Server {
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(c *gosmtp.Conn) (gosmtp.Session, error) {
		return &session{inbox: s, conn: c}, nil
	}))
	server.Domain = "inbox.sidecart.local"
	server.AllowInsecureAuth = true
	server.EnableSMTPUTF8 = true
	server.MaxMessageBytes = s.config.MaxMessageBytes
	server.MaxRecipients = 500
	server.ReadTimeout = 5 * time.Minute
	server.WriteTimeout = time.Minute
	server.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)
	return server
}

// session is one SMTP connection; the server calls it from one goroutine.
type session struct {
	inbox    *Server
	conn     *gosmtp.Conn
	username string
	from     string
	to       []string
}

// AuthMechanisms offers what the usual clients speak.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth accepts any credentials and remembers the name only.
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	accept := func(username string) { s.username = username }
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, username, _ string) error { accept(username); return nil }), nil
	case sasl.Login:
		return &loginServer{accept: accept}, nil
	}
	return nil, gosmtp.ErrAuthUnknownMechanism
}

// loginServer speaks the server's side of the old AUTH LOGIN.
type loginServer struct {
	accept   func(username string)
	step     int
	username string
}

// Next asks for the name, then for the password.
func (l *loginServer) Next(response []byte) ([]byte, bool, error) {
	l.step++
	switch {
	case l.step == 1 && response == nil:
		return []byte("Username:"), false, nil
	case l.username == "":
		l.username = string(response)
		return []byte("Password:"), false, nil
	}
	l.accept(l.username)
	return nil, true, nil
}

// Reset forgets the mail in progress.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout ends the session.
func (s *session) Logout() error { return nil }

// Mail begins a mail.
func (s *session) Mail(from string, _ *gosmtp.MailOptions) error {
	s.from = from
	return nil
}

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

var (
	errTemporary = &gosmtp.SMTPError{Code: 451, EnhancedCode: gosmtp.EnhancedCode{4, 3, 0}, Message: "Temporary failure asked for by /api/faults"}
	errPermanent = &gosmtp.SMTPError{Code: 554, EnhancedCode: gosmtp.EnhancedCode{5, 3, 0}, Message: "Permanent failure asked for by /api/faults"}
	errDropped   = errors.New("connection dropped as asked for by /api/faults")
)

// Data receives the mail and keeps it, or does as the faults in force say.
func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		s.inbox.box.reject()
		return err
	}
	outcome, delay := s.inbox.faults.take(smtpOutcome, s.to...)
	s.inbox.wait(context.Background(), delay)
	if outcome == Accept || outcome == DropAfterAccept {
		env := envelope{from: s.from, to: s.to, helo: s.conn.Hostname(), remote: s.conn.Conn().RemoteAddr().String(), username: s.username}
		s.inbox.box.add(newMail(env, data, time.Now()))
	} else {
		s.inbox.box.reject()
	}
	s.inbox.log.Debug("mail received", "bytes", len(data), "recipients", len(s.to), "outcome", outcome)
	switch outcome {
	case Temporary:
		return errTemporary
	case Permanent:
		return errPermanent
	case Drop, DropAfterAccept:
		_ = s.conn.Conn().Close()
		return errDropped
	}
	return nil
}

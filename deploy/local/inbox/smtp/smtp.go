// Package smtp receives the mail of an inbox: from everybody and for everybody, as the faults in
// force say.
package smtp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"sidecart.dev/local/inbox/faults"
	"sidecart.dev/local/inbox/mailbox"
)

// New returns a server that accepts every sender, recipient and credential, and keeps the mails in
// the box. Answers that faults delay are given at once when ctx ends.
func New(
	ctx context.Context, box *mailbox.Mailbox, inForce *faults.State,
	maxMessageBytes int64, log *slog.Logger,
) *gosmtp.Server {
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(c *gosmtp.Conn) (gosmtp.Session, error) {
		return &session{ctx: ctx, box: box, faults: inForce, log: log, conn: c}, nil
	}))
	server.Domain = "inbox.sidecart.local"
	server.AllowInsecureAuth = true
	server.EnableSMTPUTF8 = true
	server.MaxMessageBytes = maxMessageBytes
	server.MaxRecipients = 500
	server.ReadTimeout = 5 * time.Minute
	server.WriteTimeout = time.Minute
	server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	return server
}

// session is one SMTP connection; the server calls it from one goroutine.
type session struct {
	ctx      context.Context // of the server
	box      *mailbox.Mailbox
	faults   *faults.State
	log      *slog.Logger
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
		return sasl.NewPlainServer(func(_, username, _ string) error {
			accept(username)
			return nil
		}), nil
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
	errTemporary = &gosmtp.SMTPError{
		Code: 451, EnhancedCode: gosmtp.EnhancedCode{4, 3, 0},
		Message: "Temporary failure asked for by /api/faults",
	}
	errPermanent = &gosmtp.SMTPError{
		Code: 554, EnhancedCode: gosmtp.EnhancedCode{5, 3, 0},
		Message: "Permanent failure asked for by /api/faults",
	}
	errDropped = errors.New("connection dropped as asked for by /api/faults")
)

// Data receives the mail and keeps it, or does as the faults in force say.
func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		s.box.Reject()
		return err
	}
	outcome := s.faults.Mail(s.ctx, s.to)
	if outcome.Kept() {
		env := mailbox.Envelope{
			From: s.from, To: s.to, Username: s.username,
			Helo: s.conn.Hostname(), Remote: s.conn.Conn().RemoteAddr().String(),
		}
		s.box.Add(mailbox.NewMail(env, data, time.Now()))
	} else {
		s.box.Reject()
	}
	s.log.Debug("mail received", "bytes", len(data), "recipients", len(s.to), "outcome", outcome)
	switch outcome {
	case faults.Temporary:
		return errTemporary
	case faults.Permanent:
		return errPermanent
	case faults.Drop, faults.DropAfterAccept:
		_ = s.conn.Conn().Close()
		return errDropped
	}
	return nil
}

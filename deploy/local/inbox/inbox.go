package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"sidecart.dev/local/inbox/faults"
	"sidecart.dev/local/inbox/mailbox"
	"sidecart.dev/local/inbox/smtp"
	"sidecart.dev/local/inbox/web"
)

// Defaults of [Config].
const (
	DefaultHTTPAddr        = "127.0.0.1:8025"
	DefaultSMTPAddr        = "127.0.0.1:1025"
	DefaultMaxMessages     = 10_000
	DefaultMaxBytes        = 256 << 20
	DefaultMaxMessageBytes = 10 << 20
)

// Config says where an inbox listens and how much it keeps. The zero value of
// each field means its default.
type Config struct {
	// HTTPAddr and SMTPAddr are TCP addresses; port 0 takes a free port.
	HTTPAddr, SMTPAddr string
	// AllowedHosts are the names, besides localhost and IP addresses, under
	// which the HTTP server may be asked.
	AllowedHosts []string
	// MaxMessages and MaxBytes bound the mailbox; the oldest messages go first.
	MaxMessages int
	MaxBytes    int64
	// MaxMessageBytes bounds one mail, and one HTTP request's body.
	MaxMessageBytes int64
	// Logger receives events without addresses, numbers or contents.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.HTTPAddr = cmp.Or(c.HTTPAddr, DefaultHTTPAddr)
	c.SMTPAddr = cmp.Or(c.SMTPAddr, DefaultSMTPAddr)
	c.MaxMessages = cmp.Or(c.MaxMessages, DefaultMaxMessages)
	c.MaxBytes = cmp.Or(c.MaxBytes, DefaultMaxBytes)
	c.MaxMessageBytes = cmp.Or(c.MaxMessageBytes, DefaultMaxMessageBytes)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Server is an inbox: an SMTP and an HTTP server over one mailbox in memory.
// Its methods are safe for concurrent use.
type Server struct {
	config Config
	log    *slog.Logger
	box    *mailbox.Mailbox
	faults faults.State
	ready  chan struct{}

	mu                 sync.Mutex
	httpAddr, smtpAddr string
}

// New returns an inbox that does not listen yet.
func New(config Config) *Server {
	config = config.withDefaults()
	return &Server{
		config:   config,
		log:      config.Logger,
		box:      mailbox.New(config.MaxMessages, config.MaxBytes),
		ready:    make(chan struct{}),
		httpAddr: config.HTTPAddr,
		smtpAddr: config.SMTPAddr,
	}
}

// Ready is closed once both servers accept connections. It stays open when Run
// fails to listen.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// HTTPAddr is the HTTP server's address: the real one once Ready is closed, the
// configured one before.
func (s *Server) HTTPAddr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.httpAddr
}

// SMTPAddr is the SMTP server's address: the real one once Ready is closed, the
// configured one before.
func (s *Server) SMTPAddr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.smtpAddr
}

// Run listens and serves until ctx ends, then closes every connection and
// returns nil. An error means that an address could not be listened on or that
// a server failed. Run may be called once.
func (s *Server) Run(ctx context.Context) error {
	httpListener, err := net.Listen("tcp", s.config.HTTPAddr)
	if err != nil {
		return fmt.Errorf("inbox: listening for HTTP: %w", err)
	}
	smtpListener, err := net.Listen("tcp", s.config.SMTPAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("inbox: listening for SMTP: %w", err), httpListener.Close())
	}
	s.mu.Lock()
	s.httpAddr, s.smtpAddr = httpListener.Addr().String(), smtpListener.Addr().String()
	s.mu.Unlock()

	running, end := context.WithCancel(ctx)
	defer end()
	pages := &http.Server{
		Handler: web.Handler(s.box, &s.faults, web.Config{
			AllowedHosts: s.config.AllowedHosts, MaxBodyBytes: s.config.MaxMessageBytes, Logger: s.log,
		}),
		BaseContext:       func(net.Listener) context.Context { return running },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	mail := smtp.New(running, s.box, &s.faults, s.config.MaxMessageBytes, s.log)

	ended := make(chan error, 2)
	go func() { ended <- ignore(pages.Serve(httpListener), http.ErrServerClosed) }()
	go func() { ended <- ignore(mail.Serve(smtpListener), gosmtp.ErrServerClosed) }()
	close(s.ready)
	s.log.Info("inbox is listening", "http", s.HTTPAddr(), "smtp", s.SMTPAddr())

	pending := 2
	select {
	case <-ctx.Done():
	case err = <-ended:
		pending--
	}
	end()
	_ = mail.Close()
	err = errors.Join(err, shutdown(pages))
	for range pending {
		err = errors.Join(err, <-ended)
	}
	return err
}

// shutdown lets answers that are being written finish for a moment.
func shutdown(pages *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := pages.Shutdown(ctx); err != nil {
		return pages.Close()
	}
	return nil
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

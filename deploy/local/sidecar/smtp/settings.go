package smtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"time"

	kitmd "github.com/dapr/kit/metadata"
)

// Metadata is what a component of this type may set; see the package comment.
type Metadata struct {
	Host          string `mapstructure:"host"`
	Port          int    `mapstructure:"port"`
	User          string `mapstructure:"user"`
	Password      string `mapstructure:"password"`
	SkipTLSVerify bool   `mapstructure:"skipTLSVerify"`
	EmailFrom     string `mapstructure:"emailFrom"`
	EmailTo       string `mapstructure:"emailTo"`
	EmailCC       string `mapstructure:"emailCC"`
	EmailBCC      string `mapstructure:"emailBCC"`
	Subject       string `mapstructure:"subject"`
	Priority      string `mapstructure:"priority"`

	RequireTLS     bool          `mapstructure:"requireTLS"`
	ImplicitTLS    bool          `mapstructure:"implicitTLS"`
	ConnectTimeout time.Duration `mapstructure:"connectTimeout"`
	Timeout        time.Duration `mapstructure:"timeout"`
	MaxConnections int           `mapstructure:"maxConnections"`
	IdleTimeout    time.Duration `mapstructure:"idleTimeout"`
}

const smtpsPort = 465

// parseMetadata decodes and checks a component's metadata.
func parseMetadata(properties map[string]string) (Metadata, error) {
	m := Metadata{
		Port:           587,
		ConnectTimeout: 10 * time.Second,
		Timeout:        30 * time.Second,
		MaxConnections: 4,
		IdleTimeout:    15 * time.Second,
	}
	if err := kitmd.DecodeMetadata(maps.Clone(properties), &m); err != nil {
		return m, fmt.Errorf("smtp binding: reading the metadata: %w", err)
	}
	m.ImplicitTLS = m.ImplicitTLS || m.Port == smtpsPort
	switch {
	case m.Host == "":
		return m, errors.New("smtp binding: the metadata lacks host")
	case m.Port < 1 || m.Port > 65535:
		return m, fmt.Errorf("smtp binding: port %d is not between 1 and 65535", m.Port)
	case (m.User == "") != (m.Password == ""):
		return m, errors.New("smtp binding: user and password must be set together")
	case m.ConnectTimeout <= 0 || m.Timeout <= 0 || m.IdleTimeout <= 0:
		return m, errors.New("smtp binding: connectTimeout, timeout and idleTimeout must be positive")
	case m.MaxConnections < 1:
		return m, errors.New("smtp binding: maxConnections must be at least 1")
	}
	if _, err := parsePriority(m.Priority); err != nil {
		return m, err
	}
	return m, nil
}

func (m Metadata) address() string { return net.JoinHostPort(m.Host, strconv.Itoa(m.Port)) }

func (m Metadata) tlsConfig() *tls.Config {
	return &tls.Config{
		ServerName:         m.Host,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: m.SkipTLSVerify, //nolint:gosec // asked for by the component
	}
}

// request is what one mail is made of: the component's defaults under the
// request's own values.
type request struct {
	from, to, cc, bcc, subject, priority string
	contentType, text, messageID         string
	traceparent                          string // where the request stands in its trace
}

// merge returns a new request; it changes neither argument. A key that the
// request has wins over the component's even when it is empty.
func (m Metadata) merge(values map[string]string) request {
	pick := func(key, fallback string) string {
		if value, ok := kitmd.GetMetadataProperty(values, key); ok {
			return value
		}
		return fallback
	}
	return request{
		from:        pick("emailFrom", m.EmailFrom),
		to:          pick("emailTo", m.EmailTo),
		cc:          pick("emailCC", m.EmailCC),
		bcc:         pick("emailBCC", m.EmailBCC),
		subject:     pick("subject", m.Subject),
		priority:    pick("priority", m.Priority),
		contentType: pick("contentType", ""),
		text:        pick("text", ""),
		messageID:   pick("messageId", ""),
		traceparent: pick("traceparent", ""),
	}
}

// parsePriority returns 3, normal, for an empty value.
func parsePriority(value string) (int, error) {
	if value == "" {
		return 3, nil
	}
	priority, err := strconv.Atoi(value)
	if err != nil || priority < 1 || priority > 5 {
		return 0, invalid("priority must be a number between 1 (highest) and 5 (lowest)")
	}
	return priority, nil
}

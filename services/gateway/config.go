package gateway

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
)

// Config is the gateway's configuration, from the environment.
type Config struct {
	chassis.Config
	// Addresses or networks (CIDR) whose forwarding headers are believed.
	TrustedProxies []string `env:"TRUSTED_PROXIES"`
	// The one that the proxies write; the other is ignored.
	ForwardedHeader string `env:"FORWARDED_HEADER" envDefault:"X-Forwarded-For"`
	// Origins of foreign browser clients; empty: none.
	CORSOrigins []string `env:"CORS_ORIGINS"`
	// Requests a second from one address.
	AddressRate float64 `env:"RATE_LIMIT_ADDRESS" envDefault:"100"`
	// Requests a second of one user.
	UserRate float64 `env:"RATE_LIMIT_USER" envDefault:"50"`
	// Logins, registrations and resets a second from one address.
	SensitiveRate float64 `env:"RATE_LIMIT_SENSITIVE" envDefault:"0.5"`
	// Order event streams at once.
	MaxStreams int `env:"MAX_STREAMS" envDefault:"2000"`
	// Order event streams of one user at once.
	UserStreams int `env:"MAX_STREAMS_USER" envDefault:"20"`
	// A stream is ended after this, and resumed by the client.
	StreamTime time.Duration `env:"STREAM_TIME" envDefault:"15m"`
}

// The headers by which a proxy names the client's address.
const (
	ForwardedFor = "X-Forwarded-For"
	Forwarded    = "Forwarded" // RFC 7239
)

// Validate implements [config.Validator].
func (c *Config) Validate() error {
	_, proxies := c.Proxies()
	var header error
	if c.ForwardedHeader != ForwardedFor && c.ForwardedHeader != Forwarded {
		header = fmt.Errorf("FORWARDED_HEADER must be %s or %s, not %q",
			ForwardedFor, Forwarded, c.ForwardedHeader)
	}
	return config.All(c.Config.Validate(), proxies, header,
		config.Positive("RATE_LIMIT_ADDRESS", c.AddressRate),
		config.Positive("RATE_LIMIT_USER", c.UserRate),
		config.Positive("RATE_LIMIT_SENSITIVE", c.SensitiveRate),
		config.Positive("MAX_STREAMS", c.MaxStreams),
		config.Positive("MAX_STREAMS_USER", c.UserStreams),
		config.Positive("STREAM_TIME", c.StreamTime))
}

// Proxies parses TrustedProxies.
func (c *Config) Proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range c.TrustedProxies {
		s = strings.TrimSpace(s)
		if prefix, err := netip.ParsePrefix(s); err == nil {
			out = append(out, prefix.Masked())
			continue
		}
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("TRUSTED_PROXIES: %q is neither an address nor a network", s)
		}
		out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
	}
	return out, nil
}

// Command inbox is a mail and SMS server that keeps what it is sent in memory and shows it on a
// page: the demo's, in a cluster. On one machine the launcher brings its own.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"sidecart.dev/local/inbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := inbox.New(config(os.Getenv)).Run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "inbox:", err)
		os.Exit(1)
	}
}

// config reads the environment.
func config(getenv func(string) string) inbox.Config {
	c := inbox.Config{
		HTTPAddr: getenv("INBOX_HTTP_ADDR"), // host:port; empty: loopback, port 8025
		SMTPAddr: getenv("INBOX_SMTP_ADDR"), // host:port; empty: loopback, port 1025
		Logger:   slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	}
	// Names, with commas between them, under which its page may be asked for.
	for name := range strings.SplitSeq(getenv("INBOX_ALLOWED_HOSTS"), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			c.AllowedHosts = append(c.AllowedHosts, name)
		}
	}
	return c
}

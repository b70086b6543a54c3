// Command inbox is a mail and SMS server that keeps what it is sent in memory and shows it on a page: the demo's, in a cluster. On
// one machine the launcher brings its own.
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
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "inbox:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config := inbox.Config{
		HTTPAddr: os.Getenv("INBOX_HTTP_ADDR"), // host:port; empty: loopback, port 8025
		SMTPAddr: os.Getenv("INBOX_SMTP_ADDR"), // host:port; empty: loopback, port 1025
		Logger:   slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	}
	if names := os.Getenv("INBOX_ALLOWED_HOSTS"); names != "" { // names under which its page may be asked for, with commas
		config.AllowedHosts = strings.Split(names, ",")
	}
	return inbox.New(config).Run(ctx)
}

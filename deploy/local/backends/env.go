package backends

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Env is what the production component set refers to, for these servers, with all four services on
// PostgreSQL and mail and SMS in the launcher's inbox at its default addresses. Orders are on
// MongoDB instead where a URI is given in $SIDECART_MONGODB_URI.
func (b *Backends) Env() map[string]string {
	mongoDB := os.Getenv("SIDECART_MONGODB_URI")
	env := map[string]string{
		"SIDECART_USERS_DB":          b.PostgreSQL.URL("users"),
		"SIDECART_ORDERS_DB":         cmp.Or(mongoDB, b.PostgreSQL.URL("orders")),
		"SIDECART_PAYMENTS_DB":       b.PostgreSQL.URL("payments"),
		"SIDECART_NOTIFICATIONS_DB":  b.PostgreSQL.URL("notifications"),
		"SIDECART_BUS_HOST":          b.Redis.Addr(),
		"SIDECART_BUS_PASSWORD":      b.Redis.Password(),
		"SIDECART_SMTP_HOST":         "127.0.0.1",
		"SIDECART_SMTP_PORT":         "1025",
		"SIDECART_SMTP_USER":         "sidecart",
		"SIDECART_SMTP_PASSWORD":     "inbox-takes-any",
		"SIDECART_SMTP_FROM":         "Sidecart <shop@sidecart.local>",
		"SIDECART_SMS_URL":           "http://127.0.0.1:8025/sms",
		"SIDECART_SMS_AUTHORIZATION": "Bearer inbox-takes-any",
		"SSL_CERT_FILE":              b.CAFile,
	}
	if mongoDB == "" {
		env["SIDECART_REPLACE"] = "components/variants/orders-postgresql.yaml"
	}
	return env
}

// WriteEnv writes Env as an environment file that only its owner can read.
func (b *Backends) WriteEnv(path string) error {
	var lines []string
	for key, value := range b.Env() {
		lines = append(lines, fmt.Sprintf("%s=%s", key, value))
	}
	slices.Sort(lines)
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

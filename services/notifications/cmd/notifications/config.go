package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/config"
	"sidecart.dev/kit/service"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/bindings"
)

// Config is what the service reads from the environment.
type Config struct {
	service.Config

	EmailBinding string `env:"EMAIL_BINDING" envDefault:"email"` // SMTP binding component
	SMSBinding   string `env:"SMS_BINDING"   envDefault:"sms"`   // SMS binding component

	// EmailConcurrency is the number of mails sent at once. More than 1 is safe only with the
	// corrected SMTP binding of our sidecar build: the official one mixes up recipients.
	EmailConcurrency int    `env:"EMAIL_CONCURRENCY" envDefault:"1"`
	SMSConcurrency   int    `env:"SMS_CONCURRENCY"   envDefault:"4"`
	SMSFormat        string `env:"SMS_FORMAT"        envDefault:"http"` // http or twilio
	SMSFrom          string `env:"SMS_FROM"          envDefault:"Sidecart"`

	// TemplatesDir has files that replace built-in templates of the same path.
	TemplatesDir  string `env:"TEMPLATES_DIR"`
	PublicURL     string `env:"PUBLIC_URL"     envDefault:"http://127.0.0.1:8080"` // where links lead
	ShopName      string `env:"SHOP_NAME"      envDefault:"Sidecart"`
	DefaultLocale string `env:"DEFAULT_LOCALE" envDefault:"en"`
	TimeZone      string `env:"TIME_ZONE"      envDefault:"UTC"` // of the dates in messages

	// Limits of messages in an hour of the clock, see [notifications.Limits]; 0 is no limit.
	SecurityPerHour int `env:"FLOOD_SECURITY_PER_HOUR"   envDefault:"20"`
	OrdersPerHour   int `env:"FLOOD_ORDERS_PER_HOUR"     envDefault:"120"`
	UnverifiedHour  int `env:"FLOOD_UNVERIFIED_PER_HOUR" envDefault:"10"`
	SMSPerHour      int `env:"FLOOD_SMS_PER_HOUR"        envDefault:"20"`
	SMSPrefixHour   int `env:"FLOOD_SMS_PREFIX_PER_HOUR" envDefault:"100"`
	CodesPerHour    int `env:"FLOOD_CODES_PER_HOUR"      envDefault:"5"`
	SMSBudget       int `env:"SMS_HOURLY_BUDGET"         envDefault:"0"`

	// GiveUp is the age at which a message that is still refused is failed.
	GiveUp      time.Duration `env:"GIVE_UP_AFTER" envDefault:"24h"`
	SendTimeout time.Duration `env:"SEND_TIMEOUT"  envDefault:"30s"` // bound of one attempt
	// SendPrompt is how long accepting an event waits for the first attempt.
	SendPrompt time.Duration `env:"SEND_PROMPT" envDefault:"250ms"`
	// ContactSlack is how much older than the event a remembered contact may be.
	ContactSlack time.Duration `env:"CONTACT_SLACK" envDefault:"0s"`
}

// Validate implements [config.Validator].
func (c *Config) Validate() error {
	var format, link error
	if f := bindings.SMSFormat(c.SMSFormat); f != bindings.HTTPGateway && f != bindings.Twilio {
		format = fmt.Errorf("SMS_FORMAT must be http or twilio, not %q", c.SMSFormat)
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		link = fmt.Errorf("PUBLIC_URL must be an http or https address, not %q", c.PublicURL)
	}
	return config.All(c.Config.Validate(), format, link,
		config.Positive("EMAIL_CONCURRENCY", c.EmailConcurrency),
		config.Positive("SMS_CONCURRENCY", c.SMSConcurrency),
		config.Positive("GIVE_UP_AFTER", c.GiveUp),
		config.Positive("SEND_TIMEOUT", c.SendTimeout))
}

func (c *Config) domain(reg prometheus.Registerer) notifications.Config {
	return notifications.Config{
		Concurrency: map[notifications.Channel]int{
			notifications.Email: c.EmailConcurrency, notifications.SMS: c.SMSConcurrency,
		},
		Limits: notifications.Limits{
			Security: c.SecurityPerHour, Orders: c.OrdersPerHour, Unverified: c.UnverifiedHour,
			SMS: c.SMSPerHour, SMSPrefix: c.SMSPrefixHour, Codes: c.CodesPerHour, SMSBudget: c.SMSBudget,
		},
		Prompt: c.SendPrompt, SendTimeout: c.SendTimeout, Claim: c.SendTimeout + 15*time.Second,
		GiveUp: c.GiveUp, Metrics: notifications.NewMetrics(reg),
	}
}

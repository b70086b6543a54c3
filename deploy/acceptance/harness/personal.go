package harness

import "regexp"

// personal are the shapes of what may stand in no log, event or span.
var personal = map[string]*regexp.Regexp{
	"an e-mail address": regexp.MustCompile(`[A-Za-z0-9._%+-]+(@|%40)example\.com`),
	"a password":        regexp.MustCompile(regexp.QuoteMeta(Password)),
	"an access token":   regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.`),
	"a refresh token":   regexp.MustCompile(`rt_[A-Za-z0-9_-]{20,}`),
	"a device token":    regexp.MustCompile(`dt_[A-Za-z0-9_-]{20,}`),
	"a phone number":    regexp.MustCompile(`(\+|%2B)49151\d{8}`),
	"a card number":     regexp.MustCompile(`\b4[0-9]{15}\b`),
}

// traces are random ids in hexadecimal, some of which have digits alone, as a card number has.
var traces = regexp.MustCompile(
	`\b00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b|(?i)(trace|span)_?(id)?"?[:=]"?[0-9a-f]{16,32}\b`)

// PersonalIn says what a text has that names one of the harness's customers or lets somebody act as
// one, or nothing.
func PersonalIn(text string) (what string) {
	text = traces.ReplaceAllString(text, "")
	for what, pattern := range personal {
		if pattern.MatchString(text) {
			return what
		}
	}
	return ""
}

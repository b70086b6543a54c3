package http

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"unicode/utf8"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
	"sidecart.dev/users"
)

// Limits on strings that are compared rather than stored, in characters.
const (
	maxPassword = 128
	maxToken    = 512
)

// field is a string of the input that must be there.
type field struct {
	name, value string
	max         int
}

func required(fields ...field) error {
	var wrong fault.Fields
	for _, f := range fields {
		switch {
		case f.value == "":
			wrong.Add(f.name, "must not be empty")
		case utf8.RuneCountInString(f.value) > f.max:
			wrong.Add(f.name, fmt.Sprintf("must be at most %d characters long", f.max))
		}
	}
	return wrong.Err()
}

// decodePatch reads a JSON merge patch (RFC 7396), in which an absent member, a null and a value
// are three things.
func decodePatch(r *http.Request) (users.Patch, error) {
	var in struct {
		Name        json.RawMessage `json:"name"`
		Phone       json.RawMessage `json:"phone"`
		Locale      json.RawMessage `json:"locale"`
		Preferences json.RawMessage `json:"preferences"`
	}
	if err := web.DecodeMedia(r, &in, "application/merge-patch+json", "application/json"); err != nil {
		return users.Patch{}, err
	}
	var d patchDecoder
	p := users.Patch{
		Name:   d.text("name", in.Name, users.NormaliseName),
		Locale: d.text("locale", in.Locale, users.CheckLocale),
	}
	if isNull(in.Phone) {
		p.Phone = new(string)
	} else {
		p.Phone = d.text("phone", in.Phone, users.CheckPhone)
	}
	channels := d.object("preferences", in.Preferences, "email", "sms")
	email := d.object("preferences.email", channels["email"], "orders", "payments")
	sms := d.object("preferences.sms", channels["sms"], "orders", "payments")
	p.EmailOrders = d.bool("preferences.email.orders", email["orders"])
	p.EmailPayments = d.bool("preferences.email.payments", email["payments"])
	p.SMSOrders = d.bool("preferences.sms.orders", sms["orders"])
	p.SMSPayments = d.bool("preferences.sms.payments", sms["payments"])
	return p, d.fault()
}

func isNull(raw json.RawMessage) bool { return bytes.Equal(raw, []byte("null")) }

// patchDecoder reads members one by one and collects what is wrong with them.
type patchDecoder struct {
	unknown, wrong fault.Fields
}

func (d *patchDecoder) text(name string, raw json.RawMessage,
	check func(string) (string, error),
) *string {
	if raw == nil {
		return nil
	}
	var s string
	if isNull(raw) || json.Unmarshal(raw, &s) != nil {
		d.wrong.Add(name, "must be a string")
		return nil
	}
	s, err := check(s)
	if err != nil {
		d.wrong.Add(name, err.Error())
		return nil
	}
	return &s
}

func (d *patchDecoder) bool(name string, raw json.RawMessage) *bool {
	if raw == nil {
		return nil
	}
	var b bool
	if isNull(raw) || json.Unmarshal(raw, &b) != nil {
		d.wrong.Add(name, "must be true or false")
		return nil
	}
	return &b
}

func (d *patchDecoder) object(name string, raw json.RawMessage,
	members ...string,
) map[string]json.RawMessage {
	if raw == nil {
		return nil
	}
	var all map[string]json.RawMessage
	if isNull(raw) || json.Unmarshal(raw, &all) != nil {
		d.wrong.Add(name, "must be an object")
		return nil
	}
	known := map[string]json.RawMessage{}
	for _, m := range members {
		if v, ok := all[m]; ok {
			known[m] = v
			delete(all, m)
		}
	}
	for m := range all {
		d.unknown.Add(name+"."+m, "is not known")
	}
	return known
}

func (d *patchDecoder) fault() error {
	if len(d.unknown) > 0 {
		return &fault.Error{
			Kind: fault.Invalid, Code: "unknown_field", Fields: d.unknown,
			Message: "The body has a field that is not known here; remove it or correct its name.",
		}
	}
	return d.wrong.Err()
}

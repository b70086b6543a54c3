package users

import (
	"errors"
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/text"
)

// Registration is the checked input of a registration; [Draft.Check] makes one.
type Registration struct {
	Email, Name, Phone, Locale string
	Password                   string // normalised, to be hashed at once and dropped
}

// Draft is the input of a registration as it came.
type Draft struct {
	Email, Password, Name string
	Phone, Locale         *string // nil: not given
}

// Check returns the normalised registration, or a fault that names every field that is wrong.
func (d Draft) Check() (Registration, error) {
	var r Registration
	var wrong fields
	r.Email = wrong.take("email")(NormaliseEmail(d.Email))
	r.Name = wrong.take("name")(NormaliseName(d.Name))
	r.Password = wrong.take("password")(NewPassword(d.Password, r.Email))
	if d.Phone != nil {
		r.Phone = wrong.take("phone")(CheckPhone(*d.Phone))
	}
	r.Locale = defaultLocale
	if d.Locale != nil {
		r.Locale = wrong.take("locale")(CheckLocale(*d.Locale))
	}
	return r, wrong.Err()
}

// Patch is a checked change of a profile; nil fields stay as they are.
type Patch struct {
	Name, Phone, Locale                                *string // an empty phone removes the number
	EmailOrders, EmailPayments, SMSOrders, SMSPayments *bool
}

// Apply carries the change out and reports whether anything is different now.
func (p Patch) Apply(u *User) bool {
	before := *u
	set(&u.Name, p.Name)
	if p.Phone != nil {
		u.setPhone(*p.Phone)
	}
	set(&u.Locale, p.Locale)
	set(&u.Preferences.Email.Orders, p.EmailOrders)
	set(&u.Preferences.Email.Payments, p.EmailPayments)
	set(&u.Preferences.SMS.Orders, p.SMSOrders)
	set(&u.Preferences.SMS.Payments, p.SMSPayments)
	return u.Name != before.Name || u.Phone != before.Phone || u.Locale != before.Locale ||
		u.Preferences != before.Preferences
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

const (
	maxName       = 100 // characters
	defaultLocale = "en"
)

// NormaliseName returns a name in NFC without white space around it, or what is wrong with it.
// Names go into mails to an address that nobody has verified yet, so control characters and web
// addresses are refused.
func NormaliseName(name string) (string, error) {
	name = strings.TrimSpace(norm.NFC.String(name))
	switch {
	case name == "":
		return "", errors.New("must not be empty")
	case text.HasLink(name):
		return "", errors.New("must not contain a web address")
	}
	return name, text.Line(name, 1, maxName)
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// CheckPhone returns the number if it is in E.164, or what is wrong with it.
func CheckPhone(phone string) (string, error) {
	if !e164.MatchString(phone) {
		return "", errors.New("must be in international form, such as +4915112345678")
	}
	return phone, nil
}

// CheckLocale returns the locale if messages exist in it, or what is wrong with it.
func CheckLocale(locale string) (string, error) {
	if locale != "en" && locale != "de" {
		return "", errors.New("must be en or de")
	}
	return locale, nil
}

// fields gathers what is wrong with the fields of one input, as their checks say it.
type fields struct{ fault.Fields }

// take notes the error of a check of the named field, and passes its value on.
func (f *fields) take(name string) func(string, error) string {
	return func(value string, err error) string {
		if err != nil {
			f.Add(name, err.Error())
		}
		return value
	}
}

package smtp

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
)

// Error is a mail that was not sent.
type Error struct {
	// Permanent says that sending the same mail again cannot succeed: it is
	// malformed or the server refused it with a 5xx reply. Failures to connect,
	// to secure the connection or to log in are not about the mail, and so never
	// permanent, whatever the server's reply.
	Permanent bool
	// Code is the server's reply code, 0 if it gave none.
	Code int
	// Stage is what was being done.
	Stage string
	err   error
	text  string
}

// Error begins with "smtp binding: permanent failure" or "smtp binding:
// transient failure" and contains no recipient's address.
func (e *Error) Error() string {
	kind := "transient"
	if e.Permanent {
		kind = "permanent"
	}
	return fmt.Sprintf("smtp binding: %s failure %s: %s", kind, e.Stage, e.text)
}

// Unwrap returns the cause, whose text may contain addresses.
func (e *Error) Unwrap() error { return e.err }

// invalid is a mail that no server was asked to take.
func invalid(format string, values ...any) error {
	err := fmt.Errorf(format, values...)
	return &Error{Permanent: true, Stage: "composing the mail", err: err, text: err.Error()}
}

// refused is a failure in the dialogue about a mail.
func refused(stage string, err error, recipients []string) error {
	e := serverError(stage, err)
	e.Permanent = e.Code >= 500 && !aboutLogin(e.Code)
	for _, recipient := range recipients {
		named := regexp.MustCompile("(?i)" + regexp.QuoteMeta(recipient))
		e.text = named.ReplaceAllLiteralString(e.text, "(recipient)")
	}
	return e
}

// unreachable is a failure to get a connection that mails can be sent over.
func unreachable(stage string, err error) error { return serverError(stage, err) }

func serverError(stage string, err error) *Error {
	e := &Error{Stage: stage, err: err, text: err.Error()}
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		e.Code = reply.Code
	}
	return e
}

// aboutLogin are the replies that ask for another login or for encryption
// (RFC 4954): the fault of the component's settings, not of the mail.
func aboutLogin(code int) bool { return code >= 530 && code <= 538 }

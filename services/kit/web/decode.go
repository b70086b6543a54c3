package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"sidecart.dev/kit/fault"
)

// MaxBody is the default bound of a request body in bytes.
const MaxBody = 64 << 10

// Decode reads a JSON request body into out, strictly: the media type must be JSON, unknown fields, wrong types,
// trailing data and bodies over [MaxBody] are refused with a message that says what to change.
func Decode(r *http.Request, out any) error { return DecodeMedia(r, out, "application/json") }

// DecodeMedia is [Decode] for any of the given media types.
func DecodeMedia(r *http.Request, out any, mediaTypes ...string) error {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(mediaTypes, got) {
		return fault.Newf(fault.Invalid, "unsupported_media_type", "Send the body as %s.", strings.Join(mediaTypes, " or "))
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if err != nil {
		return decodeFault(err)
	}
	if len(body) > MaxBody {
		return tooLarge()
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(out); err != nil {
		return decodeFault(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "invalid_json", "There is more after the JSON document; send exactly one.")
	}
	return nil
}

func tooLarge() error {
	return fault.Newf(fault.TooLarge, "body_too_large", "The body is larger than %d bytes.", MaxBody)
}

func decodeFault(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge()
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fault.InvalidFields(fault.Field{
			Field:   e.Field,
			Message: fmt.Sprintf("must be %s, not %s", jsonName(e.Type.Kind().String()), e.Value),
		})
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fault.Newf(fault.Invalid, "invalid_json", "The body is not JSON: %s at byte %d.", e.Error(), e.Offset)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return &fault.Error{
			Kind: fault.Invalid, Code: "unknown_field",
			Message: "The body has a field that is not known here; remove it or correct its name.",
			Fields:  []fault.Field{{Field: strings.Trim(name, `"`), Message: "is not known"}},
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return fault.New(fault.Invalid, "invalid_json", "The body is empty; send a JSON document.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.Invalid, "invalid_json", "The JSON document is cut short.")
	}
	return &fault.Error{Kind: fault.Invalid, Code: "invalid_json", Message: "The body could not be read as JSON.", Err: err}
}

// jsonName names a Go kind in the words of JSON.
func jsonName(kind string) string {
	switch {
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return "a whole number"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case kind == "bool":
		return "true or false"
	case kind == "slice", kind == "array":
		return "an array"
	case kind == "struct", kind == "map":
		return "an object"
	}
	return "a " + kind
}

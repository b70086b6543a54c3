package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sidecart.dev/kit/fault"
)

// MaxBody is the default bound of a request body in bytes.
const MaxBody = 64 << 10

// Decode reads a JSON request body into out. It takes exactly what the contract describes and
// refuses everything else with a message that says what to change, and where: items[1].quantity.
//
//   - The media type is JSON, without parameters other than charset=utf-8, and without a content
//     coding.
//   - The body has one document of at most [MaxBody] bytes in UTF-8, and nothing behind it.
//   - Names are known, in their exact case, and given once. So no two readers of the same bytes can
//     understand different things by them.
//   - Values have the type of their field. null is not a way to leave a field out: it is refused
//     but for fields of type json.RawMessage, whose reader tells null, absent and a value apart.
//
// The reading is done by the library that encoding/json/v2 comes from, because the first version
// folds the case of names ("ITEMS", "item\u017f") and takes the last of two equal names, or a
// mixture of both.
func Decode(r *http.Request, out any) error { return DecodeMedia(r, out, "application/json") }

// DecodeMedia is [Decode] for any of the given media types.
func DecodeMedia(r *http.Request, out any, mediaTypes ...string) error {
	if err := checkMedia(r.Header, mediaTypes); err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if err != nil {
		return readFault(err)
	}
	if len(body) > MaxBody {
		return tooLarge()
	}
	return Unmarshal(body, out)
}

// Unmarshal reads one JSON document as [Decode] reads a body.
func Unmarshal(document []byte, out any) error {
	return decodeFault(jsonv2.Unmarshal(document, out, jsonv2.RejectUnknownMembers(true),
		jsonv2.WithUnmarshalers(jsonv2.UnmarshalFromFunc(refuseNull))))
}

// checkMedia refuses what is not one of the media types, in UTF-8 and without a content coding.
func checkMedia(header http.Header, mediaTypes []string) error {
	refuse := func(format string, args ...any) error {
		return fault.Newf(fault.Invalid, "unsupported_media_type", format, args...)
	}
	values := header.Values("Content-Type")
	if len(values) != 1 {
		return refuse("Send the body as %s.", strings.Join(mediaTypes, " or "))
	}
	got, parameters, err := mime.ParseMediaType(values[0])
	if err != nil || !slices.Contains(mediaTypes, got) {
		return refuse("Send the body as %s.", strings.Join(mediaTypes, " or "))
	}
	for name, value := range parameters {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return refuse("Send the body as %s, without the parameter %s=%s.", got, name, value)
		}
	}
	for _, coding := range header.Values("Content-Encoding") {
		if !strings.EqualFold(coding, "identity") {
			return refuse("Send the body without a content coding.")
		}
	}
	return nil
}

var errNull = errors.New("must not be null")

// refuseNull is called for every value before it is read.
func refuseNull(dec *jsontext.Decoder, out any) error {
	if _, keeps := out.(*json.RawMessage); keeps || dec.PeekKind() != 'n' {
		return errors.ErrUnsupported // read it as usual
	}
	if _, err := dec.ReadToken(); err != nil {
		return err // it only begins like null
	}
	return errNull
}

func tooLarge() error {
	return fault.Newf(fault.TooLarge, "body_too_large", "The body is larger than %d bytes.", MaxBody)
}

func readFault(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge()
	}
	return fault.Wrap(err, fault.Invalid, "invalid_request", "The body could not be read.")
}

// decodeFault says what is wrong with a document, and where.
func decodeFault(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*jsonv2.SemanticError](err); ok {
		return semanticFault(e)
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return syntacticFault(e)
	}
	if errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "invalid_json", "The body is empty; send a JSON document.")
	}
	return fault.Wrap(err, fault.Invalid, "invalid_json", "The body could not be read as JSON.")
}

func semanticFault(e *jsonv2.SemanticError) error {
	path := fieldPath(e.JSONPointer)
	switch {
	case errors.Is(e.Err, jsonv2.ErrUnknownName):
		return &fault.Error{
			Kind: fault.Invalid, Code: "unknown_field",
			Message: "The body has a field that is not known here; remove it or correct its name.",
			Fields:  []fault.Field{{Field: path, Message: "is not known"}},
		}
	case errors.Is(e.Err, errNull):
		return fault.InvalidField(path, "must not be null")
	case errors.Is(e.Err, strconv.ErrRange):
		return fault.InvalidField(path, "is out of range")
	}
	return fault.InvalidField(path, fmt.Sprintf("must be %s, not %s",
		typeName(e.GoType), kindName(e.JSONKind, e.JSONValue)))
}

func syntacticFault(e *jsontext.SyntacticError) error {
	switch {
	case errors.Is(e.Err, jsontext.ErrDuplicateName):
		twice := fieldPath(e.JSONPointer)
		return fault.InvalidField(twice, "must be given once")
	case errors.Is(e.Err, io.ErrUnexpectedEOF) && e.ByteOffset == 0:
		return fault.New(fault.Invalid, "invalid_json", "The body is empty; send a JSON document.")
	case errors.Is(e.Err, io.ErrUnexpectedEOF):
		return fault.New(fault.Invalid, "invalid_json", "The JSON document is cut short.")
	}
	return fault.Newf(fault.Invalid, "invalid_json",
		"The body is not one JSON document: %s at byte %d.", e.Err, e.ByteOffset)
}

// fieldPath writes a JSON pointer as the API names fields: /items/1/quantity is items[1].quantity.
func fieldPath(pointer jsontext.Pointer) string {
	var path strings.Builder
	for token := range pointer.Tokens() {
		if _, err := strconv.ParseUint(token, 10, 32); err == nil && path.Len() > 0 {
			fmt.Fprintf(&path, "[%s]", token)
			continue
		}
		if path.Len() > 0 {
			path.WriteByte('.')
		}
		path.WriteString(token)
	}
	return path.String()
}

// typeName names a Go type in the words of JSON.
func typeName(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "another value"
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a " + t.Kind().String()
}

// kindName names what was sent in its place.
func kindName(kind jsontext.Kind, value jsontext.Value) string {
	switch kind {
	case 't', 'f':
		return "true or false"
	case '"':
		return "a string"
	case '0':
		if len(value) > 0 && len(value) <= 32 {
			return string(value)
		}
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "this"
}

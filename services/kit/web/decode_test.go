package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

func TestDecodeIsStrict(t *testing.T) {
	type item struct {
		Quantity int `json:"quantity"`
	}
	type input struct {
		Name  string          `json:"name"`
		Items []item          `json:"items"`
		Note  *string         `json:"note"`
		Raw   json.RawMessage `json:"raw"`
	}
	cases := []struct {
		name, media, body string
		code, field       string // empty code: accepted
	}{
		{"a fitting document", "application/json", `{"name":"x","items":[{"quantity":1}]}`, "", ""},
		{"a media type with parameters", "application/json; charset=utf-8", `{}`, "", ""},
		{"white space behind", "application/json", "{} \n", "", ""},
		{"another media type", "text/plain", `{}`, "unsupported_media_type", ""},
		{"no media type", "", `{}`, "unsupported_media_type", ""},
		{"an unknown field", "application/json", `{"nme":"x"}`, "unknown_field", "nme"},
		{"a wrong type", "application/json", `{"items":[{"quantity":"1"}]}`, "invalid_request", "items[0].quantity"},
		{"a fraction for a whole number", "application/json", `{"items":[{"quantity":1},{"quantity":1.5}]}`, "invalid_request", "items[1].quantity"},
		{"a number out of range", "application/json", `{"items":[{"quantity":9223372036854775808}]}`, "invalid_request", "items[0].quantity"},
		{"a name in another case", "application/json", `{"ITEMS":[]}`, "unknown_field", "ITEMS"},
		{"a name that folds to another", "application/json", `{"itemſ":[]}`, "unknown_field", "itemſ"},
		{"an unknown field inside", "application/json", `{"items":[{},{"qty":1}]}`, "unknown_field", "items[1].qty"},
		{"a name given twice", "application/json", `{"name":"x","name":"y"}`, "invalid_request", "name"},
		{"a name given twice inside", "application/json", `{"items":[{"quantity":1,"quantity":2}]}`, "invalid_request", "items[0].quantity"},
		{"a name given twice, once escaped", "application/json", `{"name":"x","n\u0061me":"y"}`, "invalid_request", "name"},
		{"a name given twice in a raw field", "application/json", `{"raw":{"a":1,"a":2}}`, "invalid_request", "raw.a"},
		{"null for a value", "application/json", `{"name":null}`, "invalid_request", "name"},
		{"null for an optional value", "application/json", `{"note":null}`, "invalid_request", "note"},
		{"null in a list", "application/json", `{"items":[null]}`, "invalid_request", "items[0]"},
		{"null for everything", "application/json", `null`, "invalid_request", ""},
		{"null where it means something", "application/json", `{"raw":null}`, "", ""},
		{"an array for everything", "application/json", `[]`, "invalid_request", ""},
		{"what is not UTF-8", "application/json", "{\"name\":\"\xff\"}", "invalid_json", ""},
		{"half a surrogate pair", "application/json", `{"name":"\ud800"}`, "invalid_json", ""},
		{"a byte order mark", "application/json", "\ufeff{}", "invalid_json", ""},
		{"another encoding", "application/json; charset=latin1", `{}`, "unsupported_media_type", ""},
		{"a parameter nobody knows", "application/json; version=2", `{}`, "unsupported_media_type", ""},
		{"something behind", "application/json", `{} {}`, "invalid_json", ""},
		{"nothing", "application/json", ``, "invalid_json", ""},
		{"half a document", "application/json", `{"name":`, "invalid_json", ""},
		{"no JSON", "application/json", `name=x`, "invalid_json", ""},
		{"too much", "application/json", `{"name":"` + strings.Repeat("x", web.MaxBody) + `"}`, "body_too_large", ""},
		{"too much behind", "application/json", `{}` + strings.Repeat(" ", web.MaxBody) + `{}`, "body_too_large", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.media)
			var in input
			err := web.Decode(r, &in)
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Equal(t, c.code, fault.CodeOf(err), "%v", err)
			if c.field != "" {
				f := err.(*fault.Error) //nolint:errorlint // made here
				require.Len(t, f.Fields, 1)
				assert.Equal(t, c.field, f.Fields[0].Field)
			}
		})
	}
}

func TestABodyIsReadAsItWasSent(t *testing.T) {
	for name, change := range map[string]func(http.Header){
		"a content coding":  func(h http.Header) { h.Set("Content-Encoding", "gzip") },
		"two media types":   func(h http.Header) { h.Add("Content-Type", "application/json") },
		"two codings in it": func(h http.Header) { h["Content-Encoding"] = []string{"identity", "br"} },
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{}`))
		r.Header.Set("Content-Type", "application/json")
		change(r.Header)
		assert.Equal(t, "unsupported_media_type", fault.CodeOf(web.Decode(r, &struct{}{})), name)
	}
}

func TestAnErrorBecomesAProblem(t *testing.T) {
	cases := []struct {
		name   string
		err    error
		status int
		code   string
		detail string
	}{
		{"a fault", fault.New(fault.Conflict, "order_state", "No."), 409, "order_state", "No."},
		{"an unknown error shows nothing", assert.AnError, 500, "internal", "Something went wrong here. The trace id helps to find out what."},
		{"an internal fault shows nothing", fault.New(fault.Internal, "x", "password is hunter2"), 500, "internal", "Something went wrong here. The trace id helps to find out what."},
		{"a code with a status of its own", fault.New(fault.Invalid, "unsupported_media_type", "No."), 415, "unsupported_media_type", "No."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			web.WriteError(w, httptest.NewRequest(http.MethodGet, "/a", nil), c.err)
			var p web.Problem
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
			assert.Equal(t, c.status, w.Code)
			assert.Equal(t, web.Problem{
				Type: "https://sidecart.dev/problems/" + c.code, Title: http.StatusText(c.status), Status: c.status,
				Detail: c.detail, Instance: "/a", Code: c.code,
			}, p)
			assert.Equal(t, web.ProblemType, w.Header().Get("Content-Type"))
		})
	}
}

func TestEveryKindHasAStatus(t *testing.T) {
	for k := fault.Internal; k <= fault.Timeout; k++ {
		assert.GreaterOrEqual(t, web.StatusOf(fault.New(k, "x", "")), 400, "%s", k)
	}
}

func TestAPanicIsA500WithoutItsReason(t *testing.T) {
	w := httptest.NewRecorder()
	web.Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") })).
		ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.NotContains(t, w.Body.String(), "secret")
}

func TestTheAppTokenIsRequired(t *testing.T) {
	h := web.RequireAppToken("right")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for token, status := range map[string]int{"": 401, "wrong": 401, "right": 200} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("dapr-api-token", token)
		h.ServeHTTP(w, r)
		assert.Equal(t, status, w.Code, "token %q", token)
	}
}

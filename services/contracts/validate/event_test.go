package validate_test

import (
	"fmt"
	"strings"
	"testing"

	"sidecart.dev/contracts/validate"
)

const registered = `{"specversion":"1.0","id":"usr_1:1:user.registered.v1","source":"/sidecart/users","type":"user.registered.v1",` +
	`"subject":"usr_1","time":"2026-03-01T10:00:00Z","datacontenttype":"application/json",` +
	`"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",` +
	`"data":{"user_id":"usr_1","version":1,"registered_at":"2026-03-01T10:00:00Z"}}`

func TestEventAcceptsFieldsNobodyKnows(t *testing.T) {
	for _, more := range []string{`"topic":"users",`, `"pubsubname":"bus",`} {
		if err := validate.Event([]byte(strings.Replace(registered, `{`, `{`+more, 1))); err != nil {
			t.Errorf("with %s: %v", more, err)
		}
	}
	extended := strings.Replace(registered, `"version":1`, `"version":1,"referrer":"x"`, 1)
	if err := validate.Event([]byte(extended)); err != nil {
		t.Errorf("with more data: %v", err)
	}
}

func TestEventNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ replace, with, want string }{
		{registered, `{`, "not JSON"},
		{registered, `[]`, "envelope"},
		{`"specversion":"1.0"`, `"specversion":"0.3"`, "/specversion"},
		{`"traceparent":"00-4bf9`, `"traceparent":"4bf9`, "/traceparent"},
		{`"traceparent"`, `"trace"`, "traceparent"},
		{`"type":"user.registered.v1"`, `"type":"user.registered.v2"`, "has no schema"},
		{`/sidecart/users`, `/sidecart/orders`, "source of user.registered.v1"},
		{`"subject":"usr_1"`, `"subject":"usr_2"`, "subject of user.registered.v1"},
		{`"version":1`, `"version":"1"`, "/version"},
		{`"version":1`, `"version":0`, "/version"},
		{`"registered_at":"2026-03-01T10`, `"registered_at":"2026-03-01 10`, "/registered_at"},
		{`"user_id":"usr_1",`, ``, "user_id"},
		{`"user_id":"usr_1"`, `"user_id":"ord_1"`, "/user_id"},
	} {
		raw := strings.Replace(registered, c.replace, c.with, 1)
		err := validate.Event([]byte(raw))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("with %s: error is %v, want one that names %q", c.with, err, c.want)
		}
	}
}

func ExampleEvent() {
	err := validate.Event([]byte(`{"specversion":"1.0"}`))
	fmt.Println(err != nil)
	// Output: true
}

package main

import (
	"net/http"
	"strings"
	"testing"

	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/users/internal/userstest"

	"sidecart.dev/kit/document"
	"sidecart.dev/users"
)

const (
	registration = `{"email":"Ada@Example.com","password":"correct horse battery","name":"Ada Lovelace","phone":"+4915112345678","locale":"de"}`
	credentials  = `{"email":"ada@example.com","password":"correct horse battery"}`
)

// The life of an account over HTTP, each exchange checked against the contract and each event
// against its schema.
func TestTheLifeOfAnAccount(t *testing.T) {
	r := start(t)
	me := r.want(r.send("POST", "/api/v1/users", "", registration), 201, "registering")
	if me.text("email") != "ada@example.com" || me.text("phone") != "+4915112345678" || me.text("locale") != "de" || me.header.Get("Location") != "/api/v1/users/me" {
		t.Errorf("registered as %v, Location %q", me.body, me.header.Get("Location"))
	}
	id := me.text("id")
	again := r.want(r.send("POST", "/api/v1/users", "", registration), 409, "registering twice")
	if again.text("code") != "email_taken" {
		t.Errorf("registering twice: code %s, want email_taken", again.text("code"))
	}
	session := r.want(r.send("POST", "/api/v1/sessions", "", credentials, "X-Client-Ip", "192.0.2.7"), 201, "logging in")
	token := session.text("access_token")

	got := r.want(r.send("GET", "/api/v1/users/me", token, ""), 200, "reading the profile")
	r.want(r.send("GET", "/api/v1/users/me", token, "", "If-None-Match", got.header.Get("ETag")), 304, "reading it again")
	sms := r.want(r.ask("/internal/mail-tokens", `{"user_id":"`+id+`","kind":"phone","event_id":"x"}`), 200, "minting a code")
	if sms.text("phone") != "+4915112345678" || got.body["phone_verified"] != false {
		t.Errorf("the code is for %q, and the number is confirmed: %v", sms.text("phone"), got.body["phone_verified"])
	}
	r.want(r.send("POST", "/api/v1/users/me/phone/code", token, ""), 202, "asking for a code again")
	r.want(r.send("POST", "/api/v1/users/me/phone/confirm", token, `invalid: {"code":"12345"}`), 400, "half a code")
	r.want(r.send("POST", "/api/v1/users/me/phone/confirm", token, `{"code":"`+sms.text("token")+`"}`), 204, "confirming the number")
	contact := r.want(r.ask("/internal/contacts", `{"user_ids":["`+id+`"]}`), 200, "contacts").body["contacts"].([]any)[0].(map[string]any)
	if got = r.send("GET", "/api/v1/users/me", token, ""); contact["phone_verified"] != true || got.body["phone_verified"] != true {
		t.Errorf("the confirmed number is told as %v and %v", contact, got.body)
	}
	patched := r.want(r.send("PATCH", "/api/v1/users/me", token, `{"phone":null,"preferences":{"sms":{"orders":true}}}`,
		"Content-Type", "application/merge-patch+json"), 200, "patching")
	if _, has := patched.body["phone"]; has || patched.body["version"] != got.body["version"].(float64)+1 {
		t.Errorf("patched to %v, want no phone and the next version", patched.body)
	}

	verify := r.want(r.ask("/internal/mail-tokens", `{"user_id":"`+id+`","kind":"verify","event_id":"x"}`), 200, "minting").text("token")
	r.want(r.send("POST", "/api/v1/users/verify", "", `{"token":"`+verify+`","password":"a wrong password"}`), 422, "verifying with a wrong password")
	r.want(r.send("POST", "/api/v1/users/verify", token+"x", `{"token":"`+verify+`"}`), 401, "verifying with a broken token")
	r.want(r.send("POST", "/api/v1/users/verify", token, `{"token":"`+verify+`"}`), 204, "verifying")
	r.want(r.send("POST", "/api/v1/users/verify", "", `{"token":"`+verify+`"}`), 422, "verifying twice")
	r.want(r.send("POST", "/api/v1/users/me/verification", token, ""), 202, "asking for a needless mail")
	r.want(r.ask("/internal/mail-tokens", `{"user_id":"`+id+`","kind":"verify","event_id":"x"}`), 404, "minting for a verified address")

	again = r.want(r.send("POST", "/api/v1/sessions", "", `{"email":"ada@example.com","password":"correct horse battery","device_token":"`+
		session.text("device_token")+`"}`), 201, "logging in on the same device")
	if d := again.text("device_token"); d == "" || d == session.text("device_token") {
		t.Errorf("the device token of the next login is %q, want a fresh one", d)
	}

	refreshed := r.want(r.send("POST", "/api/v1/sessions/refresh", "", `{"refresh_token":"`+session.text("refresh_token")+`"}`), 200, "refreshing")
	token = refreshed.text("access_token")
	r.want(r.send("PUT", "/api/v1/users/me/password", token, `{"current_password":"wrong","new_password":"staple of the trade"}`), 422, "a wrong current password")
	r.want(r.send("PUT", "/api/v1/users/me/password", token, `{"current_password":"correct horse battery","new_password":"staple of the trade"}`), 204, "changing the password")
	r.want(r.send("POST", "/api/v1/sessions", "", credentials), 401, "logging in with the old password")

	r.want(r.send("POST", "/api/v1/password-resets", "", `{"email":"ada@example.com"}`), 202, "asking for a reset")
	r.want(r.send("POST", "/api/v1/password-resets", "", `{"email":"nobody@example.com"}`), 202, "asking for a stranger's reset")
	r.eventually("the reset is asked for", func() bool { return r.told(users.EventResetRequested) })
	reset := r.want(r.ask("/internal/mail-tokens", `{"user_id":"`+id+`","kind":"reset","event_id":"x"}`), 200, "minting").text("token")
	r.want(r.send("POST", "/api/v1/password-resets/confirm", "", `{"token":"`+reset+`","new_password":"a third password"}`), 204, "resetting")
	r.want(r.send("POST", "/api/v1/sessions/refresh", "", `{"refresh_token":"`+refreshed.text("refresh_token")+`"}`), 401, "refreshing after a reset")

	session = r.want(r.send("POST", "/api/v1/sessions", "", `{"email":"ADA@example.com","password":"a third password"}`), 201, "logging in again")
	r.want(r.send("DELETE", "/api/v1/sessions?all=true", session.text("access_token"), ""), 204, "logging out everywhere")
	r.refusesChanges(session.text("access_token"))
	session = r.want(r.send("POST", "/api/v1/sessions", "", `{"email":"ada@example.com","password":"a third password"}`), 201, "logging in once more")
	r.want(r.send("DELETE", "/api/v1/users/me", session.text("access_token"), ""), 204, "deleting")
	r.refusesChanges(session.text("access_token"))
	r.want(r.send("GET", "/api/v1/users/me", session.text("access_token"), ""), 401, "reading a deleted profile")
	r.erased(id)
	r.want(r.send("POST", "/api/v1/users", "", registration), 201, "registering the address again")
	r.clean("Ada", "ada@example.com", "correct horse", "staple of", "third password", "+4915112345678", token, verify, reset, session.text("refresh_token"))
}

// refusesChanges shows the access token of an ended session to every route by which it could change
// something.
func (r *running) refusesChanges(token string) {
	r.t.Helper()
	r.want(r.send("PATCH", "/api/v1/users/me", token, `{"name":"Eve"}`, "Content-Type", "application/merge-patch+json"), 401, "patching after the end")
	r.want(r.send("PUT", "/api/v1/users/me/password", token, `{"current_password":"a third password","new_password":"staple of the trade"}`), 401, "a new password after the end")
	r.want(r.send("POST", "/api/v1/users/me/verification", token, ""), 401, "asking for a mail after the end")
	r.want(r.send("POST", "/api/v1/users/me/phone/code", token, ""), 401, "asking for a code after the end")
	r.want(r.send("POST", "/api/v1/users/me/phone/confirm", token, `{"code":"123456"}`), 401, "confirming a number after the end")
	r.want(r.send("DELETE", "/api/v1/sessions?all=true", token, ""), 401, "ending the other sessions after the end")
	r.want(r.send("DELETE", "/api/v1/users/me", token, ""), 401, "deleting after the end")
}

func (r *running) told(eventType string) bool {
	for _, m := range r.bus.All(users.Topic) {
		if strings.Contains(string(m.Body), eventType) {
			return true
		}
	}
	return false
}

// erased waits until the account has no personal data any more.
func (r *running) erased(id string) {
	r.t.Helper()
	if found := r.want(r.ask("/internal/contacts", `{"user_ids":["`+id+`"]}`), 200, "contacts").body["contacts"].([]any); len(found) == 0 {
		r.t.Error("there is no address left for the last mail")
	}
	docs := document.New[users.User](r.state, users.AccountKind)
	r.eventually("the account is erased", func() bool {
		r.deliver()
		r.service.Journal.Poke()
		u, err := docs.Read(r.t.Context(), id)
		return err == nil && u.Exists && u.Doc.Email+u.Doc.Name+u.Doc.Phone == ""
	})
	r.eventually("the journal is empty", func() bool {
		r.deliver()
		r.service.Journal.Poke()
		return r.service.Journal.Stats().Backlog == 0
	})
}

// clean checks that nothing of a person stands in any log line or event.
func (r *running) clean(secrets ...string) {
	r.t.Helper()
	if err := r.bus.CheckError(); err != nil {
		r.t.Errorf("an event breaks its schema: %v", err)
	}
	all := r.logs.String()
	for _, m := range r.bus.All(users.Topic) {
		all += string(m.Body)
	}
	for _, secret := range secrets {
		if secret == "" || strings.Contains(all, secret) {
			r.t.Errorf("%q stands in a log line or an event", secret)
		}
	}
}

// Whoever starts the system is told the operator's login as soon as the service is ready.
func TestTheServiceIsNotReadyBeforeItsOperatorCanLogIn(t *testing.T) {
	w := userstest.New(t)
	secrets := sidecartest.Secrets{"operator-email": "operator@sidecart.local", "operator-password": operatorPassword}
	o := &operator{secret: secrets.Secret, service: w.Process().Service}
	if o.Ready(t.Context()) == nil {
		t.Error("the service is ready before its operator can log in")
	}
	if err := o.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := o.Ready(t.Context()); err != nil {
		t.Errorf("with an operator: %v", err)
	}
}

func TestTheOperatorLogsIn(t *testing.T) {
	r := start(t)
	session := r.want(r.send("POST", "/api/v1/sessions", "", `{"email":"operator@sidecart.local","password":"`+operatorPassword+`"}`), 201, "logging in")
	if me := r.send("GET", "/api/v1/users/me", session.text("access_token"), ""); me.text("role") != "operator" {
		t.Errorf("the operator is %v", me.body)
	}
}

func TestKeysArePublishedWithoutTheirPrivatePart(t *testing.T) {
	r := start(t)
	set := r.want(r.send("GET", "/.well-known/jwks.json", "", ""), 200, "reading the keys")
	keys := set.body["keys"].([]any)
	if len(keys) != 1 || keys[0].(map[string]any)["kid"] != "k1" || set.header.Get("Cache-Control") != "public, max-age=60" {
		t.Errorf("keys %v, Cache-Control %q", keys, set.header.Get("Cache-Control"))
	}
}

func TestWrongRequestsAreAnsweredWithWhatToChange(t *testing.T) {
	r := start(t)
	r.want(r.send("POST", "/api/v1/users", "", registration), 201, "registering")
	token := r.want(r.send("POST", "/api/v1/sessions", "", credentials), 201, "logging in").text("access_token")
	for _, c := range []struct {
		method, path, body string
		status             int
		code, field        string
	}{
		{"POST", "/api/v1/users", `invalid: {"email":"x","password":"correct horse battery","name":"A"}`, 400, "invalid_request", "email"},
		{"POST", "/api/v1/users", `invalid: {"email":"a@example.com","password":"short","name":"A"}`, 400, "invalid_request", "password"},
		{"POST", "/api/v1/users", `{"email":"a@example.com","password":"password1234","name":"A"}`, 400, "invalid_request", "password"},
		{"POST", "/api/v1/users", `invalid: {"email":"a@example.com","password":"correct horse battery","name":"A","locale":"fr"}`, 400, "invalid_request", "locale"},
		{"POST", "/api/v1/users", `invalid: {"email":"a@example.com","password":"correct horse battery","name":"A","role":"operator"}`, 400, "unknown_field", "role"},
		{"POST", "/api/v1/users", `invalid: {"email":7}`, 400, "invalid_request", "email"},
		{"POST", "/api/v1/users", `invalid: {`, 400, "invalid_json", ""},
		{"POST", "/api/v1/users", "invalid: \"" + strings.Repeat("x", 70_000) + "\"", 413, "body_too_large", ""},
		{"POST", "/api/v1/sessions", `invalid: {"email":"ada@example.com","password":""}`, 400, "invalid_request", "password"},
		{"POST", "/api/v1/sessions", `invalid: {"email":"ada@example.com","password":"correct horse battery","device_token":"` + strings.Repeat("x", 513) + `"}`, 400, "invalid_request", "device_token"},
		{"POST", "/api/v1/sessions", `invalid: {"email":"ada@example.com","password":"correct horse battery","device_token":null}`, 400, "invalid_request", "device_token"},
		{"POST", "/api/v1/sessions", `{"email":"ada@example.com","password":"wrong","device_token":"nonsense"}`, 401, "unauthenticated", ""},
		{"POST", "/api/v1/sessions/refresh", `invalid: {}`, 400, "invalid_request", "refresh_token"},
		{"POST", "/api/v1/sessions/refresh", `{"refresh_token":"rt_nothing.of-the-sort"}`, 401, "unauthenticated", ""},
		{"POST", "/api/v1/users/verify", `{"token":"aaaaaaaaaaaaaaaaaaaa"}`, 422, "unprocessable", "token"},
		{"POST", "/api/v1/password-resets", `invalid: {"email":"x"}`, 400, "invalid_request", "email"},
		{"POST", "/api/v1/password-resets/confirm", `{"token":"aaaaaaaaaaaaaaaaaaaa","new_password":"staple of the trade"}`, 422, "unprocessable", "token"},
		{"PATCH", "/api/v1/users/me", `invalid: {"name":null}`, 400, "invalid_request", "name"},
		{"PATCH", "/api/v1/users/me", `invalid: {"email":"eve@example.com"}`, 400, "unknown_field", "email"},
		{"PATCH", "/api/v1/users/me", `invalid: {"phone":"123"}`, 400, "invalid_request", "phone"},
		{"PATCH", "/api/v1/users/me", `invalid: {"preferences":{"push":{}}}`, 400, "unknown_field", "preferences.push"},
		{"PATCH", "/api/v1/users/me", `invalid: {"preferences":{"sms":{"orders":"yes"}}}`, 400, "invalid_request", "preferences.sms.orders"},
		{"PATCH", "/api/v1/users/me", `invalid: {"preferences":null}`, 400, "invalid_request", "preferences"},
		{"PUT", "/api/v1/users/me/password", `invalid: {"current_password":"correct horse battery","new_password":"short"}`, 400, "invalid_request", "new_password"},
	} {
		a := r.send(c.method, c.path, token, c.body)
		field := ""
		if errs, _ := a.body["errors"].([]any); len(errs) > 0 {
			field = errs[0].(map[string]any)["field"].(string)
		}
		if a.status != c.status || a.text("code") != c.code || field != c.field {
			t.Errorf("%s %s %.80s: %d %s %q, want %d %s %q", c.method, c.path, c.body, a.status, a.text("code"), field, c.status, c.code, c.field)
		}
	}
	r.want(r.send("DELETE", "/api/v1/sessions?all=maybe", token, "", validateInvalid...), 400, "a bad parameter")
}

var validateInvalid = []string{"X-Expect-Invalid", "true"}

func TestNobodyGetsPastTheTokens(t *testing.T) {
	r := start(t)
	for _, route := range [][2]string{
		{"GET", "/api/v1/users/me"},
		{"PATCH", "/api/v1/users/me"},
		{"DELETE", "/api/v1/users/me"},
		{"PUT", "/api/v1/users/me/password"},
		{"POST", "/api/v1/users/me/verification"},
		{"DELETE", "/api/v1/sessions"},
		{"POST", "/internal/contacts"},
		{"POST", "/internal/mail-tokens"},
	} {
		serviceToken, _ := r.services.Authorize("users")
		for name, token := range map[string]string{"none": "", "nonsense": "a.b.c", "a service's": strings.TrimPrefix(serviceToken, "Bearer ")} {
			if strings.HasPrefix(route[1], "/internal/") && name == "a service's" {
				continue
			}
			a := r.send(route[0], route[1], token, "invalid: ")
			if a.status != http.StatusUnauthorized {
				t.Errorf("%s %s with token %s: %d, want 401", route[0], route[1], name, a.status)
			}
		}
	}
	user := r.want(r.send("POST", "/api/v1/sessions", "", `{"email":"operator@sidecart.local","password":"`+operatorPassword+`"}`), 201, "logging in").text("access_token")
	r.want(r.send("POST", "/internal/contacts", user, `{"user_ids":[]}`), 401, "asking for contacts as a user")
}

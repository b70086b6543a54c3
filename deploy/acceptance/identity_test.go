package acceptance

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

func TestOneOfManyConcurrentRegistrationsSucceeds(t *testing.T) {
	inContract(t)
	email := "race-" + uuid.NewString() + "@example.com"
	statuses := make([]int, 6)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			spelling := email
			if i%2 == 1 {
				spelling = strings.ToUpper(email)
			}
			answer, err := world.API.Do(t.Context(), http.MethodPost, "/api/v1/users",
				map[string]any{"email": spelling, "password": harness.Password, "name": "Race"})
			if assert.NoError(t, err) {
				statuses[i] = answer.Status
			}
		})
	}
	wg.Wait()
	created := 0
	for _, status := range statuses {
		if status == http.StatusCreated {
			created++
		} else {
			assert.Contains(t, []int{http.StatusConflict, http.StatusServiceUnavailable}, status)
		}
	}
	assert.Equal(t, 1, created, "answers: %v", statuses)
	world.LogIn(t, harness.Login{Email: email, Password: harness.Password})
}

func TestASpentRefreshTokenEndsItsFamily(t *testing.T) {
	inContract(t)
	customer := world.NewCustomer(t)
	refresh := func(token string) (harness.Answer, harness.Session) {
		var s harness.Session
		answer, err := world.API.Do(t.Context(), http.MethodPost, "/api/v1/sessions/refresh", map[string]string{"refresh_token": token})
		require.NoError(t, err)
		if answer.Status == http.StatusOK {
			require.NoError(t, answer.Into(&s))
		}
		return answer, s
	}
	first, second := refresh(customer.RefreshToken)
	require.Equal(t, http.StatusOK, first.Status, "%s", first.Body)
	again, repeated := refresh(customer.RefreshToken)
	require.Equal(t, http.StatusOK, again.Status, "an answer may have been lost: %s", again.Body)
	assert.Equal(t, second.RefreshToken, repeated.RefreshToken, "a repetition gives the same token")
	third, _ := refresh(second.RefreshToken)
	require.Equal(t, http.StatusOK, third.Status, "%s", third.Body)
	stolen, _ := refresh(customer.RefreshToken)
	assert.Equal(t, http.StatusUnauthorized, stolen.Status, "a spent token is refused")
	after, _ := refresh(second.RefreshToken)
	assert.Equal(t, http.StatusUnauthorized, after.Status, "and its reuse ends the whole family")
}

func TestLoginTellsNothingAboutWhoExists(t *testing.T) {
	inContract(t)
	customer := world.NewCustomer(t)
	known := harness.Must(t, world.API, http.StatusUnauthorized, http.MethodPost, "/api/v1/sessions",
		map[string]string{"email": customer.Email, "password": "not the password"}, nil)
	unknown := harness.Must(t, world.API, http.StatusUnauthorized, http.MethodPost, "/api/v1/sessions",
		map[string]string{"email": "nobody-" + customer.Email, "password": "not the password"}, nil)
	assert.Equal(t, withoutTrace(t, known), withoutTrace(t, unknown))
	for _, email := range []string{customer.Email, "nobody-" + customer.Email} {
		harness.Must(t, world.API, http.StatusAccepted, http.MethodPost, "/api/v1/password-resets", map[string]string{"email": email}, nil)
	}
}

// The guesser is slowed down. The owner goes on in his session, and logs in with what an earlier
// login gave his device.
func TestGuessingAPasswordDoesNotKeepTheOwnerOut(t *testing.T) {
	inContract(t)
	customer := world.NewCustomer(t)
	require.NotEmpty(t, customer.DeviceToken)
	wrong := map[string]string{"email": customer.Email, "password": "not the password"}
	for range 6 {
		harness.Must(t, world.API, http.StatusUnauthorized, http.MethodPost, "/api/v1/sessions", wrong, nil)
	}
	refused := harness.Must(t, world.API, http.StatusTooManyRequests, http.MethodPost, "/api/v1/sessions", wrong, nil)
	assert.NotEmpty(t, refused.Header.Get("Retry-After"))
	const fresh = "entirely different words"
	customer.Must(t, http.StatusNoContent, http.MethodPut, "/api/v1/users/me/password",
		map[string]string{"current_password": customer.Password, "new_password": fresh}, nil)
	right := map[string]string{"email": customer.Email, "password": fresh, "device_token": customer.DeviceToken}
	harness.Must(t, world.API, http.StatusCreated, http.MethodPost, "/api/v1/sessions", right, nil)
}

func withoutTrace(t *testing.T, a harness.Answer) map[string]any {
	t.Helper()
	var p map[string]any
	require.NoError(t, json.Unmarshal(a.Body, &p))
	delete(p, "trace_id")
	return p
}

var tokenInLink = regexp.MustCompile(`#/(?:verify|reset)\?token=([A-Za-z0-9_.%-]+)`)

func mailedToken(t *testing.T, address, subject string) string {
	t.Helper()
	mail := world.AwaitMail(t, address, func(m harness.Mail) bool { return strings.Contains(m.Subject, subject) })
	match := tokenInLink.FindStringSubmatch(mail.Text)
	require.NotNil(t, match, "a link in %q", mail.Text)
	return match[1]
}

func TestAnAddressIsVerifiedByTheMailedLinkOnce(t *testing.T) {
	inContract(t)
	customer := world.NewCustomer(t)
	token := mailedToken(t, customer.Email, "confirm your e-mail")
	customer.Must(t, http.StatusNoContent, http.MethodPost, "/api/v1/users/verify", map[string]string{"token": token}, nil)
	customer.Must(t, http.StatusUnprocessableEntity, http.MethodPost, "/api/v1/users/verify", map[string]string{"token": token}, nil)
	var me harness.User
	customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/users/me", nil, &me)
	assert.True(t, me.EmailVerified)
	harness.Must(t, world.API, http.StatusOK, http.MethodPost, "/api/v1/sessions/refresh", map[string]string{"refresh_token": customer.RefreshToken}, nil)
}

func TestAForgottenPasswordIsResetByMail(t *testing.T) {
	inContract(t)
	customer := world.NewCustomer(t)
	harness.Must(t, world.API, http.StatusAccepted, http.MethodPost, "/api/v1/password-resets", map[string]string{"email": customer.Email}, nil)
	token := mailedToken(t, customer.Email, "Reset your")
	const fresh = "entirely different words"
	form := map[string]string{"token": token, "new_password": fresh}
	harness.Must(t, world.API, http.StatusNoContent, http.MethodPost, "/api/v1/password-resets/confirm", form, nil)
	harness.Must(t, world.API, http.StatusUnprocessableEntity, http.MethodPost, "/api/v1/password-resets/confirm", form, nil)
	harness.Must(t, world.API, http.StatusUnauthorized, http.MethodPost, "/api/v1/sessions", map[string]string{"email": customer.Email, "password": harness.Password}, nil)
	harness.Must(t, world.API, http.StatusUnauthorized, http.MethodPost, "/api/v1/sessions/refresh", map[string]string{"refresh_token": customer.RefreshToken}, nil)
	world.LogIn(t, harness.Login{Email: customer.Email, Password: fresh})
	world.AwaitMail(t, customer.Email, func(m harness.Mail) bool { return strings.Contains(m.Subject, "password was changed") })
}

func TestADeletedUserIsGone(t *testing.T) {
	inContract(t)
	customer := world.NewCustomer(t)
	customer.Must(t, http.StatusNoContent, http.MethodDelete, "/api/v1/users/me", nil, nil)
	harness.Must(t, world.API, http.StatusUnauthorized, http.MethodPost, "/api/v1/sessions", map[string]string{"email": customer.Email, "password": customer.Password}, nil)
	world.AwaitMail(t, customer.Email, func(m harness.Mail) bool { return strings.Contains(m.Subject, "deleted") })
	again := harness.Customer{World: world, Login: customer.Login}
	harness.Must(t, world.API, http.StatusCreated, http.MethodPost, "/api/v1/users",
		map[string]any{"email": again.Email, "password": again.Password, "name": "Ada again"}, nil)
}

package http

import (
	"net/http"
	"regexp"
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
	"sidecart.dev/users"
)

// userJSON is an account as its owner sees it.
type userJSON struct {
	ID            string            `json:"id"`
	Email         string            `json:"email"`
	Name          string            `json:"name"`
	Phone         string            `json:"phone,omitempty"`
	PhoneVerified bool              `json:"phone_verified"`
	Role          auth.Role         `json:"role"`
	EmailVerified bool              `json:"email_verified"`
	Locale        string            `json:"locale"`
	Preferences   users.Preferences `json:"preferences"`
	CreatedAt     time.Time         `json:"created_at"`
	Version       int64             `json:"version"`
}

func writeUser(w http.ResponseWriter, status int, u users.User) error {
	w.Header().Set("ETag", web.VersionTag(u.Version))
	return web.WriteJSON(w, status, userJSON{
		ID: u.ID, Email: u.Email, EmailVerified: u.EmailVerified, Name: u.Name,
		Phone: u.Phone, PhoneVerified: u.PhoneVerified, Role: u.Role,
		Locale: u.Locale, Preferences: u.Preferences, CreatedAt: u.CreatedAt, Version: u.Version,
	})
}

func (a *api) register(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Email    string  `json:"email"`
		Password string  `json:"password"`
		Name     string  `json:"name"`
		Phone    *string `json:"phone"`
		Locale   *string `json:"locale"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	u, err := a.service.Register(r.Context(), users.Draft(in))
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/users/me")
	return writeUser(w, http.StatusCreated, u)
}

func (a *api) me(w http.ResponseWriter, r *http.Request) error {
	u, err := a.service.Profile(r.Context(), auth.From(r.Context()).UserID)
	if err != nil {
		return err
	}
	if web.NotModified(w, r, web.VersionTag(u.Version)) {
		return nil
	}
	return writeUser(w, http.StatusOK, u)
}

func (a *api) updateMe(w http.ResponseWriter, r *http.Request) error {
	patch, err := decodePatch(r)
	if err != nil {
		return err
	}
	u, err := a.service.UpdateProfile(r.Context(), auth.From(r.Context()).UserID, patch, expected(r))
	if err != nil {
		return err
	}
	return writeUser(w, http.StatusOK, u)
}

// expected checks the request's preconditions against the account as it is.
func expected(r *http.Request) users.Expected {
	allowed := web.Precondition(r)
	return func(u users.User) error { return allowed(web.VersionTag(u.Version)) }
}

func (a *api) deleteMe(w http.ResponseWriter, r *http.Request) error {
	if err := a.service.Delete(r.Context(), auth.From(r.Context()).UserID, expected(r)); err != nil {
		return err
	}
	return empty(w, http.StatusNoContent)
}

func (a *api) changePassword(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Current string `json:"current_password"`
		New     string `json:"new_password"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if err := required(field{"current_password", in.Current, maxPassword},
		field{"new_password", in.New, maxPassword}); err != nil {
		return err
	}
	who := auth.From(r.Context())
	if err := a.service.ChangePassword(r.Context(), who, in.Current, in.New); err != nil {
		return err
	}
	return empty(w, http.StatusNoContent)
}

func (a *api) askVerification(w http.ResponseWriter, r *http.Request) error {
	if err := a.service.AskVerification(r.Context(), auth.From(r.Context()).UserID); err != nil {
		return err
	}
	return empty(w, http.StatusAccepted)
}

func (a *api) askPhoneCode(w http.ResponseWriter, r *http.Request) error {
	if err := a.service.AskPhoneCode(r.Context(), auth.From(r.Context()).UserID); err != nil {
		return err
	}
	return empty(w, http.StatusAccepted)
}

func (a *api) confirmPhone(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Code string `json:"code"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if !code.MatchString(in.Code) {
		return fault.InvalidField("code", "must be six digits")
	}
	if err := a.service.ConfirmPhone(r.Context(), auth.From(r.Context()), in.Code); err != nil {
		return err
	}
	return empty(w, http.StatusNoContent)
}

var code = regexp.MustCompile(`^[0-9]{6}$`)

func (a *api) verify(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Token    string  `json:"token"`
		Password *string `json:"password"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	must := []field{{"token", in.Token, maxToken}}
	var shown users.Known
	if in.Password != nil {
		must = append(must, field{"password", *in.Password, maxPassword})
		shown.Password = *in.Password
	}
	if err := required(must...); err != nil {
		return err
	}
	if r.Header.Get("Authorization") != "" {
		p, err := a.users.Authenticate(r)
		if err != nil {
			return err
		}
		shown.Session = &p
	}
	if err := a.service.VerifyEmail(r.Context(), in.Token, shown); err != nil {
		return err
	}
	return empty(w, http.StatusNoContent)
}

func (a *api) askReset(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Email string `json:"email"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if err := a.service.AskReset(r.Context(), in.Email); err != nil {
		return err
	}
	return empty(w, http.StatusAccepted)
}

func (a *api) confirmReset(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Token string `json:"token"`
		New   string `json:"new_password"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if err := required(field{"token", in.Token, maxToken},
		field{"new_password", in.New, maxPassword}); err != nil {
		return err
	}
	if err := a.service.ConfirmReset(r.Context(), in.Token, in.New); err != nil {
		return err
	}
	return empty(w, http.StatusNoContent)
}

func empty(w http.ResponseWriter, status int) error {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return nil
}

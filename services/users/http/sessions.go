package http

import (
	"net/http"
	"net/netip"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
	"sidecart.dev/users"
)

// ClientIPHeader carries the client's address. Only the gateway sets it, and it removes one that
// comes from outside.
const ClientIPHeader = "X-Client-Ip"

func writeGrant(w http.ResponseWriter, status int, g users.Grant) error {
	return web.WriteJSON(w, status, struct {
		AccessToken      string `json:"access_token"`
		TokenType        string `json:"token_type"`
		ExpiresIn        int    `json:"expires_in"` // seconds
		RefreshToken     string `json:"refresh_token"`
		RefreshExpiresIn int    `json:"refresh_expires_in"` // seconds
		DeviceToken      string `json:"device_token,omitempty"`
	}{
		g.AccessToken, "Bearer", int(users.AccessLife.Seconds()),
		g.RefreshToken, int(users.RefreshLife.Seconds()), g.DeviceToken,
	})
}

func (a *api) login(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Email       string `json:"email"`
		Password    string `json:"password"`
		DeviceToken string `json:"device_token"` // one that is of no use here counts as none
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if err := required(field{"password", in.Password, maxPassword}); err != nil {
		return err
	}
	if len(in.DeviceToken) > maxToken {
		return fault.InvalidField("device_token", "must be at most 512 characters long")
	}
	address, _ := netip.ParseAddr(r.Header.Get(ClientIPHeader)) // invalid: not known
	client := users.Client{Address: address, DeviceToken: in.DeviceToken}
	grant, err := a.service.Login(r.Context(), in.Email, in.Password, client)
	if err != nil {
		return err
	}
	return writeGrant(w, http.StatusCreated, grant)
}

func (a *api) refresh(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if err := required(field{"refresh_token", in.RefreshToken, maxToken}); err != nil {
		return err
	}
	grant, err := a.service.Refresh(r.Context(), in.RefreshToken)
	if err != nil {
		return err
	}
	return writeGrant(w, http.StatusOK, grant)
}

func (a *api) logout(w http.ResponseWriter, r *http.Request) error {
	all := false
	switch r.URL.Query().Get("all") {
	case "", "false":
	case "true":
		all = true
	default:
		return fault.InvalidField("all", "must be true or false")
	}
	if err := a.service.Logout(r.Context(), auth.From(r.Context()), all); err != nil {
		return err
	}
	return empty(w, http.StatusNoContent)
}

// jwks may be kept for a minute: a new key is published for several before it signs anything.
func (a *api) jwks(w http.ResponseWriter, _ *http.Request) error {
	set, err := a.keys.JWKS()
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "public, max-age=60")
	return web.WriteJSON(w, http.StatusOK, set)
}

package users

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/netip"
	"strings"
	"time"
)

// Lives of what an account knows its owner by, beside the password.
const (
	DeviceLife  = 180 * 24 * time.Hour // of a device token; each login gives a new one
	networkLife = 90 * 24 * time.Hour  // of a network, since the last day of a login from there
)

// Client is where a login comes from. It says nothing about whether the password is right; it
// decides whose failures the login counts among, and is slowed down by.
type Client struct {
	Address     netip.Addr // invalid if it is not known
	DeviceToken string     // what an earlier login gave this device; empty if it has none
}

// KnownNetwork says that an account was logged in from a network. Its key is [User.network], which
// says nothing once the account's device key is gone.
type KnownNetwork struct {
	At time.Time `json:"at"` // of the last login from there, to within a day
}

// RenewDeviceKey makes the account's devices and networks strangers again: their tokens and names
// are made with the key, and no others than those made with the present key count.
func (u *User) RenewDeviceKey(random io.Reader) error {
	key := make([]byte, 32)
	if _, err := io.ReadFull(random, key); err != nil {
		return err
	}
	u.DeviceKey = key
	return nil
}

// A device token is "dt_<nonce and expiry>.<MAC>". Nothing of it is stored: the MAC under the
// account's own key says that a login of this account gave it. So it costs no write, and is no good
// for any other account.
const (
	devicePrefix = "dt_"
	deviceNonce  = 16 // bytes; the expiry follows in 8 more, in seconds since 1970
)

// NewDeviceToken returns a token that tells this device from a stranger's at its next login.
func (u *User) NewDeviceToken(random io.Reader, now time.Time) (string, error) {
	body := make([]byte, deviceNonce, deviceNonce+8)
	if _, err := io.ReadFull(random, body); err != nil {
		return "", err
	}
	body = binary.BigEndian.AppendUint64(body, uint64(now.Add(DeviceLife).Unix()))
	return devicePrefix + encode(body) + "." + encode(u.deviceMAC(body)), nil
}

func (u *User) deviceMAC(body []byte) []byte { return mac(u.DeviceKey, "device ", body) }

// device returns the name of the device that a token of this account was given to, or "" for any
// other string.
func (u *User) device(token string, now time.Time) string {
	text, sum, _ := strings.Cut(strings.TrimPrefix(token, devicePrefix), ".")
	body, err1 := base64.RawURLEncoding.Strict().DecodeString(text)
	given, err2 := base64.RawURLEncoding.Strict().DecodeString(sum)
	good := hmac.Equal(given, u.deviceMAC(body))
	if !good || err1 != nil || err2 != nil || len(u.DeviceKey) == 0 || len(body) != deviceNonce+8 {
		return ""
	}
	if now.Unix() >= int64(binary.BigEndian.Uint64(body[deviceNonce:])) {
		return ""
	}
	return "device/" + encode(mac(u.DeviceKey, "bucket ", body))
}

// network names a client's network as this account knows it, or would know it. Nobody without the
// account's key can tell which network a name stands for. An address without an account has names
// as well, and nothing under them.
func (u *User) network(accountKey string, address netip.Addr) string {
	key := u.DeviceKey
	if len(key) == 0 {
		key = []byte(accountKey)
	}
	return encode(mac(key, "network ", []byte(prefixOf(address))))
}

func mac(key []byte, purpose string, data []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(purpose))
	m.Write(data)
	return m.Sum(nil)
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

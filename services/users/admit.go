package users

import (
	"context"
	"net/netip"
	"time"

	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
)

// admission says how a login may be judged.
type admission struct {
	bucket  string // among whose failures it was counted; a right password takes it back
	trusted bool   // a device that this account knows: its failures are nobody else's
	// refusal is the answer to a wrong password where the account is slowed down; nil is the usual
	// one.
	refusal error
	// blind: whatever the password is, it is judged as wrong, after the same work.
	blind bool
}

// admit counts a login as failed before it is judged and says how to judge it; a RateLimited fault
// refuses it at once.
//
//	device token of this account ──► its own bucket; full: as without a token
//	address of the client        ──► full: refused at once
//	account, known or not        ──► not full: judged, whoever asks
//	  full, known network        ──► judged, wrong is answered 429; failures from that network slow it
//	  full, any other network    ──► judged as wrong and answered 429
//
// So strangers' guesses keep neither a known device nor a known network out. Whether a network is
// known shows in nothing but a right password: answers, hashes and calls of the store are the same,
// for addresses without an account too. Without that, one guess from a network its owner might use
// would tell whether an account exists.
func (s *Service) admit(ctx context.Context, key string, u User, c Client) (admission, error) {
	if device := u.device(c.DeviceToken, s.now()); device != "" {
		err := s.reserve(ctx, device)
		if !fault.Is(err, fault.RateLimited) {
			return admission{bucket: device, trusted: true}, err
		}
	}
	if err := s.checkAddress(ctx, c.Address); err != nil {
		return admission{}, err
	}
	account := accountBucket(key)
	slowed := s.reserve(ctx, account)
	if !fault.Is(slowed, fault.RateLimited) || !c.Address.IsValid() {
		return admission{bucket: account}, slowed
	}
	network := u.network(key, c.Address)
	known, err := s.knows(ctx, network)
	if err != nil {
		return admission{}, err
	}
	bucket := "network/" + network
	err = s.reserve(ctx, bucket)
	if err != nil && !fault.Is(err, fault.RateLimited) {
		return admission{}, err
	}
	return admission{bucket: bucket, refusal: slowed, blind: !known || err != nil}, nil
}

func accountBucket(key string) string { return "account/" + key }

// judge reports whether the password is right, and whether its hash is to be replaced.
func (s *Service) judge(ctx context.Context, a admission, u User,
	password string,
) (ok, outdated bool, err error) {
	hash := u.PasswordHash
	if a.blind {
		hash = "" // which no password fits
	}
	return s.Hasher.Verify(ctx, hash, normalisePassword(password))
}

// wrong counts a failure of the client's address and returns the answer.
func (s *Service) wrong(ctx context.Context, a admission, address netip.Addr) error {
	if !a.trusted {
		s.blame(ctx, address)
	}
	if a.refusal != nil {
		return a.refusal
	}
	return fault.New(fault.Unauthenticated, "unauthenticated",
		"The e-mail address or the password is wrong.")
}

// knows reports whether the account was logged in from the network.
func (s *Service) knows(ctx context.Context, network string) (bool, error) {
	read, err := s.networks.Read(ctx, network)
	return read.Exists, err
}

// recognise notes that the account was logged in from a network, once a day. Failing to costs its
// owner a wait while somebody guesses, nothing more.
func (s *Service) recognise(ctx context.Context, u User, key string, address netip.Addr) {
	if !address.IsValid() {
		return
	}
	_, err := s.networks.Change(ctx, u.network(key, address),
		func(known KnownNetwork, exists bool) (KnownNetwork, error) {
			now := s.now()
			if exists && now.Sub(known.At) < 24*time.Hour {
				return known, document.ErrUnchanged
			}
			return KnownNetwork{At: now}, nil
		})
	if err != nil {
		s.Log.InfoContext(ctx, "network of a login not noted", "user_id", u.ID, "error", err.Error())
	}
}

// withDeviceKey returns the account with a device key, which one that is older than these keys has
// not got yet.
func (s *Service) withDeviceKey(ctx context.Context, u User) (User, error) {
	if len(u.DeviceKey) > 0 {
		return u, nil
	}
	return s.change(ctx, u.ID, func(u *User) (bool, error) {
		if len(u.DeviceKey) > 0 {
			return false, nil
		}
		return true, u.RenewDeviceKey(s.Rand)
	})
}

package users

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"sidecart.dev/kit/sidecar"
)

// reserve counts an attempt as failed before it is made, so that attempts made at the same time count one another;
// success forgives it. It fails with RateLimited while the account is slowed down.
func (s *Service) reserve(ctx context.Context, key string) error {
	return s.count(ctx, key, PerAccount, true)
}

func (s *Service) count(ctx context.Context, key string, limit Slowdown, refuse bool) error {
	for range attempts {
		a, rev, err := s.Attempts.Get(ctx, key)
		now := s.now()
		switch {
		case sidecar.IsMissing(err):
			err = s.Attempts.Insert(ctx, key, limit.Fail(Attempts{}, now), limit.Window)
		case err != nil:
			return err
		default:
			if err := a.Check(now); err != nil && refuse {
				return err
			}
			err = s.Attempts.Update(ctx, key, limit.Fail(a, now), rev, limit.Window)
		}
		if !sidecar.IsExists(err) && !sidecar.IsConflict(err) {
			return err
		}
	}
	return tooManyAttempts(time.Second)
}

// forgive forgets the failures of an account. Failing to is logged: then the next login may have to wait a little.
func (s *Service) forgive(ctx context.Context, key string) {
	for range attempts {
		_, rev, err := s.Attempts.Get(ctx, key)
		if sidecar.IsMissing(err) {
			return
		}
		if err == nil {
			err = s.Attempts.Delete(ctx, key, rev)
		}
		if err == nil {
			return
		}
		if !sidecar.IsConflict(err) {
			s.Log.InfoContext(ctx, "login failures not forgotten", "error", err.Error())
			return
		}
	}
}

func (s *Service) checkAddress(ctx context.Context, address netip.Addr) error {
	if !address.IsValid() {
		return nil
	}
	a, _, err := s.Attempts.Get(ctx, addressKey(address))
	if sidecar.IsMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.Check(s.now())
}

// blame counts a failure of a client's address.
func (s *Service) blame(ctx context.Context, address netip.Addr) {
	if !address.IsValid() {
		return
	}
	if err := s.count(ctx, addressKey(address), PerAddress, false); err != nil {
		s.Log.InfoContext(ctx, "login failure not counted", "error", err.Error())
	}
}

// addressKey names a client's address: all of IPv4, the network (/64) of IPv6, of which one client has every address.
func addressKey(address netip.Addr) string { return "address/" + EmailKey(prefixOf(address)) }

func prefixOf(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	bits := 32
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits) // cannot fail: bits fits the family
	return prefix.Masked().Addr().String() + "/" + strconv.Itoa(bits)
}

package users

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"sidecart.dev/kit/document"
)

// reserve counts an attempt as failed before it is made, so that attempts made at the same time
// count one another; success forgives it. It fails with RateLimited while the account is slowed
// down.
func (s *Service) reserve(ctx context.Context, key string) error {
	return s.count(ctx, key, PerAccount, true)
}

func (s *Service) count(ctx context.Context, key string, limit Slowdown, refuse bool) error {
	_, err := s.attempts.Change(ctx, key, func(a Attempts, _ bool) (Attempts, error) {
		now := s.now()
		if err := a.Check(now); err != nil && refuse {
			return a, err
		}
		return limit.Fail(a, now), nil
	})
	if errors.Is(err, document.ErrBusy) { // so many are guessing at once
		return tooManyAttempts(time.Second)
	}
	return err
}

// forgive forgets the failures of an account. Failing to is logged: then the next login may have to
// wait a little.
func (s *Service) forgive(ctx context.Context, key string) {
	if err := s.attempts.Remove(ctx, key); err != nil {
		s.Log.InfoContext(ctx, "login failures not forgotten", "error", err.Error())
	}
}

func (s *Service) checkAddress(ctx context.Context, address netip.Addr) error {
	if !address.IsValid() {
		return nil
	}
	read, err := s.attempts.Read(ctx, addressKey(address))
	if err != nil {
		return err
	}
	return read.Doc.Check(s.now())
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

// addressKey names a client's address: all of IPv4, the network (/64) of IPv6, of which one client
// has every address.
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

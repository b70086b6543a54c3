// Package argon2 hashes passwords with Argon2id (RFC 9106), a bounded number at a time.
package argon2

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"sidecart.dev/kit/fault"
)

// Params are the cost of one hash.
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes over the memory
	Threads uint8
}

// Default is the one of OWASP's equivalent recommendations that needs the least memory: 7 MiB, five
// passes, one thread. With it the service stays below 40 MB at any load; with 19 MiB and two
// passes, as strong, it takes 60 MB.
var Default = Params{Memory: 7 << 10, Time: 5, Threads: 1}

const (
	saltLen = 16
	keyLen  = 32
)

// Limits on parameters read from the store, so that a damaged record cannot eat the machine.
const (
	maxMemory = 256 << 10
	maxTime   = 16
)

// Hasher implements users.Hasher. It is safe for concurrent use.
//
// The memory of a hash is garbage as soon as the hash is done, and there is more of it than of
// anything else in the process. So it is collected before the next hash takes its place, which
// costs a millisecond or two; without that, or with a memory limit (GOMEMLIMIT) instead, the
// process grows by several hashes' memory or spends its time on collecting.
type Hasher struct {
	params  Params
	slots   chan struct{}
	waiting atomic.Int64
	queue   int64
	dummy   record
	hashed  atomic.Int64
}

// New makes a hasher that computes at most parallel hashes at a time, each with params.Memory, and
// lets at most queue callers wait for their turn.
func New(params Params, parallel, queue int) (*Hasher, error) {
	if params.Memory < 8*uint32(params.Threads) || params.Memory > maxMemory || params.Time < 1 ||
		params.Time > maxTime || params.Threads < 1 {
		return nil, fmt.Errorf("argon2id parameters m=%d,t=%d,p=%d are out of range", params.Memory,
			params.Time, params.Threads)
	}
	if parallel < 1 || queue < 0 {
		return nil, errors.New("argon2id needs at least one hash at a time and no negative queue")
	}
	h := &Hasher{params: params, slots: make(chan struct{}, parallel), queue: int64(queue)}
	h.dummy = record{params: params, salt: make([]byte, saltLen), key: make([]byte, keyLen)}
	return h, nil
}

// Computed returns how many hashes were computed. Tests compare work with it rather than with a
// clock.
func (h *Hasher) Computed() int64 { return h.hashed.Load() }

// Hash implements users.Hasher.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	r := record{params: h.params, salt: make([]byte, saltLen)}
	_, _ = rand.Read(r.salt) // never fails (crypto/rand)
	key, err := h.compute(ctx, password, r)
	if err != nil {
		return "", err
	}
	r.key = key
	return r.String(), nil
}

// Verify implements users.Hasher.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (ok, outdated bool, err error) {
	r, known := h.dummy, false
	if hash != "" {
		if r, err = parse(hash); err != nil {
			return false, false, err
		}
		known = true
	}
	key, err := h.compute(ctx, password, r)
	if err != nil {
		return false, false, err
	}
	same := subtle.ConstantTimeCompare(key, r.key) == 1
	outdated = known && (r.params != h.params || len(r.key) != keyLen || len(r.salt) != saltLen)
	return same && known, outdated, nil
}

// compute waits for a slot and hashes.
func (h *Hasher) compute(ctx context.Context, password string, r record) ([]byte, error) {
	if h.waiting.Add(1) > h.queue+int64(cap(h.slots)) {
		h.waiting.Add(-1)
		return nil, &fault.Error{
			Kind: fault.Unavailable, Code: "unavailable", RetryAfter: 2 * time.Second,
			Message: "Too many people are logging in at this moment; try again shortly.",
		}
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "unavailable",
			"Too many people are logging in at this moment; try again shortly.")
	}
	defer func() {
		runtime.GC() // see [Hasher]
		<-h.slots
	}()
	h.hashed.Add(1)
	return argon2.IDKey([]byte(password), r.salt, r.params.Time, r.params.Memory, r.params.Threads,
		uint32(len(keyOr(r.key)))), nil
}

func keyOr(key []byte) []byte {
	if key == nil {
		return make([]byte, keyLen)
	}
	return key
}

// record is a hash with all that is needed to check a password against it.
type record struct {
	params Params
	salt   []byte
	key    []byte
}

// String returns the record in the PHC string format.
func (r record) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		r.params.Memory, r.params.Time, r.params.Threads,
		b64.EncodeToString(r.salt), b64.EncodeToString(r.key))
}

func parse(phc string) (record, error) {
	var r record
	var version int
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return r, errors.New("the stored password hash is not an argon2id PHC string")
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return r, errors.New("the stored password hash has an unknown version")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &r.params.Memory, &r.params.Time,
		&r.params.Threads); err != nil {
		return r, errors.New("the stored password hash has unreadable parameters")
	}
	p := r.params
	if p.Threads < 1 || p.Memory < 8*uint32(p.Threads) || p.Memory > maxMemory || p.Time < 1 ||
		p.Time > maxTime {
		return r, errors.New("the stored password hash has parameters out of range")
	}
	var err1, err2 error
	r.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	r.key, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(r.salt) < 8 || len(r.key) < 16 || len(r.key) > 64 {
		return r, errors.New("the stored password hash has an unreadable salt or key")
	}
	return r, nil
}

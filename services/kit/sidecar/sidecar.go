// Package sidecar is how a service reaches the outside world: its Dapr sidecar and nothing else.
//
// The interfaces are as narrow as what every Dapr building block implementation does correctly. For
// state that is: read one or several keys, insert a key that is absent (first-write), replace or
// delete a key whose ETag is unchanged, and let a key expire. There is no query, no key listing, no
// last-write-wins and no multi-key transaction: some stores behind Dapr have none of them, and
// others have them with surprises.
//
// Package daprclient talks to a real sidecar; package sidecartest has a fake with the same
// semantics.
package sidecar

import (
	"context"
	"time"

	"sidecart.dev/kit/fault"
)

// Item is one key of a state store as it was read.
type Item struct {
	Key   string
	Value []byte
	ETag  string // opaque; good for one Update or Delete
	// Expires is when the key is to expire, by the store's clock and to the second. Zero: never, or
	// the store does not tell.
	Expires time.Time
}

// WriteOption changes how a value is written.
type WriteOption func(*WriteOptions)

// WriteOptions is what the options of a write add up to.
type WriteOptions struct {
	TTL time.Duration // zero: the key does not expire
}

// WithTTL lets the key expire after d, rounded up to whole seconds.
func WithTTL(d time.Duration) WriteOption {
	return func(o *WriteOptions) { o.TTL = d }
}

// Codes of the two answers a state store gives that are not failures.
const (
	CodeExists   = "state_exists"   // Insert: the key is there already
	CodeConflict = "state_conflict" // Update, Delete: the key has changed or is gone
	CodeMissing  = "state_missing"  // Get: there is no such key
)

// IsExists reports whether err says that an inserted key is there already.
func IsExists(err error) bool { return err != nil && fault.CodeOf(err) == CodeExists }

// IsConflict reports whether err says that a key changed since it was read.
func IsConflict(err error) bool { return err != nil && fault.CodeOf(err) == CodeConflict }

// IsMissing reports whether err says that there is no such key.
func IsMissing(err error) bool { return err != nil && fault.CodeOf(err) == CodeMissing }

// State is one state store. Values are JSON documents. Implementations are safe for concurrent use.
//
// Errors other than the three codes above are transient faults. A write that failed with one has an
// unknown outcome: it may have been carried out, or may yet be.
type State interface {
	// Get reads a key, or fails with CodeMissing.
	Get(ctx context.Context, key string) (Item, error)
	// BulkGet reads several keys. Absent keys are absent from the answer, and cost a call each: where
	// most are, Get does as well.
	BulkGet(ctx context.Context, keys []string) (map[string]Item, error)
	// Insert writes a key that must be absent, or fails with CodeExists.
	Insert(ctx context.Context, key string, value []byte, opts ...WriteOption) error
	// Update replaces a key whose ETag is unchanged, or fails with CodeConflict. The new ETag is known
	// only after a Get.
	Update(ctx context.Context, key string, value []byte, etag string, opts ...WriteOption) error
	// Delete removes a key whose ETag is unchanged, or fails with CodeConflict. Deleting an absent key
	// is a conflict or a success.
	Delete(ctx context.Context, key, etag string) error
}

type glance struct{}

// Glance has reads of a [State] under the context believe an answer to many keys that lacks some of
// them. Otherwise each of those is asked for again by itself, because the stores of PostgreSQL and
// SQLite answer so if their connection breaks meanwhile. It saves that call for whoever expects to
// find nothing, and loses nothing if it overlooks something.
func Glance(ctx context.Context) context.Context { return context.WithValue(ctx, glance{}, true) }

// IsGlance reports whether the context is one of [Glance].
func IsGlance(ctx context.Context) bool { return ctx.Value(glance{}) != nil }

// Publisher publishes to one message bus. It is safe for concurrent use.
type Publisher interface {
	// Publish hands a CloudEvent in structured JSON to the bus. Nil means that the bus has it, not
	// that anyone has read it.
	Publish(ctx context.Context, topic string, cloudEvent []byte) error
}

// Caller calls another service's HTTP API. It is safe for concurrent use.
type Caller interface {
	// Call sends in as JSON (nil: no body) and decodes a 2xx answer's JSON into out (nil: ignored).
	// Every other answer is a fault: 404 NotFound, other 4xx Unprocessable, the rest transient.
	Call(ctx context.Context, app, method, path string, in, out any) error
}

// AppIDHeader names the app that a request to the sidecar's HTTP port is for.
const AppIDHeader = "dapr-app-id"

// Binding calls output bindings. It is safe for concurrent use.
type Binding interface {
	// Invoke calls the operation of the named binding and returns what the binding answered.
	Invoke(ctx context.Context, name, operation string, data []byte, metadata map[string]string,
	) ([]byte, error)
}

// Secrets reads from a secret store. It is safe for concurrent use.
type Secrets interface {
	// Secret returns the value of the named secret, or a NotFound fault.
	Secret(ctx context.Context, name string) (string, error)
}

// Options adds up the options of one write.
func Options(opts []WriteOption) WriteOptions {
	var o WriteOptions
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Package daprclient is the connection to a real Dapr sidecar. [Client] gives what the interfaces
// of package sidecar ask for; only what wires a process together imports it.
package daprclient

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sidecart.dev/kit/batch"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/tracing"
)

// Client is the connection to this process's sidecar. It is safe for concurrent use.
//
// It connects when it is first used and again after the sidecar restarts, so it can be made before
// there is one.
type Client struct {
	conn *grpc.ClientConn
	sdk  dapr.Client
	cfg  Config

	known atomic.Bool // the sidecar is of a version that this client is made for
}

// Dial makes a client. It does not wait for the sidecar, and fails only on an unusable
// configuration.
func Dial(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	conn, err := grpc.NewClient(cfg.GRPCAddr,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // the sidecar is on loopback
		grpc.WithUnaryInterceptor(cfg.intercept),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithConnectParams(cfg.connectParams()),
	)
	if err != nil {
		return nil, fmt.Errorf("sidecar at %s: %w", cfg.GRPCAddr, err)
	}
	return &Client{conn: conn, sdk: dapr.NewClientWithConnection(conn), cfg: cfg}, nil
}

// Close ends the connection; calls under way fail.
func (c *Client) Close() error { return c.conn.Close() }

// intercept adds what every call carries (the sidecar's API token, the trace context) and bounds
// its time. The SDK's own interceptor would replace all other metadata, the trace context included.
func (cfg Config) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
	invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if cfg.APIToken != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "dapr-api-token", cfg.APIToken)
	}
	ctx, end := startCall(ctx, method, req)
	ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", tracing.Outgoing(ctx))
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cfg.Timeout)
		defer cancel()
	}
	err := invoke(ctx, method, req, reply, cc, opts...)
	end(err)
	return err
}

// State returns the state store component of the given name. Reads that are asked for while another
// one is under way share a call, as do those that come densely: see [Config].Window.
func (c *Client) State(store string) sidecar.State {
	s := &state{sdk: c.sdk, store: store, timeout: c.cfg.Timeout}
	s.reads = batch.New(c.cfg.Window, maxKeys, s.readShared, func(r *read) { close(r.done) })
	return s
}

type state struct {
	sdk     dapr.Client
	store   string
	timeout time.Duration
	reads   *batch.Batcher[*read]
}

// Insert implements [sidecar.State].
//
// Stores disagree on how they refuse a first-write: some report an ETag mismatch, some a plain
// error that looks like any other failure. So a refused insert reads the key to learn which it was.
func (s *state) Insert(ctx context.Context, key string, value []byte,
	opts ...sidecar.WriteOption,
) error {
	err := s.save(ctx, key, value, nil, opts)
	if err == nil {
		return nil
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return transient(err, "The state store does not answer.")
	}
	if _, getErr := s.Get(ctx, key); getErr == nil {
		return fault.New(fault.Conflict, sidecar.CodeExists, "The key exists already.")
	}
	return transient(err, "The state store does not accept a write.")
}

// Update implements [sidecar.State].
func (s *state) Update(ctx context.Context, key string, value []byte, etag string,
	opts ...sidecar.WriteOption,
) error {
	if etag == "" {
		return fault.New(fault.Internal, "internal", "an update needs the ETag that was read")
	}
	return conflict(s.save(ctx, key, value, &dapr.ETag{Value: etag}, opts))
}

// Delete implements [sidecar.State].
func (s *state) Delete(ctx context.Context, key, etag string) error {
	read := &dapr.ETag{Value: etag}
	return conflict(s.sdk.DeleteStateWithETag(ctx, s.store, key, read, nil, &firstWrite))
}

var firstWrite = dapr.StateOptions{
	Concurrency: dapr.StateConcurrencyFirstWrite,
	Consistency: dapr.StateConsistencyStrong,
}

// save writes a value as the bytes it is. With a contentType of application/json the sidecar would
// parse it and hand it to the store's component as numbers, which lose what a float64 has no room
// for, and objects, which MongoDB's component writes by an aggregation pipeline: there an object is
// merged into the one that is stored, and a text like "$value" or "$$ROOT" is evaluated.
func (s *state) save(ctx context.Context, key string, value []byte, etag *dapr.ETag,
	opts []sidecar.WriteOption,
) error {
	var meta map[string]string
	if o := sidecar.Options(opts); o.TTL > 0 {
		seconds := int(math.Ceil(o.TTL.Seconds()))
		meta = map[string]string{"ttlInSeconds": strconv.Itoa(seconds)}
	}
	return s.sdk.SaveBulkState(ctx, s.store, &dapr.SetStateItem{
		Key: key, Value: value, Etag: etag, Metadata: meta, Options: &firstWrite,
	})
}

func conflict(err error) error {
	if err == nil {
		return nil
	}
	// Aborted is a mismatch; InvalidArgument an ETag that this store could never have given.
	if c := status.Code(err); c == codes.Aborted || c == codes.InvalidArgument {
		return fault.New(fault.Conflict, sidecar.CodeConflict, "The key has changed since it was read.")
	}
	return transient(err, "The state store does not accept a write.")
}

// Invoke implements [sidecar.Binding].
func (c *Client) Invoke(ctx context.Context, name, operation string, data []byte,
	meta map[string]string,
) ([]byte, error) {
	out, err := c.sdk.InvokeBinding(ctx, &dapr.InvokeBindingRequest{
		Name: name, Operation: operation, Data: data, Metadata: meta,
	})
	if err != nil {
		return nil, transient(err, "The binding "+name+" failed.")
	}
	return out.Data, nil
}

// SecretStore returns the secret store component of the given name.
func (c *Client) SecretStore(component string) sidecar.Secrets {
	return &secrets{sdk: c.sdk, component: component}
}

type secrets struct {
	sdk       dapr.Client
	component string
}

// Secret implements [sidecar.Secrets]. A secret with several keys, as Kubernetes has them, must
// have one of its own name.
func (s *secrets) Secret(ctx context.Context, name string) (string, error) {
	values, err := s.sdk.GetSecret(ctx, s.component, name, nil)
	if err != nil {
		return "", transient(err, s.reason(err, name))
	}
	value, ok := values[name]
	if !ok {
		return "", fault.Newf(fault.NotFound, "secret_missing",
			"The secret store has no secret %q.", name)
	}
	return value, nil
}

// reason says in one line, for whoever runs the service, why a secret could not be read.
func (s *secrets) reason(err error, name string) string {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return "The sidecar does not answer."
	case codes.Unauthenticated:
		return tokenRefused
	case codes.FailedPrecondition, codes.InvalidArgument:
		return fmt.Sprintf("The sidecar has no secret store %q.", s.component)
	default:
		return fmt.Sprintf("The secret %q cannot be read: "+
			"it is missing from the store %q, or the store does not answer.", name, s.component)
	}
}

const tokenRefused = "The sidecar refuses the DAPR_API_TOKEN that this app was given."

// transient turns an SDK error into a fault that may be retried.
func transient(err error, message string) error {
	if err == nil {
		return nil
	}
	kind, code := fault.Unavailable, "unavailable"
	if status.Code(err) == codes.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded) {
		kind, code = fault.Timeout, "timeout"
	}
	return &fault.Error{Kind: kind, Code: code, Message: message, RetryAfter: time.Second, Err: err}
}

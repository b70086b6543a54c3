package http

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

// upload is a client's body on its way to a service. It remembers whether the client failed to send
// it, and waits for it no longer than its request may take: [http.Client] itself answers only when
// the read that is under way has ended.
type upload struct {
	io.ReadCloser
	ctx     context.Context
	reading atomic.Bool
	err     atomic.Pointer[error]
}

// newUpload makes the upload of a request's body. The returned function must be called before the
// handler returns.
func newUpload(w http.ResponseWriter, r *http.Request) (body *upload, done func() bool) {
	body = &upload{ReadCloser: r.Body, ctx: r.Context()}
	return body, context.AfterFunc(r.Context(), func() {
		// Only then: where the server itself waits for the client to leave, it would take this for
		// that.
		if body.reading.Load() {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		}
	})
}

// Read implements [io.Reader].
func (b *upload) Read(p []byte) (int, error) {
	b.reading.Store(true)
	defer b.reading.Store(false)
	if err := b.ctx.Err(); err != nil {
		return 0, err // nobody will interrupt this read any more
	}
	n, err := b.ReadCloser.Read(p)
	// Closed by who sends it on.
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, http.ErrBodyReadAfterClose) {
		b.err.Store(&err)
	}
	return n, err
}

// failure returns the fault of a client that did not send what it announced, nil if there is none.
func (b *upload) failure() error {
	if b == nil || b.err.Load() == nil {
		return nil
	}
	err := *b.err.Load()
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return bodyTooLarge()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fault.Wrap(err, fault.Invalid, "invalid_request", "The body did not arrive in time.")
	}
	return fault.Wrap(err, fault.Invalid, "invalid_request", "The body could not be read to its end.")
}

func bodyTooLarge() error {
	return fault.Newf(fault.TooLarge, "body_too_large",
		"The body is larger than %d bytes.", web.MaxBody)
}

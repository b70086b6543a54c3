package peers

import (
	"context"
	"slices"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/tracing"
	"sidecart.dev/notifications"
)

// lookup is a question about one user, which shares a call with others. Its answer may be read once
// done is closed.
type lookup struct {
	ctx   context.Context //nolint:containedctx // for its trace
	id    string
	done  chan struct{}
	value notifications.Contact
	ok    bool
	err   error
}

// lookUpTimeout bounds a shared call, which outlives the lookup that started it.
const lookUpTimeout = 8 * time.Second

// look looks a user up; ok = false if there is no such user. What it returns was read after look
// was called.
func (c *Contacts) look(ctx context.Context,
	id string,
) (value notifications.Contact, ok bool, err error) {
	l := &lookup{ctx: ctx, id: id, done: make(chan struct{})}
	c.lookups.Add(l)
	select {
	case <-l.done:
		return l.value, l.ok, l.err
	case <-ctx.Done():
		return value, false, timedOut(ctx)
	}
}

// lookUp answers lookups with one call.
func (c *Contacts) lookUp(lookups []*lookup) {
	ctx := lookups[0].ctx
	var ids []string
	for _, l := range lookups {
		ids = append(ids, l.id)
		if !tracing.Recording(ctx) {
			ctx = l.ctx
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpTimeout)
	defer cancel()
	slices.Sort(ids)
	var found map[string]notifications.Contact
	err := fault.Guard(ctx, func() (err error) {
		found, err = c.ask(ctx, slices.Compact(ids))
		return err
	})
	for _, l := range lookups {
		l.value, l.ok = found[l.id]
		l.err = err
	}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"sidecart.dev/kit/sidecar"
)

// separator is what a sidecar puts between the app's id and the key, and forbids in both.
const separator = "||"

// readKeys reads one key per line and returns the app id that all begin with, and the keys without
// it, sorted and each once.
func readKeys(in io.Reader) (app string, keys []string, err error) {
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r")
		if line == "" {
			continue
		}
		prefix, key, ok := strings.Cut(line, separator)
		if !ok || prefix == "" || key == "" {
			return "", nil, fmt.Errorf("line %d is no key as the database has it, app%skey: %q",
				n, separator, line)
		}
		if app == "" {
			app = prefix
		}
		if prefix != app {
			return "", nil, fmt.Errorf("line %d is a key of app %q, those before are of %q: "+
				"copy one app's keys at a time", n, prefix, app)
		}
		keys = append(keys, key)
	}
	if err := lines.Err(); err != nil {
		return "", nil, fmt.Errorf("reading keys: %w", err)
	}
	if len(keys) == 0 {
		return "", nil, errors.New("there are no keys on standard input")
	}
	slices.Sort(keys)
	return app, slices.Compact(keys), nil
}

// tally is what has become of some keys.
type tally struct {
	copied, there, missing int
	different              []string
}

func (t *tally) add(other tally) {
	t.copied += other.copied
	t.there += other.there
	t.missing += other.missing
	t.different = append(t.different, other.different...)
}

// copier copies keys between two stores that nobody else writes to.
type copier struct {
	from, to sidecar.State
	now      func() time.Time
	size     int // keys in a batch
}

// workers is how many batches are under way at once: enough for a store to share its syncs among
// their writes.
const workers = 16

// copyAll copies in batches, several at once, until all are copied or one fails. The tally counts
// the batches that did not.
func (c *copier) copyAll(ctx context.Context, keys []string) (tally, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	batches := make(chan []string)
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		total tally
	)
	for range workers {
		group.Go(func() {
			for batch := range batches {
				done, err := c.copyBatch(ctx, batch)
				if err != nil {
					cancel(err) // the first one's error stays the cause
					continue
				}
				mu.Lock()
				total.add(done)
				mu.Unlock()
			}
		})
	}
	for batch := range slices.Chunk(keys, c.size) {
		if ctx.Err() != nil {
			break
		}
		batches <- batch
	}
	close(batches)
	group.Wait()
	slices.Sort(total.different)
	return total, context.Cause(ctx)
}

// copyBatch inserts what the destination lacks, and counts a key as copied when it has been read
// back with the source's value.
func (c *copier) copyBatch(ctx context.Context, keys []string) (done tally, err error) {
	source, err := c.from.BulkGet(ctx, keys)
	if err != nil {
		return done, fmt.Errorf("reading the source: %w", err)
	}
	before, err := c.to.BulkGet(ctx, keys)
	if err != nil {
		return done, fmt.Errorf("reading the destination: %w", err)
	}
	var written []string
	for _, key := range keys {
		item, ok := source[key]
		existing, exists := before[key]
		switch {
		case !ok || c.expired(item):
			done.missing++
		case !exists:
			if err := c.insert(ctx, item); err != nil {
				return done, fmt.Errorf("writing %s: %w", key, err)
			}
			written = append(written, key)
		case bytes.Equal(existing.Value, item.Value):
			done.there++
		default:
			done.different = append(done.different, key)
		}
	}
	after, err := c.to.BulkGet(ctx, written)
	if err != nil {
		return done, fmt.Errorf("reading back: %w", err)
	}
	for _, key := range written {
		item, ok := after[key]
		switch {
		case !ok && c.expired(source[key]):
			done.missing++
		case !ok:
			return done, fmt.Errorf("the destination accepted %s and does not have it", key)
		case bytes.Equal(item.Value, source[key].Value):
			done.copied++
		default:
			done.different = append(done.different, key)
		}
	}
	return done, nil
}

// insert writes a key with what is left of its life. That it exists by now is for the reading back
// to judge.
func (c *copier) insert(ctx context.Context, item sidecar.Item) error {
	var opts []sidecar.WriteOption
	if !item.Expires.IsZero() {
		left := max(item.Expires.Sub(c.now()), time.Second) // zero would be for ever
		opts = append(opts, sidecar.WithTTL(left))
	}
	err := c.to.Insert(ctx, item.Key, item.Value, opts...)
	if sidecar.IsExists(err) {
		return nil
	}
	return err
}

// expired reports whether the key's time is up, be it that the store still has it.
func (c *copier) expired(item sidecar.Item) bool {
	return !item.Expires.IsZero() && !c.now().Before(item.Expires)
}

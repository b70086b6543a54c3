package aggregate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
)

// tombstone fences an id off against a delayed write. To every reader it is no document; creating
// the same id again replaces it.
var tombstone = []byte(`{"tombstone":true}`)

// tombstoneLife is longer than any write can be under way.
const tombstoneLife = 24 * time.Hour

// Read is what stood under an id when it was read.
type Read[T any] struct {
	Doc    T
	Exists bool // false: nothing, or a tombstone

	id    string
	etag  string // empty: there is no such key
	raw   []byte
	trace string // traceparent of what began the document's present business, if that is traced
	err   error  // set by readAll where the key holds something that cannot be read
}

// Read reads what stands under an id, for [Aggregates.ChangeRead]. Nothing is no error.
func (a *Aggregates[T]) Read(ctx context.Context, id string) (Read[T], error) {
	item, err := a.cfg.State.Get(ctx, a.key(id))
	if sidecar.IsMissing(err) {
		return Read[T]{id: id}, nil
	}
	if err != nil {
		return Read[T]{}, err
	}
	r := a.decode(id, item)
	return r, r.err
}

// readAll reads several. Ids with nothing under their key are absent; one that cannot be read does
// not keep the others from being read.
func (a *Aggregates[T]) readAll(ctx context.Context, ids []string) (map[string]Read[T], error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = a.key(id)
	}
	items, err := a.cfg.State.BulkGet(ctx, keys)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Read[T], len(items))
	for i, id := range ids {
		if item, ok := items[keys[i]]; ok {
			found[id] = a.decode(id, item)
		}
	}
	return found, nil
}

// Fence makes every write of a document impossible that was prepared before, and returns it if
// there is one. Without one there will be none, unless it is created anew. The settler does this by
// itself; a domain needs it to take over what an absent document had won.
func (a *Aggregates[T]) Fence(ctx context.Context, id string) (doc T, exists bool, err error) {
	read, err := a.fence(ctx, id)
	return read.Doc, read.Exists, err
}

// fence makes every write impossible that was prepared before, and returns what stands after it.
func (a *Aggregates[T]) fence(ctx context.Context, id string) (Read[T], error) {
	item, exists, err := journal.Fence(ctx, a.cfg.State, a.key(id), tombstone, tombstoneLife)
	if err != nil || !exists {
		return Read[T]{id: id}, err
	}
	r := a.decode(id, item)
	return r, r.err
}

// write inserts the document if nothing was read under its id, and else replaces what was read. It
// reports false if somebody was faster.
func (a *Aggregates[T]) write(ctx context.Context, over Read[T], doc T, trace string,
) (bool, error) {
	raw, err := a.encode(doc, trace)
	if err != nil {
		return false, fmt.Errorf("%s: %w", a.key(over.id), err)
	}
	if over.etag == "" {
		err = a.cfg.State.Insert(ctx, a.key(over.id), raw)
	} else {
		err = a.cfg.State.Update(ctx, a.key(over.id), raw, over.etag)
	}
	return document.Written(err)
}

func (a *Aggregates[T]) key(id string) string { return a.cfg.Kind + "/" + id }

// encode writes a document as it is stored: its own JSON object, and in front the trace that its
// business belongs to.
func (a *Aggregates[T]) encode(doc T, trace string) (raw []byte, err error) {
	if a.cfg.Encode != nil {
		raw, err = a.cfg.Encode(doc)
	} else {
		raw, err = json.Marshal(doc)
	}
	if rest, isObject := bytes.CutPrefix(raw, []byte("{")); isObject && trace != "" && err == nil {
		separator := ","
		if bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("}")) {
			separator = ""
		}
		raw = append([]byte(`{"traceparent":"`+trace+`"`+separator), rest...)
	}
	return raw, err
}

func (a *Aggregates[T]) decode(id string, item sidecar.Item) Read[T] {
	r := Read[T]{id: id, etag: item.ETag, raw: item.Value}
	var mark struct {
		Tombstone bool   `json:"tombstone"`
		Trace     string `json:"traceparent"`
	}
	if r.err = json.Unmarshal(item.Value, &mark); r.err == nil && !mark.Tombstone {
		if a.cfg.Decode != nil {
			r.Doc, r.err = a.cfg.Decode(item.Value)
		} else {
			r.err = json.Unmarshal(item.Value, &r.Doc)
		}
		r.Exists, r.trace = r.err == nil, mark.Trace
	}
	if r.err != nil {
		r.err = fault.Wrap(fmt.Errorf("%s: %w", item.Key, r.err), fault.Internal, "internal",
			"A stored document cannot be read.")
	}
	return r
}

// same reports whether two reads found the same document.
func (r Read[T]) same(o Read[T]) bool {
	return r.Exists == o.Exists && bytes.Equal(r.raw, o.raw)
}

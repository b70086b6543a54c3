package journal

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// KindID returns the journal's id of something of a kind: "<kind>/<id>". A kind has no slash.
func KindID(kind, id string) string { return kind + "/" + id }

// Kinds is a [Settler] that hands each id to the settler of its kind, without the kind before it.
type Kinds struct {
	settlers map[string]Settler
	bare     string // the kind of ids without one
}

// NewKinds makes a settler of several. An id without a kind was written before there were kinds: it is
// of the kind named bare, unless it begins with another kind and a colon, such as "erase:usr_1".
func NewKinds(bare string, settlers map[string]Settler) *Kinds {
	return &Kinds{settlers: maps.Clone(settlers), bare: bare}
}

// Settle implements [Settler]. Ids of a kind that has no settler stay in the journal and are an error: they are a newer version's business.
func (k *Kinds) Settle(ctx context.Context, entries []Entry) (finished []string, err error) {
	ofKind, full := map[string][]Entry{}, map[string]map[string]string{}
	for _, e := range entries {
		kind, id, ok := strings.Cut(e.ID, "/")
		if !ok {
			kind, id = k.ofBare(e.ID)
		}
		if full[kind] == nil {
			full[kind] = map[string]string{}
		}
		full[kind][id] = e.ID
		e.ID = id
		ofKind[kind] = append(ofKind[kind], e)
	}
	for _, kind := range slices.Sorted(maps.Keys(ofKind)) {
		settler, ok := k.settlers[kind]
		if !ok {
			err = fmt.Errorf("journal: nobody settles ids of the kind %q", kind)
			continue
		}
		done, failed := settler.Settle(ctx, ofKind[kind])
		for _, id := range done {
			finished = append(finished, full[kind][id])
		}
		if err == nil {
			err = failed
		}
	}
	return finished, err
}

func (k *Kinds) ofBare(id string) (kind, rest string) {
	if kind, rest, ok := strings.Cut(id, ":"); ok && k.settlers[kind] != nil {
		return kind, rest
	}
	return k.bare, id
}

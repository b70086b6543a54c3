package list

import (
	"context"
	"fmt"
	"slices"

	"sidecart.dev/kit/sidecar"
)

// Place is where an id is said to stand.
type Place struct {
	Prefix string
	Entry
}

// Stand returns which of the entries stand where they are said to, in the order they are given. It
// costs one call for the heads of all their lists, and another for the pages of those that are
// older than their head.
func (l *Lists) Stand(ctx context.Context, places []Place) ([]bool, error) {
	stand := make([]bool, len(places))
	var sealed []int // that are not in their heads
	err := l.look(ctx, places, Place.headKey, func(i int, item sidecar.Item) error {
		h, err := decode[head](item)
		if err != nil {
			return err
		}
		if p := places[i]; p.Seq < h.first() && p.Seq > 0 {
			sealed = append(sealed, i)
		} else if p.Seq < h.Next && p.Seq > 0 {
			stand[i] = h.IDs[p.Seq-h.first()] == p.ID
		}
		return nil
	})
	if err != nil || len(sealed) == 0 {
		return stand, err
	}
	older := make([]Place, len(sealed))
	for i, at := range sealed {
		older[i] = places[at]
	}
	err = l.look(ctx, older, Place.pageKey, func(i int, item sidecar.Item) error {
		doc, err := decode[page](item)
		if n := int((older[i].Seq - 1) % PageSize); err == nil && n < len(doc.IDs) {
			stand[sealed[i]] = doc.IDs[n] == older[i].ID
		}
		return err
	})
	return stand, err
}

func (p Place) headKey() string { return headKey(p.Prefix) }
func (p Place) pageKey() string { return pageKey(p.Prefix, (p.Seq-1)/PageSize) }

// look reads a document of the list of each place, with one call, and has those that exist looked
// at.
func (l *Lists) look(ctx context.Context, places []Place, key func(Place) string,
	at func(i int, item sidecar.Item) error,
) error {
	keys := make([]string, 0, len(places))
	for _, p := range places {
		keys = append(keys, key(p))
	}
	items, err := l.cfg.State.BulkGet(ctx, slices.Compact(slices.Sorted(slices.Values(keys))))
	if err != nil {
		return fmt.Errorf("looking into lists: %w", err)
	}
	for i := range places {
		if item, ok := items[keys[i]]; ok {
			if err := at(i, item); err != nil {
				return err
			}
		}
	}
	return nil
}

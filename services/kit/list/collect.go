package list

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"sidecart.dev/kit/fault"
)

// Kept is an item that a load function keeps, with the position of the entry it was made of.
type Kept[T any] struct {
	Seq  uint64
	Item T
}

// Collect fills a page of at most limit items that load keeps, looking at no more than budget entries.
// load gets entries, newest first, and returns what it keeps of them, in the same order, each with its position.
// If the budget is spent first, the page is short, possibly empty, and has a next cursor all the same: a client goes on
// until the cursor is empty.
func Collect[T any](ctx context.Context, l *Lists, prefix, cursor string, limit, budget int,
	load func(ctx context.Context, entries []Entry) ([]Kept[T], error),
) (items []T, next string, err error) {
	before, err := DecodeCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	for len(items) < limit && budget > 0 {
		entries, following, err := l.Page(ctx, prefix, before, min(max(limit-len(items), PageSize/2), budget))
		if err != nil {
			return nil, "", err
		}
		kept, err := load(ctx, entries)
		if err != nil {
			return nil, "", err
		}
		budget -= len(entries)
		for i, k := range kept {
			items = append(items, k.Item)
			if len(items) == limit && (i < len(kept)-1 || following != 0) {
				return items, EncodeCursor(k.Seq), nil
			}
		}
		if before = following; before == 0 {
			return items, "", nil
		}
	}
	return items, EncodeCursor(before), nil
}

// cursorVersion is the first byte of a cursor.
const cursorVersion = 1

// EncodeCursor makes an opaque cursor that continues below position seq; the cursor of 0 is empty.
func EncodeCursor(seq uint64) string {
	if seq == 0 {
		return ""
	}
	raw := binary.BigEndian.AppendUint64([]byte{cursorVersion}, seq)
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
	return base64.RawURLEncoding.EncodeToString(raw)
}

// DecodeCursor reads a cursor made by EncodeCursor; the empty cursor is 0. Anything else is an Invalid fault with code invalid_cursor.
func DecodeCursor(cursor string) (uint64, error) {
	if cursor == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) != 13 || raw[0] != cursorVersion || crc32.ChecksumIEEE(raw[:9]) != binary.BigEndian.Uint32(raw[9:]) {
		return 0, fault.New(fault.Invalid, "invalid_cursor", "The cursor is not one that this list gave; begin without a cursor.")
	}
	seq := binary.BigEndian.Uint64(raw[1:])
	if seq == 0 {
		return 0, fault.New(fault.Invalid, "invalid_cursor", "The cursor is not one that this list gave; begin without a cursor.")
	}
	return seq, nil
}

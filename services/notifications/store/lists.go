package store

import (
	"context"

	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/notifications"
)

// Lists implements [notifications.Lists] on a state store. It is safe for concurrent use.
type Lists struct{ lists *list.Lists }

var _ notifications.Lists = Lists{}

// NewLists makes the lists of users' deliveries.
func NewLists(state sidecar.State) Lists { return Lists{list.New(list.Config{State: state})} }

func listOf(userID string) string { return "notifications-of/" + userID }

// Append implements [notifications.Lists].
func (l Lists) Append(ctx context.Context, userID string, entries []string) (
	positions []uint64, listed bool, err error,
) {
	return l.lists.AppendOnce(ctx, listOf(userID), entries)
}

// Page implements [notifications.Lists].
func (l Lists) Page(ctx context.Context, userID string, before uint64, limit int) (
	[]string, uint64, error,
) {
	entries, next, err := l.lists.Page(ctx, listOf(userID), before, limit)
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids, next, err
}

// Records returns those of the records that exist, by id.
type Records func(ctx context.Context, ids []string) (map[string]notifications.Record, error)

type kept = list.Kept[notifications.Delivered]

// scanBudget bounds how many entries one listing passes over.
const scanBudget = 500

// Delivered returns a page of what was sent to a user, newest first, and the cursor of the next
// page, empty at the end.
func (l Lists) Delivered(ctx context.Context, records Records, userID, cursor string,
	limit int,
) ([]notifications.Delivered, string, error) {
	return list.Collect(ctx, l.lists, listOf(userID), cursor, limit, scanBudget,
		func(ctx context.Context, entries []list.Entry) ([]kept, error) {
			return view(ctx, records, userID, entries)
		})
}

func view(ctx context.Context, records Records, userID string,
	entries []list.Entry,
) ([]kept, error) {
	ids, seen := make([]string, 0, len(entries)), map[string]bool{}
	for _, e := range entries {
		if id, _ := notifications.ParseEntryID(e.ID); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	found, err := records(ctx, ids)
	if err != nil {
		return nil, err
	}
	var views []kept
	for _, e := range entries {
		id, channel := notifications.ParseEntryID(e.ID)
		r, ok := found[id]
		if !ok || r.UserID != userID {
			continue
		}
		if v, ok := r.View(channel, e.Seq); ok {
			views = append(views, kept{Seq: e.Seq, Item: v})
		}
	}
	return views, nil
}

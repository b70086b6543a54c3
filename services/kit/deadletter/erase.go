package deadletter

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar"
)

// ErasedReason stands in a letter's message where a reason stood that somebody had typed.
const ErasedReason = "erased"

// Erase overwrites what people typed, the reason of a cancellation or a refund, in the messages about these users, in every
// letter that is kept now. Such a message can still be replayed, and its redelivery does not bring the words back. A letter that
// changes meanwhile is looked at again. An error means that some may be left: Erase is to be repeated, which is harmless.
func (s *Store) Erase(ctx context.Context, userIDs ...string) error {
	for before := uint64(0); ; {
		entries, below, err := s.lists.Page(ctx, listPrefix, before, list.MaxLimit)
		if err != nil || len(entries) == 0 {
			return err
		}
		letters, err := s.load(ctx, entries)
		if err != nil {
			return err
		}
		for _, l := range letters {
			if err := s.eraseOne(ctx, l.Item, userIDs); err != nil {
				return err
			}
		}
		if below <= 1 {
			return nil
		}
		before = below
	}
}

// eraseOne erases from one letter, unless it is removed meanwhile.
func (s *Store) eraseOne(ctx context.Context, l Letter, userIDs []string) error {
	if _, typed := erased(l.Payload, userIDs); !typed {
		return nil
	}
	for range tries {
		doc, item, err := s.get(ctx, l.ID)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		payload, typed := erased(doc.Letter.Payload, userIDs)
		if !typed {
			return nil
		}
		doc.Letter.Payload = payload
		if err := s.update(ctx, item, doc); !sidecar.IsConflict(err) {
			return err
		}
	}
	return busy()
}

// erased returns the message without what people typed, and whether there was anything. A message that is no event about one of
// the users stays as it is.
func erased(message json.RawMessage, userIDs []string) (json.RawMessage, bool) {
	var envelope, data map[string]json.RawMessage
	if json.Unmarshal(message, &envelope) != nil || json.Unmarshal(envelope["data"], &data) != nil {
		return message, false
	}
	var userID, reason string
	if json.Unmarshal(data["user_id"], &userID) != nil || !slices.Contains(userIDs, userID) {
		return message, false
	}
	if data["reason"] == nil || json.Unmarshal(data["reason"], &reason) == nil && (reason == "" || reason == ErasedReason) {
		return message, false
	}
	data["reason"] = json.RawMessage(fmt.Sprintf("%q", ErasedReason))
	var err error
	if envelope["data"], err = json.Marshal(data); err != nil {
		return message, false
	}
	after, err := json.Marshal(envelope)
	return after, err == nil
}

package deadletter

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"sidecart.dev/kit/document"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/list"
)

// ErasedReason stands in a letter's message where a reason stood that somebody had typed.
const ErasedReason = "erased"

// Erase overwrites what people typed, the reason of a cancellation or a refund, in the messages
// about these users, in every letter that is kept now. Such a message can still be replayed, and
// its redelivery does not bring the words back. A letter that changes meanwhile is looked at again.
// An error means that some may be left: Erase is to be repeated, which is harmless.
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
	err := s.change(ctx, l.ID, func(doc stored) (stored, error) {
		payload, typed := erased(doc.Letter.Payload, userIDs)
		if !typed {
			return doc, document.ErrUnchanged
		}
		doc.Letter.Payload = payload
		return doc, nil
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// erased returns the message without what people typed, and whether there was anything. A message
// that is no event about one of the users stays as it is.
func erased(message json.RawMessage, userIDs []string) (json.RawMessage, bool) {
	var envelope, data map[string]json.RawMessage
	if json.Unmarshal(message, &envelope) != nil || json.Unmarshal(envelope["data"], &data) != nil {
		return message, false
	}
	var userID, reason string
	if json.Unmarshal(data["user_id"], &userID) != nil || !slices.Contains(userIDs, userID) {
		return message, false
	}
	if data["reason"] == nil || json.Unmarshal(data["reason"], &reason) == nil &&
		(reason == "" || reason == ErasedReason) {
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

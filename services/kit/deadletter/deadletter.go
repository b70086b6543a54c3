// Package deadletter keeps the messages a consumer could not handle, in the consumer's own store, where operators list,
// inspect, replay and discard them.
//
// A letter is one document whose key is derived from the identity of the message, so an event that is told and fails again is one letter,
// with more attempts; a list orders them. Replaying hands the stored message to the consumer's handler, which is as idempotent as for
// any delivery.
//
// A letter is removed under the ETag that it was replayed under. So one that has failed again meanwhile stays, at worst to be replayed once
// more than needed.
package deadletter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar"
)

// Letter is a dead letter as operators see it.
type Letter struct {
	ID        string            `json:"id"` // "<service>.<hash>"
	Service   string            `json:"service"`
	Topic     string            `json:"topic"`
	EventType string            `json:"event_type"`
	EventID   string            `json:"event_id"`
	Reason    string            `json:"reason"`
	Attempts  int               `json:"attempts"`
	FirstAt   time.Time         `json:"first_failed_at"`
	LastAt    time.Time         `json:"last_failed_at"`
	Headers   map[string]string `json:"headers"`
	Payload   json.RawMessage   `json:"payload"` // the message's JSON, or a JSON string where it has none
}

// stored is a letter with its position in the list.
type stored struct {
	Letter Letter `json:"letter"`
	Seq    uint64 `json:"seq"`
	Digest string `json:"digest"` // of the message as it came, since a store may lay its JSON out anew
}

// Store keeps the dead letters of one service. It implements [event.DeadLetters] and is safe for concurrent use.
type Store struct {
	service string
	state   sidecar.State
	lists   *list.Lists
}

var _ event.DeadLetters = (*Store)(nil)

// New makes the store of a service's dead letters.
func New(state sidecar.State, service string) *Store {
	return &Store{service: service, state: state, lists: list.New(list.Config{State: state})}
}

const listPrefix = "dead-letters"

// hashPattern is what digest returns.
var hashPattern = regexp.MustCompile(`^[a-z2-7]{26}$`)

func key(hash string) string { return "dead-letter/" + hash }

func digest(of []byte) string {
	sum := sha256.Sum256(of)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// tries bounds how often a change starts over because somebody was faster.
const tries = 8

func busy() error {
	return fault.New(fault.Unavailable, "unavailable", "The dead letter is changing too often; try again.")
}

// Keep implements [event.DeadLetters]. A message that is kept already changes nothing: it is a redelivery, or what the sidecar puts on the
// dead-letter topic after it was told to drop it. Another message of the same identity is the event told again: it replaces the
// message and counts as further attempts.
func (s *Store) Keep(ctx context.Context, l event.DeadLetter) error {
	hash, message := digest([]byte(l.Identity())), digest(l.Raw)
	for range tries {
		doc, item, err := s.get(ctx, s.service+"."+hash)
		switch {
		case fault.Is(err, fault.NotFound):
			err = s.insert(ctx, hash, stored{Letter: s.letter(hash, l), Digest: message})
		case err != nil:
			return err
		case doc.Digest == message:
			return nil
		default:
			letter := s.letter(hash, l)
			letter.Attempts += doc.Letter.Attempts
			letter.FirstAt = doc.Letter.FirstAt
			doc.Letter, doc.Digest = letter, message
			err = s.update(ctx, item, doc)
		}
		if !sidecar.IsConflict(err) && !sidecar.IsExists(err) {
			return err
		}
	}
	return busy()
}

// insert takes a place in the list and then writes the letter, which names it. An entry without its letter is passed over.
func (s *Store) insert(ctx context.Context, hash string, doc stored) error {
	seq, err := s.lists.Append(ctx, listPrefix, hash)
	if err != nil {
		return fmt.Errorf("dead letter list: %w", err)
	}
	doc.Seq = seq
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	return s.state.Insert(ctx, key(hash), raw)
}

func (s *Store) update(ctx context.Context, item sidecar.Item, doc stored) error {
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	return s.state.Update(ctx, item.Key, raw, item.ETag)
}

func (s *Store) letter(hash string, l event.DeadLetter) Letter {
	headers := make(map[string]string, len(l.Headers))
	for name, values := range l.Headers {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	payload := json.RawMessage(bytes.ToValidUTF8(l.Raw, []byte("\uFFFD")))
	if !json.Valid(payload) {
		payload, _ = json.Marshal(string(payload)) //nolint:errchkjson // a string
	}
	topic := l.Topic
	if topic == "" {
		topic = "unknown"
	}
	return Letter{
		ID: s.service + "." + hash, Service: s.service, Topic: topic, EventType: l.Event.Type, EventID: l.Event.ID,
		Reason: l.Reason, Attempts: max(1, l.Attempts), FirstAt: l.FirstAt, LastAt: l.LastAt, Headers: headers, Payload: payload,
	}
}

// scanBudget bounds how many discarded or replayed entries one listing passes over.
const scanBudget = 500

// List returns a page of letters, newest first, and the cursor of the next, empty at the end.
func (s *Store) List(ctx context.Context, cursor string, limit int) ([]Letter, string, error) {
	return list.Collect(ctx, s.lists, listPrefix, cursor, limit, scanBudget, s.load)
}

func (s *Store) load(ctx context.Context, entries []list.Entry) ([]list.Kept[Letter], error) {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = key(e.ID)
	}
	items, err := s.state.BulkGet(ctx, keys)
	if err != nil {
		return nil, err
	}
	var kept []list.Kept[Letter]
	for _, e := range entries {
		item, ok := items[key(e.ID)]
		if !ok {
			continue
		}
		var doc stored
		if err := json.Unmarshal(item.Value, &doc); err != nil {
			return nil, fmt.Errorf("dead letter %s: %w", e.ID, err)
		}
		if doc.Seq == e.Seq {
			kept = append(kept, list.Kept[Letter]{Seq: e.Seq, Item: doc.Letter})
		}
	}
	return kept, nil
}

// Get returns the letter with that id, or a NotFound fault.
func (s *Store) Get(ctx context.Context, id string) (Letter, error) {
	doc, _, err := s.get(ctx, id)
	return doc.Letter, err
}

func (s *Store) get(ctx context.Context, id string) (stored, sidecar.Item, error) {
	hash, ok := strings.CutPrefix(id, s.service+".")
	if !ok || !hashPattern.MatchString(hash) {
		return stored{}, sidecar.Item{}, notFound()
	}
	item, err := s.state.Get(ctx, key(hash))
	if sidecar.IsMissing(err) {
		return stored{}, sidecar.Item{}, notFound()
	}
	if err != nil {
		return stored{}, sidecar.Item{}, err
	}
	var doc stored
	if err := json.Unmarshal(item.Value, &doc); err != nil {
		return stored{}, sidecar.Item{}, fmt.Errorf("dead letter %s: %w", id, err)
	}
	return doc, item, nil
}

func notFound() error {
	return fault.New(fault.NotFound, "not_found", "There is no such dead letter.")
}

// Discard removes a letter for good, whatever happens to it meanwhile, or fails with a NotFound fault if there is none.
func (s *Store) Discard(ctx context.Context, id string) error {
	for range tries {
		_, item, err := s.get(ctx, id)
		if err != nil {
			return err
		}
		if err := s.state.Delete(ctx, item.Key, item.ETag); !sidecar.IsConflict(err) {
			return err
		}
	}
	return busy()
}

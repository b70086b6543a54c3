// Package deadletter keeps the messages a consumer could not handle, in the consumer's own store, where operators list,
// inspect, replay and discard them.
//
// A letter is one document whose key is derived from the event's id, so a message that fails twice is one letter; a list
// orders them. Replaying hands the stored message to the consumer's handler, which is as idempotent as for any delivery.
package deadletter

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
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

func key(hash string) string { return "dead-letter/" + hash }

// hashOf identifies a message: by its event's id, or by its bytes where it is no event.
func hashOf(l event.DeadLetter) string {
	sum := sha256.Sum256([]byte("event:" + l.Event.ID))
	if l.Event.ID == "" {
		sum = sha256.Sum256(l.Raw)
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// Keep implements [event.DeadLetters].
func (s *Store) Keep(ctx context.Context, l event.DeadLetter) error {
	hash := hashOf(l)
	_, err := s.state.Get(ctx, key(hash))
	if !sidecar.IsMissing(err) {
		return err // nil: it is kept already
	}
	seq, err := s.lists.Append(ctx, listPrefix, hash)
	if err != nil {
		return fmt.Errorf("dead letter list: %w", err)
	}
	raw, err := json.Marshal(stored{Letter: s.letter(hash, l), Seq: seq})
	if err != nil {
		return err
	}
	if err := s.state.Insert(ctx, key(hash), raw); err != nil && !sidecar.IsExists(err) {
		return fmt.Errorf("dead letter: %w", err)
	}
	return nil
}

func (s *Store) letter(hash string, l event.DeadLetter) Letter {
	headers := make(map[string]string, len(l.Headers))
	for name, values := range l.Headers {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	payload := json.RawMessage(l.Raw)
	if !json.Valid(l.Raw) {
		payload, _ = json.Marshal(strings.ToValidUTF8(string(l.Raw), "\uFFFD")) //nolint:errchkjson // a string
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
	if !ok {
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

// Discard removes a letter for good.
func (s *Store) Discard(ctx context.Context, id string) error {
	_, item, err := s.get(ctx, id)
	if err != nil {
		return err
	}
	if err := s.state.Delete(ctx, item.Key, item.ETag); err != nil && !sidecar.IsConflict(err) {
		return err
	}
	return nil
}

// Replayer applies an event as if it had been delivered on the topic. [event.Consumer] is one.
type Replayer interface {
	Handle(ctx context.Context, topic string, e event.Event) error
}

// Replay hands the letter's message to the consumer again. When the consumer has applied it the letter is removed; when that
// fails the letter stays, with one attempt more and the new reason, and Replay returns nil: the operator's wish was carried out.
func (s *Store) Replay(ctx context.Context, id string, consumer Replayer) error {
	doc, item, err := s.get(ctx, id)
	if err != nil {
		return err
	}
	e, cause := event.Parse(doc.Letter.Payload)
	if cause == nil {
		cause = consumer.Handle(ctx, doc.Letter.Topic, e)
	}
	if cause == nil {
		return s.Discard(ctx, id)
	}
	if errors.Is(cause, context.Canceled) {
		return cause
	}
	doc.Letter.Attempts++
	doc.Letter.LastAt, doc.Letter.Reason = time.Now().UTC(), cause.Error()
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if err := s.state.Update(ctx, item.Key, raw, item.ETag); err != nil && !sidecar.IsConflict(err) {
		return err
	}
	return nil
}

// Package deadletter keeps the messages a consumer could not handle, in the consumer's own store,
// where operators list, inspect, replay and discard them.
//
// A letter is one document whose key is derived from the identity of the message, so an event that
// is told and fails again is one letter, with more attempts; a list orders them. Replaying hands
// the stored message to the consumer's handler, which is as idempotent as for any delivery.
//
// A letter is removed under the ETag that it was replayed under. So one that has failed again
// meanwhile stays, at worst to be replayed once more than needed.
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

	"sidecart.dev/kit/document"
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
	Payload   json.RawMessage   `json:"payload"` // the message's JSON, or a JSON string
}

// stored is a letter with its position in the list.
type stored struct {
	Letter Letter `json:"letter"`
	Seq    uint64 `json:"seq"`
	Digest string `json:"digest"` // of the message as it came, since a store may lay its JSON out anew
}

// Store keeps the dead letters of one service. It implements [event.DeadLetters] and is safe for
// concurrent use.
type Store struct {
	service string
	letters *document.Documents[stored] // by the hash in their id
	lists   *list.Lists
}

var _ event.DeadLetters = (*Store)(nil)

// New makes the store of a service's dead letters.
func New(state sidecar.State, service string) *Store {
	return &Store{
		service: service, letters: document.New[stored](state, "dead-letter"),
		lists: list.New(list.Config{State: state}),
	}
}

const listPrefix = "dead-letters"

// hashPattern is what digest returns.
var hashPattern = regexp.MustCompile(`^[a-z2-7]{26}$`)

func digest(of []byte) string {
	sum := sha256.Sum256(of)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// Keep implements [event.DeadLetters]. A message that is kept already changes nothing: it is a
// redelivery, or what the sidecar puts on the dead-letter topic after it was told to drop it.
// Another message of the same identity is the event told again: it replaces the message and counts
// as further attempts.
func (s *Store) Keep(ctx context.Context, l event.DeadLetter) error {
	hash, message := digest([]byte(l.Identity())), digest(l.Raw)
	_, err := s.letters.Change(ctx, hash, func(doc stored, exists bool) (stored, error) {
		letter := s.letter(hash, l)
		switch {
		case !exists:
			seq, err := s.place(ctx, hash)
			return stored{Letter: letter, Seq: seq, Digest: message}, err
		case doc.Digest == message:
			return doc, document.ErrUnchanged
		}
		letter.Attempts += doc.Letter.Attempts
		letter.FirstAt = doc.Letter.FirstAt
		return stored{Letter: letter, Seq: doc.Seq, Digest: message}, nil
	})
	return err
}

// place takes a place in the list for a letter that is about to be written, which names it. An
// entry without its letter is passed over.
func (s *Store) place(ctx context.Context, hash string) (uint64, error) {
	seq, err := s.lists.Append(ctx, listPrefix, hash)
	if err != nil {
		return 0, fmt.Errorf("dead letter list: %w", err)
	}
	return seq, nil
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
		ID: s.service + "." + hash, Service: s.service,
		Topic: topic, EventType: l.Event.Type, EventID: l.Event.ID,
		Reason: l.Reason, Attempts: max(1, l.Attempts), FirstAt: l.FirstAt, LastAt: l.LastAt,
		Headers: headers, Payload: payload,
	}
}

// scanBudget bounds how many discarded or replayed entries one listing passes over.
const scanBudget = 500

// List returns a page of letters, newest first, and the cursor of the next, empty at the end.
func (s *Store) List(ctx context.Context, cursor string, limit int) ([]Letter, string, error) {
	return list.Collect(ctx, s.lists, listPrefix, cursor, limit, scanBudget, s.load)
}

func (s *Store) load(ctx context.Context, entries []list.Entry) ([]list.Kept[Letter], error) {
	hashes := make([]string, len(entries))
	for i, e := range entries {
		hashes[i] = e.ID
	}
	found, err := s.letters.ReadAll(ctx, hashes)
	if err != nil {
		return nil, err
	}
	var kept []list.Kept[Letter]
	for _, e := range entries {
		if read, ok := found[e.ID]; ok && read.Doc.Seq == e.Seq {
			kept = append(kept, list.Kept[Letter]{Seq: e.Seq, Item: read.Doc.Letter})
		}
	}
	return kept, nil
}

// Get returns the letter with that id, or a NotFound fault.
func (s *Store) Get(ctx context.Context, id string) (Letter, error) {
	read, err := s.read(ctx, id)
	return read.Doc.Letter, err
}

func (s *Store) read(ctx context.Context, id string) (document.Read[stored], error) {
	hash, err := s.hashOf(id)
	if err != nil {
		return document.Read[stored]{}, err
	}
	read, err := s.letters.Read(ctx, hash)
	if err == nil && !read.Exists {
		err = notFound()
	}
	return read, err
}

// change changes a letter that exists; without one it is a NotFound fault.
func (s *Store) change(ctx context.Context, id string, f func(doc stored) (stored, error)) error {
	hash, err := s.hashOf(id)
	if err != nil {
		return err
	}
	_, err = s.letters.Change(ctx, hash, func(doc stored, exists bool) (stored, error) {
		if !exists {
			return doc, notFound()
		}
		return f(doc)
	})
	return err
}

func (s *Store) hashOf(id string) (string, error) {
	hash, ok := strings.CutPrefix(id, s.service+".")
	if !ok || !hashPattern.MatchString(hash) {
		return "", notFound()
	}
	return hash, nil
}

func notFound() error {
	return fault.New(fault.NotFound, "not_found", "There is no such dead letter.")
}

// Discard removes a letter for good, whatever happens to it meanwhile, or fails with a NotFound
// fault if there is none.
func (s *Store) Discard(ctx context.Context, id string) error {
	return s.change(ctx, id, func(doc stored) (stored, error) { return doc, document.ErrRemove })
}

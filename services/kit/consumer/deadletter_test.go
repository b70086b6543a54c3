package consumer_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/consumer"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // thousands of failures that are meant
	os.Exit(m.Run())
}

// replica is a consumer behind its routes.
type replica struct {
	*mux.Router
	letters *letters
	handler event.Handler // of order.placed.v1 on both topics
	on      []string      // the topics it was called on
}

func newReplica(h event.Handler) *replica {
	r := &replica{Router: mux.NewRouter(), letters: &letters{}, handler: h}
	c := consumer.New("payments", r.letters)
	for _, topic := range []string{"orders", "orders-of-partners"} {
		c.On(topic, "order.placed.v1", func(ctx context.Context, e event.Event) error {
			r.on = append(r.on, topic)
			return r.handler(ctx, e)
		})
	}
	c.Routes(r.Router)
	return r
}

// post delivers a message and returns the status that it was answered with.
func (r *replica) post(ctx context.Context, path, body string) int {
	w, req := httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("pubsubName", "bus")
	req.Header.Set("Authorization", "Bearer secret")
	r.ServeHTTP(w, req)
	return w.Code
}

func down(context.Context, event.Event) error {
	return fault.New(fault.Unavailable, "unavailable", "the provider is down")
}

func applied(context.Context, event.Event) error { return nil }

func TestWhatTheSidecarGaveUpIsKeptWithTheLastReason(t *testing.T) {
	r := newReplica(down)
	for range 3 {
		assert.Equal(t, 503, r.post(t.Context(), "/events/orders", message(t)))
	}
	assert.Equal(t, 200, r.post(t.Context(), "/dead-letters", message(t)))
	require.Len(t, r.letters.kept, 1)
	letter := r.letters.kept[0]
	assert.Equal(t, "the provider is down", letter.Reason)
	assert.Equal(t, "unavailable", letter.Code)
	assert.Equal(t, 4, letter.Attempts, "three deliveries and a last one as a dead letter")
	assert.Equal(t, "orders", letter.Topic, "the topic it was published to, not the dead-letter topic")
	assert.Equal(t, message(t), string(letter.Raw))
	assert.Equal(t, map[string][]string{"Content-Type": {"application/cloudevents+json"}, "Pubsubname": {"bus"}}, letter.Headers,
		"what tells about the delivery, and no credentials")
	assert.False(t, letter.LastAt.Before(letter.FirstAt))
}

func TestADeadLetterThatCanBeAppliedIsNotKept(t *testing.T) {
	r := newReplica(down)
	r.post(t.Context(), "/events/orders", message(t))
	r.handler = applied // the app is up again, or an operator has replayed it
	assert.Equal(t, 200, r.post(t.Context(), "/dead-letters", message(t)))
	assert.Empty(t, r.letters.kept)
}

func TestTheReasonIsKnownToAReplicaThatSawNoneOfTheRetries(t *testing.T) {
	r := newReplica(down)
	assert.Equal(t, 200, r.post(t.Context(), "/dead-letters", message(t)))
	require.Len(t, r.letters.kept, 1)
	assert.Equal(t, "the provider is down", r.letters.kept[0].Reason)
	assert.Equal(t, 1, r.letters.kept[0].Attempts)
	assert.False(t, r.letters.kept[0].FirstAt.IsZero())
}

func TestADeadLetterIsRedeliveredUntilItIsKept(t *testing.T) {
	r := newReplica(down)
	r.letters.err = fault.New(fault.Unavailable, "unavailable", "no store")
	assert.Equal(t, 503, r.post(t.Context(), "/dead-letters", message(t)))
	r.letters.err = nil
	assert.Equal(t, 200, r.post(t.Context(), "/dead-letters", message(t)))
	require.Len(t, r.letters.kept, 1)
	assert.Equal(t, 2, r.letters.kept[0].Attempts)
}

func TestAPanicIsAReasonLikeAnyOther(t *testing.T) {
	r := newReplica(func(context.Context, event.Event) error { panic("index out of range") })
	assert.Equal(t, 200, r.post(t.Context(), "/dead-letters", message(t)))
	require.Len(t, r.letters.kept, 1)
	assert.Contains(t, r.letters.kept[0].Reason, "index out of range")
}

// A dead letter has no dead-letter topic behind it: should its delivery time out, again and again,
// it is lost.
func TestAHandlerThatHangsLeavesTimeToKeepTheLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(func(ctx context.Context, _ event.Event) error {
			<-ctx.Done()
			return fault.Wrap(ctx.Err(), fault.Timeout, "timeout", "The state store did not answer in time.")
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // of the resiliency
		defer cancel()
		assert.Equal(t, 200, r.post(ctx, "/dead-letters", message(t)))
		require.Len(t, r.letters.kept, 1)
		assert.Contains(t, r.letters.kept[0].Reason, "did not answer in time")
	})
}

func TestTheTopicOfADeadLetterIsTheOneItWasPublishedOn(t *testing.T) {
	with := func(topic string) string { return strings.Replace(message(t), "{", `{"topic":"`+topic+`",`, 1) }
	for name, c := range map[string]struct{ body, topic string }{
		"as the publishing sidecar wrote it":            {with("orders-of-partners"), "orders-of-partners"},
		"by its type, where nothing is written":         {message(t), "orders"},
		"by its type, where it was put there by hand":   {with("dead-letters-payments"), "orders"},
		"of what is no event, if it says so":            {`{"topic":"orders-of-partners"}`, "orders-of-partners"},
		"unknown, where there is nothing to tell it by": {"hello", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplica(down)
			assert.Equal(t, 200, r.post(t.Context(), "/dead-letters", c.body))
			require.Len(t, r.letters.kept, 1)
			assert.Equal(t, c.topic, r.letters.kept[0].Topic)
			for _, topic := range r.on {
				assert.Equal(t, c.topic, topic, "handled as if it had been delivered there")
			}
		})
	}
}

func TestFailuresOfDifferentMessagesAreCountedApart(t *testing.T) {
	for name, other := range map[string]struct{ path, body string }{
		"another topic":  {"/events/orders-of-partners", message(t)},
		"another source": {"/events/orders", strings.Replace(message(t), "/sidecart/orders", "/elsewhere", 1)},
		"another event":  {"/events/orders", strings.ReplaceAll(message(t), "ord_1", "ord_2")},
	} {
		r := newReplica(down)
		r.post(t.Context(), other.path, other.body)
		r.post(t.Context(), "/dead-letters", message(t))
		require.Len(t, r.letters.kept, 1, name)
		assert.Equal(t, 1, r.letters.kept[0].Attempts, name)
	}
	r := newReplica(down) // what is no event has no id to be told apart by
	r.letters.err = fault.New(fault.Unavailable, "unavailable", "no store")
	r.post(t.Context(), "/events/orders", "hello")
	r.letters.err = nil
	r.post(t.Context(), "/events/orders", "goodbye")
	require.Len(t, r.letters.kept, 1)
	assert.Equal(t, 1, r.letters.kept[0].Attempts, "two messages that are no events")
}

func TestAFailureOfLongAgoIsAnotherStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(down)
		r.post(t.Context(), "/events/orders", message(t)) // and the retries went on at another replica
		time.Sleep(time.Hour)
		again := time.Now()
		r.post(t.Context(), "/dead-letters", message(t))
		require.Len(t, r.letters.kept, 1)
		assert.Equal(t, 1, r.letters.kept[0].Attempts)
		assert.Equal(t, again.UTC(), r.letters.kept[0].FirstAt)
	})
}

func TestMoreFailuresThanCanBeRememberedAreKeptAllTheSame(t *testing.T) {
	r := newReplica(down)
	for n := range 5000 {
		r.post(t.Context(), "/events/orders", strings.ReplaceAll(message(t), "ord_1", fmt.Sprint("ord_x", n)))
	}
	r.post(t.Context(), "/dead-letters", message(t))
	require.Len(t, r.letters.kept, 1)
	assert.Equal(t, "the provider is down", r.letters.kept[0].Reason)
}

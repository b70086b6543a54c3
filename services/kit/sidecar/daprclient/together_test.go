package daprclient_test

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

var anyKey = regexp.MustCompile(`key-\d\d`)

// gate holds the first call up until it is opened, and counts the calls of each method.
type gate struct {
	mu     sync.Mutex
	counts map[string]int
	first  chan struct{} // closed when the first call is there
	open   chan struct{}
}

func newGate() *gate {
	return &gate{counts: map[string]int{}, first: make(chan struct{}), open: make(chan struct{})}
}

func (g *gate) pass(method string) string {
	g.mu.Lock()
	name := path.Base(method)
	g.counts[name]++
	calls := 0
	for _, n := range g.counts {
		calls += n
	}
	g.mu.Unlock()
	if calls == 1 {
		close(g.first)
	}
	<-g.open
	return name
}

// together starts one piece of work, and then others while its call is under way.
func (g *gate) together(n int, work func(n int)) {
	var all sync.WaitGroup
	all.Go(func() { work(0) })
	<-g.first
	for i := 1; i < n; i++ {
		all.Go(func() { work(i) })
	}
	close(g.open)
	all.Wait()
}

func TestReadsThatWaitAtTheSameTimeShareCallsAndNothingElse(t *testing.T) {
	g := newGate()
	client := dial(t, func(method string, request []byte) []byte {
		if g.pass(method) == "GetState" { // the first, and the absent one by itself
			if bytes.Contains(request, []byte("absent")) {
				return nil
			}
			return message(field(1, `"`+string(anyKey.Find(request))+`"`), field(2, "1"))
		}
		var items [][]byte
		for n := range 32 {
			key := fmt.Sprintf("key-%02d", n)
			switch {
			case !bytes.Contains(request, []byte(key)):
			case n == 9: // key, error
				items = append(items, field(1, string(message(field(1, key), field(4, "cannot be read")))))
			default: // key, data, ETag
				item := message(field(1, key), field(2, `"`+key+`"`), field(3, "7"))
				items = append(items, field(1, string(item)))
			}
		}
		return message(items...)
	})
	state := client.State("store")
	g.together(32, func(n int) {
		key := fmt.Sprintf("key-%02d", n)
		if n == 5 {
			key = "absent"
		}
		item, err := state.Get(t.Context(), key)
		switch n {
		case 0:
			assert.NoError(t, err)
		case 5:
			assert.True(t, sidecar.IsMissing(err), "got %v", err)
		case 9:
			assert.True(t, fault.Is(err, fault.Unavailable), "got %v", err)
		default:
			assert.NoError(t, err)
			assert.Equal(t, `"`+key+`"`, string(item.Value), "each gets its own key")
		}
	})
	total := g.counts["GetState"] + g.counts["GetBulkState"]
	assert.Less(t, total, 16, "32 reads made %v", g.counts)
}

func TestAnEventThatTheBusDoesNotTakeFailsByItself(t *testing.T) {
	g := newGate()
	client := dial(t, func(method string, request []byte) []byte {
		if g.pass(method) != "BulkPublishEvent" {
			return nil
		}
		// Entries: the id, then the event. The id is one or two digits.
		at := bytes.Index(request, []byte("poor"))
		if at < 0 {
			return nil
		}
		id, start := "", bytes.LastIndex(request[:at], []byte{1<<3 | 2, 1})
		if long := bytes.LastIndex(request[:at], []byte{1<<3 | 2, 2}); long > start {
			id = string(request[long+2 : long+4])
		} else {
			id = string(request[start+2 : start+3])
		}
		return field(1, string(message(field(1, id), field(2, "refused")))) // failed entries: id, error
	})
	bus := client.Bus("bus")
	g.together(32, func(n int) {
		body := fmt.Sprint("rich ", n)
		if n == 7 {
			body = "poor"
		}
		err := bus.Publish(t.Context(), "orders", []byte(body))
		if strings.HasPrefix(body, "poor") {
			assert.True(t, fault.Is(err, fault.Unavailable), "got %v", err)
		} else {
			assert.NoError(t, err)
		}
	})
	require.Equal(t, 1, g.counts["PublishEvent"])
	assert.Less(t, g.counts["BulkPublishEvent"], 8)
}

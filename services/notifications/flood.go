package notifications

import (
	"context"
	"hash/fnv"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sidecart.dev/kit/id"
)

// Limits is how many messages of a kind one recipient gets in an hour of the clock at most; 0 is no
// limit.
type Limits struct {
	Security int // e-mails about the account, per address
	Orders   int // e-mails about orders and payments, per address
	// Unverified is Orders for an address that nobody has verified: enough for a customer who has
	// just come, and of no use to whoever has put a stranger's address in.
	Unverified int
	// SMS is how many SMS messages a number gets, and as many an account, whatever number it has.
	SMS int
	// SMSPrefix is the same for all numbers that differ in their last four digits only, which are
	// often one owner's.
	SMSPrefix int
	// Codes is SMS for messages with a code, which go to numbers that nobody has confirmed. They
	// have counters of their own, by prefix too: whoever has codes sent to a number keeps no
	// message from its owner.
	Codes int
	// SMSBudget is how many SMS messages go out to whomever, which bounds what they cost.
	SMSBudget int
}

// Counters counts messages in the store, for all replicas together and beyond their restarts. It is
// safe for concurrent use.
type Counters interface {
	// Count adds the marks of messages to a counter that lives for an hour or two, and returns how
	// many messages may follow the last of them, or -1 if that one is not within the limit. A mark
	// that is counted already is not counted again, and is within the limit. What is not within the
	// limit is not counted. The others before the last are counted in any case. Errors are
	// transient faults.
	Count(ctx context.Context, counter string, limit int, marks []string) (left int, err error)
}

// flood protects recipients. A process lets the first few messages to a recipient through by
// itself, a quarter of the limit, so that usual traffic costs the store nothing; from then on the
// store counts, those first ones included. So n replicas let through at most limit + n × limit / 4
// messages in an hour of the clock. SMS messages cost money and are counted in the store from the
// first. A message is counted once, however often its event is delivered. It is safe for concurrent
// use.
type flood struct {
	limits   Limits
	counters Counters
	now      func() time.Time

	mu sync.Mutex
	// few has the marks of the first messages, by counter. The store need not have heard of them.
	few    map[string][]string
	hour   int64 // of few
	warned int64 // the hour in which the budget was last said to be used up
}

// maxEarly bounds the memory of the flood protection, about 10 MB. Above it the store counts
// everything.
const maxEarly = 50_000

func newFlood(limits Limits, counters Counters, now func() time.Time) *flood {
	return &flood{limits: limits, counters: counters, now: now, few: map[string][]string{}}
}

// bucket is one of the counters that a message is counted in.
type bucket struct {
	sort, who string
	limit     int
	free      int     // messages that this process lets through before it asks the store
	refusal   verdict // on a message that is not within the limit
}

// verdict is what the limits say of a delivery.
type verdict int

const (
	refusedByLimit verdict = iota
	overBudget
	withinLimit
	lastWithinLimit // what follows in this hour is not sent
)

// take decides whether the delivery may be made, and counts it. Asked again about the same delivery
// it counts nothing, and says the same.
func (f *flood) take(ctx context.Context, d Delivery, k Kind, userID string,
	verified bool,
) (verdict, error) {
	v := withinLimit
	for _, b := range f.buckets(d, k, userID, verified) {
		if b.limit <= 0 {
			continue
		}
		left, err := f.count(ctx, b, d.ID)
		switch {
		case err != nil || left < 0:
			return b.refusal, err
		case left == 0:
			v = lastWithinLimit
		}
	}
	return v, nil
}

// buckets returns every counter of a delivery.
func (f *flood) buckets(d Delivery, k Kind, userID string, verified bool) []bucket {
	mail := func(sort string, limit int) []bucket {
		return []bucket{{
			sort: sort, who: strings.ToLower(d.Recipient), limit: limit, free: limit / 4,
		}}
	}
	text := func(sort string, limit int) []bucket {
		prefix := d.Recipient[:max(0, len(d.Recipient)-4)]
		return []bucket{
			{sort: sort, who: d.Recipient, limit: limit},
			{sort: sort + "-account", who: userID, limit: limit},
			{sort: sort + "-prefix", who: prefix, limit: f.limits.SMSPrefix},
			f.budget(d.ID), // last: what another limit refuses costs nothing
		}
	}
	switch {
	case d.Channel == SMS && k == Security:
		return text("code", f.limits.Codes)
	case d.Channel == SMS:
		return text("sms", f.limits.SMS)
	case k == Security:
		return mail("security", f.limits.Security)
	case !verified:
		return mail("unverified", f.limits.Unverified)
	}
	return mail("orders", f.limits.Orders)
}

// share is how much of the budget is counted in one counter, so that no counter is large, and not
// every message changes the same one.
const share = 100

// budget returns the counter that a delivery by SMS has in the budget. A budget of several shares
// has a counter for each, and the delivery's id says in which it is counted. Since chance does not
// fill them evenly, some messages are refused before all of the budget is used, but never more are
// sent.
func (f *flood) budget(deliveryID string) bucket {
	shares := (f.limits.SMSBudget + share - 1) / share
	if shares <= 0 {
		return bucket{}
	}
	sum := fnv.New32a()
	sum.Write([]byte(deliveryID))
	n := int(sum.Sum32()) % shares
	limit := (f.limits.SMSBudget + n) / shares // which add up to the budget
	return bucket{sort: "sms-budget", who: strconv.Itoa(n), limit: limit, refusal: overBudget}
}

// budgetUsedUp says in the log, once an hour, that SMS messages are refused by the budget.
func (f *flood) budgetUsedUp(ctx context.Context) {
	hour := f.clockHour()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.warned == hour {
		return
	}
	f.warned = hour
	slog.WarnContext(ctx, "the budget of SMS messages is used up; "+
		"some or all are not sent until the next hour", "messages_per_hour", f.limits.SMSBudget)
}

func (f *flood) clockHour() int64 { return f.now().Unix() / 3600 }

// count returns how many messages may follow the delivery in this hour, as far as is known, or -1
// if it is one too many.
func (f *flood) count(ctx context.Context, b bucket, deliveryID string) (left int, err error) {
	hour := f.clockHour()
	counter := b.sort + "/" + id.Of("", b.who) + "/" + strconv.FormatInt(hour, 10)
	marks, enough := f.early(hour, counter, mark(deliveryID), b.free)
	if enough {
		return b.limit - b.free, nil
	}
	return f.counters.Count(ctx, counter, b.limit, marks)
}

// mark is what a counter remembers of a delivery.
func mark(deliveryID string) string { return deliveryID[max(0, len(deliveryID)-10):] }

// early notes the mark and reports true if it is one of the first few; else it returns the marks
// that the store has to count, this one last.
func (f *flood) early(hour int64, counter, mark string, free int) (marks []string, enough bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hour != hour {
		f.hour, f.few = hour, map[string][]string{}
	}
	few := f.few[counter]
	switch {
	case slices.Contains(few, mark):
		return nil, true
	case len(few) < free && len(f.few) < maxEarly:
		f.few[counter] = append(few, mark)
		return nil, true
	}
	return append(slices.Clone(few), mark), false
}

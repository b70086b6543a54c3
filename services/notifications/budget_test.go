package notifications_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/event"
	"sidecart.dev/notifications"
)

// toStrangers are events about customers of whom no two have a number or a prefix in common.
func (w *world) toStrangers(from, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		userID := fmt.Sprintf("usr_p%d", from+i)
		contact := contactOf(userID)
		contact.Phone = fmt.Sprintf("+49151%04d5678", from+i)
		w.mu.Lock()
		w.contacts[userID] = contact
		w.mu.Unlock()
		events[i] = declines(w.t, userID, from+i, 1)[0]
	}
	return events
}

// texted counts the SMS messages that were let through; the others must say why they were not.
func (w *world) texted(events []event.Event) (n int) {
	w.t.Helper()
	for _, e := range events {
		switch d := w.delivery(e, notifications.SMS); {
		case d.Status != notifications.Suppressed:
			n++
		case d.Reason != notifications.ReasonBudget:
			w.t.Errorf("%s is suppressed: %q", d.ID, d.Reason)
		}
	}
	return n
}

// A stranger who has codes or receipts sent to numbers of his choosing is paid for each by their
// operators. No limit of one number or one account stops him.
func TestNoMoreSMSMessagesAreSentInAnHourThanTheBudgetHas(t *testing.T) {
	w := newWorld(t)
	w.atTheHour()
	budget := limited(notifications.Limits{SMSBudget: 5})
	one, other := w.start(budget), w.start(budget)
	first, second := w.toStrangers(0, 4), w.toStrangers(4, 4)
	one.accept(first...)
	other.accept(second...)
	if n := w.texted(first) + w.texted(second); n != 5 {
		t.Errorf("two replicas let %d messages through, want 5", n)
	}
	one.kill()
	third := w.toStrangers(8, 2)
	w.start(budget).accept(third...)
	if n := w.texted(third); n != 0 {
		t.Errorf("after a restart %d more got through", n)
	}
	w.skip(time.Hour)
	fourth := w.toStrangers(10, 2)
	other.accept(fourth...)
	if n := w.texted(fourth); n != 2 {
		t.Errorf("in the next hour %d of 2 got through", n)
	}
	for _, e := range second {
		if d := w.delivery(e, notifications.Email); d.Status == notifications.Suppressed {
			t.Errorf("the mail is suppressed too: %s", d.Reason)
		}
	}
}

func TestALargeBudgetIsNeverExceededAndMostOfItCanBeUsed(t *testing.T) {
	w := newWorld(t)
	w.atTheHour()
	p := w.start(limited(notifications.Limits{SMSBudget: 250}))
	events := w.toStrangers(0, 400)
	p.accept(events...)
	if n := w.texted(events[:150]); n < 145 {
		t.Errorf("of the first 150 messages %d got through, though 250 may", n)
	}
	if n := w.texted(events); n > 250 || n < 240 {
		t.Errorf("%d messages got through, want 250 at most and nearly all of them", n)
	}
}

func TestThatTheBudgetIsUsedUpIsCountedAndLoggedOnceAnHour(t *testing.T) {
	var logs bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logs, nil)))
	defer slog.SetDefault(old)
	w, reg := newWorld(t), prometheus.NewRegistry()
	w.atTheHour()
	p := w.start(func(_ *process, c *notifications.Config) {
		c.Limits, c.Metrics = notifications.Limits{SMSBudget: 1}, notifications.NewMetrics(reg)
	})
	p.accept(w.toStrangers(0, 4)...)
	if n := strings.Count(logs.String(), "budget of SMS messages is used up"); n != 1 {
		t.Errorf("logged %d times, want once: %s", n, logs.String())
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "notifications_sms_over_budget_total" {
			if n := f.GetMetric()[0].GetCounter().GetValue(); n != 3 {
				t.Errorf("%v messages are counted, want 3", n)
			}
			return
		}
	}
	t.Error("there is no metric of it")
}

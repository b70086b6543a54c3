package console

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestManyWhoAskAtOnceAreAnsweredByOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		l := latest[int64]{ask: func(context.Context) int64 {
			time.Sleep(100 * time.Millisecond)
			return asked.Add(1)
		}}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if got := l.get(t.Context()); got != 1 {
					t.Errorf("the answer is %d, not that of the first question", got)
				}
			})
		}
		all.Wait()
		time.Sleep(2 * young)
		if got := l.get(t.Context()); got != 2 {
			t.Errorf("after %s the answer is still the old one", 2*young)
		}
	})
}

func TestNobodyWaitsLongForAQuestionThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := time.Duration(0)
		l := latest[string]{ask: func(context.Context) string {
			time.Sleep(hang)
			return "answer"
		}}
		l.get(t.Context())
		hang = time.Hour
		time.Sleep(2 * young)
		began := time.Now()
		for range 3 {
			if got := l.get(t.Context()); got != "answer" {
				t.Errorf("the answer is %q, not the one that was there", got)
			}
		}
		if waited := time.Since(began); waited > 3*bearable {
			t.Errorf("three who asked waited %s", waited)
		}
		time.Sleep(2 * hang) // it ends
	})
}

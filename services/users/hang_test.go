package users

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/auth"
)

func TestAReadingThatHangsKeepsNobodyFromTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		w := &watch{turn: make(chan struct{}, 1)}
		w.read = func(ctx context.Context) (auth.EndedSet, error) {
			reads++
			if reads == 1 {
				<-ctx.Done()
				return auth.EndedSet{}, ctx.Err()
			}
			return auth.EndedSet{Version: "1"}, nil
		}
		began := time.Now()
		if _, err := w.differing(t.Context(), ""); err == nil || time.Since(began) > time.Second {
			t.Errorf("the hanging read ended after %s with %v, want an error within a second",
				time.Since(began), err)
		}
		if set, err := w.differing(t.Context(), ""); err != nil || set.Version != "1" {
			t.Errorf("the next question is answered %v, %v", set, err)
		}
	})
}

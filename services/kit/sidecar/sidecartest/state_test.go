package sidecartest_test

import (
	"sync"
	"testing"
	"time"

	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/sidecar/statetest"
)

func TestTheFakeKeepsTheContract(t *testing.T) {
	state := sidecartest.NewState()
	var mu sync.Mutex
	now := time.Now()
	state.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	expire := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	statetest.Run(t, statetest.Store{State: state, Restart: func(*testing.T) {}, Expire: expire})
}

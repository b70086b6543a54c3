package sidecartest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestABudgetNamesWhatIsTooMuchAndWhatIsNotInIt(t *testing.T) {
	b := Budget{{"get order", 2, 0.5, "its ETag"}, {"publish orders", 1, 1, "that it is placed"}}
	assert.Empty(t, b.exceeded(map[string]int{"get order": 2, "publish orders": 1}, 1))
	assert.Empty(t, b.exceeded(map[string]int{"get order": 2, "publish orders": 4}, 4))
	assert.Equal(t, []string{"get order: 0.75 for each of 4 at once, want at most 0.50: its ETag"},
		b.exceeded(map[string]int{"get order": 3}, 4))
	assert.Equal(t, []string{"delete order: 1 for 1 at once, want none"},
		b.exceeded(map[string]int{"delete order": 1}, 1))
}

func TestCallsAreTalliedByWhatTheyAreAbout(t *testing.T) {
	p := &Process{}
	state := p.State(NewState())
	require.NoError(t, state.Insert(context.Background(), "order/1", []byte("{}")))
	for _, key := range []string{"order/1", "head"} {
		_, err := state.BulkGet(context.Background(), []string{key, "order/2"})
		require.NoError(t, err)
	}
	tally := Tally(p.Calls(), func(_, key string) string {
		if key == "head" {
			return ""
		}
		return "order"
	})
	assert.Equal(t, map[string]int{"insert order": 1, "bulk-get order": 1}, tally)
}

// What dies later than it was started dies at the calls that it makes from then on.
func TestAnArmedProcessDiesAtTheCallItIsArmedFor(t *testing.T) {
	for _, after := range []bool{false, true} {
		p, effects := &Process{}, 0
		call := func() error { return p.Call("call", func() error { effects++; return nil }) }
		require.NoError(t, call())
		p.Arm(2, after)
		require.NoError(t, call())
		require.ErrorIs(t, call(), ErrDead)
		require.ErrorIs(t, call(), ErrDead)
		want := 2
		if after {
			want = 3
		}
		assert.Equal(t, want, effects)
		assert.True(t, p.Dead())
	}
	p := &Process{}
	p.Kill()
	effect := func() error { t.Error("a dead process has an effect"); return nil }
	assert.ErrorIs(t, p.Call("call", effect), ErrDead)
}

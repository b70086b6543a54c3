package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// move is two stores, a source with n keys, and the copier between them.
type move struct {
	from, to *sidecartest.State
	keys     []string
	*copier
}

func newMove(t *testing.T, n int) *move {
	t.Helper()
	m := &move{from: sidecartest.NewState(), to: sidecartest.NewState()}
	m.copier = &copier{from: m.from, to: m.to, now: time.Now, size: 10}
	for i := range n {
		key := fmt.Sprintf("order/%03d", i)
		m.keys = append(m.keys, key)
		require.NoError(t, m.from.Insert(t.Context(), key, []byte(fmt.Sprintf(`{"n": %d}`, i))))
	}
	return m
}

func (m *move) isComplete(t *testing.T) {
	t.Helper()
	want, err := m.from.BulkGet(t.Context(), m.keys)
	require.NoError(t, err)
	got, err := m.to.BulkGet(t.Context(), m.keys)
	require.NoError(t, err)
	require.Len(t, got, len(m.keys))
	for key := range want {
		assert.Equal(t, string(want[key].Value), string(got[key].Value), key)
	}
}

func TestEveryKeyIsCopiedAndARepetitionChangesNothing(t *testing.T) {
	m := newMove(t, 325)
	done, err := m.copyAll(t.Context(), m.keys)
	require.NoError(t, err)
	assert.Equal(t, tally{copied: 325}, done)
	m.isComplete(t)

	writes := m.to.Calls(sidecartest.OpInsert)
	done, err = m.copyAll(t.Context(), m.keys)
	require.NoError(t, err)
	assert.Equal(t, tally{there: 325}, done)
	assert.Equal(t, writes, m.to.Calls(sidecartest.OpInsert), "what is there is not written")
}

func TestAnotherValueIsListedAndNeverOverwritten(t *testing.T) {
	m := newMove(t, 30)
	for _, i := range []int{25, 3} {
		require.NoError(t, m.to.Insert(t.Context(), m.keys[i], []byte(`"mine"`)))
	}
	done, err := m.copyAll(t.Context(), m.keys)
	require.NoError(t, err)
	assert.Equal(t, tally{copied: 28, different: []string{"order/003", "order/025"}}, done)
	item, err := m.to.Get(t.Context(), "order/003")
	require.NoError(t, err)
	assert.Equal(t, `"mine"`, string(item.Value))

	var out, problems strings.Builder
	require.Error(t, report(done, nil, len(m.keys), &out, &problems))
	assert.Equal(t, "28 copied, 0 already there, 0 missing at the source because expired, 2 different\n", out.String())
	assert.Equal(t, "different: order/003\ndifferent: order/025\n", problems.String())
}

func TestAKeyThatIsWrittenMeanwhileIsJudgedByWhatIsReadBack(t *testing.T) {
	m := newMove(t, 2)
	m.to.Before = func(ctx context.Context, op sidecartest.Op, key string) error {
		if op != sidecartest.OpInsert {
			return nil
		}
		m.to.Before = nil
		return m.to.Insert(ctx, key, []byte(`"mine"`))
	}
	done, err := m.copyAll(t.Context(), m.keys)
	require.NoError(t, err)
	assert.Equal(t, tally{copied: 1, different: m.keys[:1]}, done)
}

func TestWhatExpiresKeepsItsTime(t *testing.T) {
	m := newMove(t, 1)
	now := time.Now().Truncate(time.Second)
	m.now = func() time.Time { return now }
	m.from.Now, m.to.Now = m.now, m.now
	require.NoError(t, m.from.Insert(t.Context(), "fence", []byte(`{}`), sidecar.WithTTL(time.Hour)))
	require.NoError(t, m.from.Insert(t.Context(), "token", []byte(`{}`), sidecar.WithTTL(time.Minute)))
	now = now.Add(10 * time.Minute)
	done, err := m.copyAll(t.Context(), append(m.keys, "fence", "token"))
	require.NoError(t, err)
	assert.Equal(t, tally{copied: 2, missing: 1}, done)
	item, err := m.to.Get(t.Context(), "fence")
	require.NoError(t, err)
	assert.WithinDuration(t, now.Add(50*time.Minute), item.Expires, time.Second)
	item, err = m.to.Get(t.Context(), m.keys[0])
	require.NoError(t, err)
	assert.Zero(t, item.Expires, "what does not expire at the source never expires")
}

func TestAFailureEndsTheCopyAndARepetitionCompletesIt(t *testing.T) {
	for _, when := range []string{"before the write", "after the write"} {
		t.Run(when, func(t *testing.T) {
			m := newMove(t, 100)
			down := errors.New("the database is down")
			hook := func(_ context.Context, op sidecartest.Op, key string) error {
				if op == sidecartest.OpInsert && key == "order/042" {
					return down
				}
				return nil
			}
			if when == "before the write" {
				m.to.Before = hook
			} else {
				m.to.After = hook
			}
			done, err := m.copyAll(t.Context(), m.keys)
			require.ErrorIs(t, err, down)
			var out, problems strings.Builder
			require.ErrorContains(t, report(done, err, len(m.keys), &out, &problems), "run it again with the same keys")

			m.to.Before, m.to.After = nil, nil
			done, err = m.copyAll(t.Context(), m.keys)
			require.NoError(t, err)
			assert.Equal(t, 100, done.copied+done.there)
			m.isComplete(t)
		})
	}
}

// forgetful is a store that accepts what it does not keep.
type forgetful struct{ *sidecartest.State }

func (forgetful) Insert(context.Context, string, []byte, ...sidecar.WriteOption) error { return nil }

func TestWhatIsNotReadBackIsNotCopied(t *testing.T) {
	m := newMove(t, 1)
	m.copier.to = forgetful{m.to}
	_, err := m.copyAll(t.Context(), m.keys)
	require.ErrorContains(t, err, "does not have it")
}

func TestASourceWithNoneOfTheKeysIsSuspicious(t *testing.T) {
	m := newMove(t, 0)
	done, err := m.copyAll(t.Context(), []string{"a", "b"})
	require.NoError(t, err)
	var out, problems strings.Builder
	require.ErrorContains(t, report(done, err, 2, &out, &problems), "none of the keys")
}

func TestKeysAreReadAsTheDatabaseHasThem(t *testing.T) {
	app, keys, err := readKeys(strings.NewReader("orders||order/ord_2\n\norders||order/ord_1\r\norders||order/ord_2\norders||journal/0"))
	require.NoError(t, err)
	assert.Equal(t, "orders", app)
	assert.Equal(t, []string{"journal/0", "order/ord_1", "order/ord_2"}, keys)

	for input, says := range map[string]string{
		"":                         "no keys",
		"orders||a\n(1 row)\n":     "line 2 is no key",
		"orders||a\nusers||b\n":    `line 2 is a key of app "users"`,
		"||a\n":                    "line 1 is no key",
		"orders||\n":               "line 1 is no key",
		strings.Repeat("x", 1<<20): "reading keys",
	} {
		_, _, err := readKeys(strings.NewReader(input))
		require.ErrorContains(t, err, says)
	}
}

func TestTheTwoStoresMustBeNamedAndDiffer(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"--from", "a"},
		{"--from", "a", "--to", "a"},
		{"--from", "a", "--to", "b", "--batch", "0"},
		{"--from", "a", "--to", "b", "keys.txt"},
	} {
		var out, problems strings.Builder
		err := run(t.Context(), args, strings.NewReader("orders||a\n"), &out, &problems)
		require.ErrorContains(t, err, "--from and --to", "%q", args)
	}
}

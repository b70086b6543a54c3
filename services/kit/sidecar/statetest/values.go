package statetest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// updateWhole is for stores that would take a JSON value apart and merge it into the one that is
// there.
func updateWhole(t *testing.T, s Store) {
	k := key()
	first := `{"tombstone":true,"in":{"a":1,"b":{"c":[1,2]}},"list":[{"a":1},{"b":2}]}`
	require.NoError(t, s.State.Insert(t.Context(), k, []byte(first)))
	for _, next := range []string{
		`{"in":{"b":{"d":1}},"list":[{"c":3}]}`, `{"in":{"b":{}}}`, `{}`,
		`[{"a":1},{"b":2}]`, `[{}]`, `{"in":1}`,
	} {
		item, err := s.State.Get(t.Context(), k)
		require.NoError(t, err)
		require.NoError(t, s.State.Update(t.Context(), k, []byte(next), item.ETag), next)
		item, err = s.State.Get(t.Context(), k)
		require.NoError(t, err)
		require.JSONEq(t, next, string(item.Value))
	}
}

func large(t *testing.T, s Store) {
	k := key()
	value, err := json.Marshal(map[string]string{"text": strings.Repeat("sidecart ", 100_000)})
	require.NoError(t, err)
	require.NoError(t, s.State.Insert(t.Context(), k, value))
	item, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	assert.JSONEq(t, string(value), string(item.Value))
}

func unicode(t *testing.T, s Store) {
	k := key()
	value := `{"text":"Zürich 東京 🛒 \"quoted\" \\ \u0001 <&>",` +
		`"big":9223372036854775807,"small":-0.5,"none":null,"list":[]}`
	require.NoError(t, s.State.Insert(t.Context(), k, []byte(value)))
	item, err := s.State.Get(t.Context(), k)
	require.NoError(t, err)
	assert.JSONEq(t, value, string(item.Value))
	var d struct{ Big int64 }
	require.NoError(t, json.Unmarshal(item.Value, &d), "stored value %s", item.Value)
	assert.Equal(t, int64(9223372036854775807), d.Big, "beyond what a float64 holds")
}

// looksLikeCode is for stores that would evaluate what they are given. Customers choose such texts.
func looksLikeCode(t *testing.T, s Store) {
	for _, value := range []string{
		`{"reason":"$value"}`, `{"reason":"$$ROOT","list":["$_id","$_etag"]}`, `{"reason":"$"}`,
		`{"reason":"$$nothing"}`, `{"reason":"$5.00 too much"}`,
		`{"$set":{"a":1}}`, `{"in":{"$add":[1,2]}}`, `{"a.b":1,"$c":2,"":3}`,
		`{"reason":"'; drop table state; --","other":"%s {{.}} ${x}"}`,
	} {
		k := key()
		require.NoError(t, s.State.Insert(t.Context(), k, []byte(value)), value)
		item, err := s.State.Get(t.Context(), k)
		require.NoError(t, err, value)
		assert.JSONEq(t, value, string(item.Value))
	}
}

func keys(t *testing.T, s Store) {
	for _, k := range []string{
		key() + "/a.b-c_d:e@f", key() + "/" + strings.Repeat("k", 200),
		key() + "/with space", key() + "/Ü",
	} {
		require.NoError(t, s.State.Insert(t.Context(), k, doc(1)), "key %q", k)
		_, err := s.State.Get(t.Context(), k)
		require.NoError(t, err, "key %q", k)
	}
}

package conformance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const written = `| | here | elsewhere | partly |
|---|---|---|---|
| keeps | yes | not tried | yes |
| loses | **no** | not tried | not tried |
`

// TestTableComparesWhatIsKnown has runs on machines that can try more, less and the same as what is
// written.
func TestTableComparesWhatIsKnown(t *testing.T) {
	for _, c := range []struct {
		name  string
		found answers
		same  bool
		news  string
	}{
		{name: "what was found is written", found: answers{"here": {"keeps": "yes", "loses": "**no**"}}, same: true},
		{name: "nothing could be tried", found: answers{}, same: true},
		{name: "a known answer is another", found: answers{"here": {"keeps": "yes", "loses": "yes"}}},
		{
			name:  "a column not tried could be tried",
			found: answers{"here": {"keeps": "yes", "loses": "**no**"}, "elsewhere": {"keeps": "**no**", "loses": "yes"}},
			same:  true, news: "elsewhere: keeps: **no**\nelsewhere: loses: yes",
		},
		{
			name:  "a known answer beside one not tried is another",
			found: answers{"partly": {"keeps": "**no**", "loses": "yes"}}, news: "partly: loses: yes",
		},
		{
			name:  "a known answer is another where a column not tried could be tried",
			found: answers{"here": {"keeps": "**no**"}, "elsewhere": {"keeps": "yes"}}, news: "elsewhere: keeps: yes",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			tb := newTable("things", t.Name())
			tb.columns, tb.rows, tb.answers = []string{"here", "elsewhere", "partly"}, []string{"keeps", "loses"}, c.found
			known := parse(written)
			assert.Equal(t, c.same, tb.render(known, false) == written)
			assert.Equal(t, c.news, strings.Join(tb.news(known), "\n"))
			for column, rows := range c.found {
				for row, answer := range rows {
					assert.Equal(t, answer, parse(tb.render(known, true))[column][row], "an update writes what was found")
				}
			}
		})
	}
	tb := newTable("things", t.Name())
	tb.columns, tb.rows = []string{"here", "elsewhere", "partly", "new"}, []string{"keeps", "loses"}
	assert.NotEqual(t, written, tb.render(parse(written), false), "a column that is not written at all")
}

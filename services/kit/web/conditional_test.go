package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

func TestACopyThatIsStillGoodIsNotSentAgain(t *testing.T) {
	for header, same := range map[string]bool{
		`"7"`: true, `W/"7"`: true, `"6", "7"`: true, `"6" , W/"7"`: true, `*`: true,
		``: false, `"6"`: false, `7`: false, `"77"`: false, `"6", "77"`: false,
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		if header != "" {
			r.Header.Set("If-None-Match", header)
		}
		assert.Equal(t, same, web.NotModified(w, r, web.VersionTag(7)), header)
		assert.Equal(t, `"7"`, w.Header().Get("ETag"), header)
		if same {
			assert.Equal(t, http.StatusNotModified, w.Code)
		}
	}
}

func TestAChangeIsMadeOnlyToWhatTheClientHasSeen(t *testing.T) {
	cases := []struct {
		header, value, tag string
		allowed            bool
	}{
		{"If-Match", `"7"`, `"7"`, true},
		{"If-Match", `"6", "7"`, `"7"`, true},
		{"If-Match", `*`, `"7"`, true},
		{"If-Match", `"6"`, `"7"`, false},
		{"If-Match", `W/"7"`, `"7"`, false}, // weak tags never match strongly
		{"If-Match", `*`, ``, false},
		{"If-Match", `"7"`, ``, false},
		{"If-None-Match", `*`, ``, true},
		{"If-None-Match", `*`, `"7"`, false},
		{"If-None-Match", `"7"`, `"7"`, false},
		{"If-None-Match", `"6"`, `"7"`, true},
		{"", "", `"7"`, true},
		{"", "", ``, true},
	}
	for _, c := range cases {
		r := httptest.NewRequest(http.MethodPut, "/", nil)
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		err := web.Precondition(r)(c.tag)
		if c.allowed {
			assert.NoError(t, err, "%s: %s against %q", c.header, c.value, c.tag)
			continue
		}
		assert.Equal(t, "precondition_failed", fault.CodeOf(err), "%s: %s against %q", c.header, c.value, c.tag)
		assert.Equal(t, http.StatusPreconditionFailed, web.StatusOf(err))
	}
}

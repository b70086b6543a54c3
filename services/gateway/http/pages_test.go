package http_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/money"
)

func TestThePageWritesAmountsByTheServicesOwnTable(t *testing.T) {
	rec := newWorld(t).ask(http.MethodGet, "/static/currencies.js", "")
	require.Equal(t, http.StatusOK, rec.Code)
	assert.Equal(t, "text/javascript; charset=utf-8", rec.Header().Get("Content-Type"))
	_, table, _ := strings.Cut(rec.Body.String(), "export const digits = ")
	var digits map[string]int
	require.NoError(t, json.Unmarshal([]byte(strings.TrimSuffix(strings.TrimSpace(table), ";")), &digits))
	for _, code := range []string{"EUR", "HUF", "IDR", "COP", "PKR", "IQD", "RWF", "CLF", "UYW", "JPY", "BHD", "KRW"} {
		got, ok := digits[code]
		if !ok {
			got = 2
		}
		assert.Equal(t, money.Exponent(code), got, "decimals of %s", code)
	}
	assert.Less(t, len(digits), 60, "few currencies have not two decimals")
}

func TestEveryModuleThatThePageNeedsIsServed(t *testing.T) {
	w := newWorld(t)
	imported := regexp.MustCompile(`from '\./([a-z]+\.js)'`)
	seen := map[string]bool{"app.js": true}
	for queue := []string{"app.js"}; len(queue) > 0; queue = queue[1:] {
		rec := w.ask(http.MethodGet, "/static/"+queue[0], "")
		require.Equal(t, http.StatusOK, rec.Code, queue[0])
		for _, m := range imported.FindAllStringSubmatch(rec.Body.String(), -1) {
			if !seen[m[1]] {
				seen[m[1]] = true
				queue = append(queue, m[1])
			}
		}
	}
	assert.Greater(t, len(seen), 10, "the page's modules were not followed")
}

package acceptance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sample is a line of what a service says of its metrics.
var sample = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? \S+$`)

var label = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)

// TestLabelsOfMetricsHaveTheListedValuesAlone reads what the tests before it made the services
// count. A label that anything could be would make a series of anything, and name people.
func TestLabelsOfMetricsHaveTheListedValuesAlone(t *testing.T) {
	if own == nil {
		t.Skip("only a stack this suite started says its token for metrics")
	}
	misbehave(t)
	listed := listedValues(t)
	for _, app := range own.Apps() {
		checked := 0
		for line := range bytes.Lines(scrape(t, app.URL)) {
			found := sample.FindStringSubmatch(strings.TrimSpace(string(line)))
			if found == nil || regexp.MustCompile("^(go|process|promhttp)_").MatchString(found[1]) {
				continue
			}
			assertClean(t, "the metrics of "+app.ID, found[2])
			for _, pair := range label.FindAllStringSubmatch(found[2], -1) {
				name, value := pair[1], pair[2]
				if name == "le" {
					continue
				}
				checked++
				if allowed := listed[name]; allowed == nil || !allowed.MatchString(value) {
					assert.Fail(t, "a value that METRICS.md does not list",
						"%s of %s has %s=%q", found[1], app.ID, name, value)
				}
			}
		}
		assert.Greater(t, checked, 20, "%s has labels", app.ID)
	}
}

// misbehave asks for what there is not, by methods that there are not.
func misbehave(t *testing.T) {
	t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodPost, "EAT", "MELT"} {
		for _, path := range []string{"/api/v1/orders/ord_1", "/ada@example.com", "/api/v2/orders", "/events/cakes"} {
			r, err := http.NewRequestWithContext(t.Context(), method, own.GatewayURL+path, nil)
			require.NoError(t, err)
			resp, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
		}
	}
}

// listedValues are what each label can be, by METRICS.md.
func listedValues(t *testing.T) map[string]*regexp.Regexp {
	t.Helper()
	text, err := os.ReadFile("../observability/METRICS.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(text), "| label | values |\n|---|---|\n")
	require.True(t, ok, "METRICS.md lists the values of labels")
	listed := map[string]*regexp.Regexp{}
	for line := range strings.Lines(table) {
		name, values, ok := strings.Cut(strings.Trim(line, "| \n"), " | ")
		require.True(t, ok, line)
		var any []string
		for _, value := range strings.Split(values, "`, `") {
			value = strings.ReplaceAll(strings.Trim(value, "`"), `\|`, "|")
			if len(value) > 1 && value[0] == '/' && value[len(value)-1] == '/' {
				value = value[1 : len(value)-1]
			} else {
				value = regexp.QuoteMeta(value)
			}
			any = append(any, value)
		}
		listed[strings.Trim(name, "`")] = regexp.MustCompile("^(" + strings.Join(any, "|") + ")$")
	}
	return listed
}

func scrape(t *testing.T, url string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url+"/metrics", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+own.MetricsToken)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, fmt.Sprintf("%s answers %s", url, body))
	return body
}

package console_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnOrderIsShownWhenItsTracesHaveLeft(t *testing.T) {
	const id = "ord_longagolongagolongago1"
	at := time.Now().Add(-time.Hour)
	world.mu.Lock()
	world.records[id] = record{Status: "paid", Total: paid.Total, History: []step{
		{"pending", at, ""}, {"paid", at.Add(42 * time.Millisecond), ""},
	}}
	world.mu.Unlock()
	r := open(t, "#/orders/"+id)
	r.sees("The order is paid, 42 ms after it was placed", "No spans are kept of this order")
	r.fits("order-old")
}

func TestWhoIsOnARowStaysOnItWhenNewerOnesCome(t *testing.T) {
	r := open(t, "#/traces?errors=1")
	r.sees("POST /api/v1/orders")
	focus := `document.querySelector("main tbody a").focus()`
	asks[bool](r, `(`+focus+`, true)`)
	on := asks[string](r, `document.activeElement.title`)
	require.Len(t, on, 32, "a trace's link has the focus")
	fail(t)
	newer := fmt.Sprintf(`document.querySelector("main tbody a").title !== %q`, on)
	r.until(newer, "a newer trace comes")
	assert.Equal(t, on, asks[string](r, `document.activeElement.title`), "the focus went to another row")
}

func TestAPageThatIsHeldStillStaysAsItIs(t *testing.T) {
	fail(t)
	r := open(t, "#/failures")
	r.sees("charge given up for now")
	r.click(`#live`)
	before := asks[int](r, `document.querySelectorAll("main tbody tr").length`)
	fail(t)
	other := open(t, "#/failures")
	more := fmt.Sprintf(`document.querySelectorAll("main tbody tr").length > %d`, before)
	other.until(more, "another page shows the new failure")
	assert.Equal(t, before, asks[int](r, `document.querySelectorAll("main tbody tr").length`))
	r.click(`#live`)
	r.until(more, "the page goes on")
}

func TestButtonsAreOffWhileWhatTheyDoIsUnderWay(t *testing.T) {
	release := world.holdRestarts()
	_, token, _ := strings.Cut(shown.Link(), "#")
	r := open(t, "#"+token)
	r.sees("The system, live")
	r.click(`//nav//a[.="Overview"]`)
	r.click(`[aria-label="restart orders"]`)
	r.sees("restart under way") // the page was drawn anew
	const off = `["restart", "stop"].every((a) =>
		document.querySelector('[aria-label="' + a + ' orders"]').disabled)`
	assert.True(t, asks[bool](r, off), "a button can be pressed again")
	release()
	r.until(`!(`+off+`)`, "the buttons are on again")
}

func TestWhatOthersNameIsShownAsTextAndNeverRun(t *testing.T) {
	const evil = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'"&`
	const trace = "e5117e5117e5117e5117e5117e5117e5"
	span := recordedSpan{
		Trace: trace, ID: "e5117e5117e5117e", Service: evil, Name: evil, Kind: "server", Error: true,
		Duration: 1000, Attributes: map[string]string{"http.route": "/api/" + evil, evil: evil},
	}
	require.NoError(t, export(shown, []recordedSpan{span}, time.Now()))
	shown.Log(evil, fmt.Sprintf(`level=ERROR msg=%q trace_id=%s k=%q`, evil, trace, evil))
	for _, page := range []string{"traces", "traces/" + trace, "failures", "logs?level=error"} {
		r := open(t, "#/"+page)
		r.sees(`<img src=x onerror="window.hacked=1">`)
		assert.False(t, asks[bool](r, `"hacked" in window || !!document.querySelector("main img, main script")`))
	}
}

func TestATraceOfThousandsOfSpansIsShown(t *testing.T) {
	const trace, most = "b16b16b16b16b16b16b16b16b16b16b1", 2_000
	spans := make([]recordedSpan, most)
	for i := range spans {
		spans[i] = recordedSpan{
			Trace: trace, ID: fmt.Sprintf("%016x", i+1), Service: "orders", Name: fmt.Sprint("step ", i),
			Kind: "internal", Start: int64(i) * 10, Duration: 10,
			Attributes: map[string]string{"what": "an attribute", "why": "another"},
		}
		if i > 0 {
			spans[i].Parent = fmt.Sprintf("%016x", i/2+1)
		}
	}
	require.NoError(t, export(shown, spans, time.Now()))
	r := open(t, "#/traces/"+trace)
	r.sees("2000", "step 1999")
	nodes := asks[int](r, `document.querySelectorAll("main *").length`)
	assert.Less(t, nodes, 12*most, "the facts of spans that nobody opened are there")
	r.click(`(//*[contains(@class, "fall")]//summary)[1]`)
	r.do(chromedp.WaitVisible(`.fall .facts`))
	r.sees("an attribute")
}

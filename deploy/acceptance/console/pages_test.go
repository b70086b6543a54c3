package console_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
)

func TestTheSystemsPictureShowsWhatGoesWhere(t *testing.T) {
	r := open(t, "#/")
	r.sees("The system, live", "5 of 5", "message bus: bus")
	for _, id := range append(appIDs, "orders-store", "email", "sms", "payment provider") {
		r.do(
			chromedp.WaitVisible(
				`//*[local-name()="svg"]//*[local-name()="text"][contains(., "` + id + `")]`,
			),
		)
	}
	r.do(
		chromedp.WaitVisible(`svg.system .way.live .dots`),
		chromedp.WaitVisible(`svg.system .way.bad .dots`),
		chromedp.WaitVisible(`svg.system .way.live.provider .dots`),
	)
	r.sees("fail")
	r.fits("system")
}

func TestTheOverviewShowsWhatRunsAndTheButtonsNeedTheToken(t *testing.T) {
	r := open(t, "#/overview")
	r.sees("What runs", "payments/daprd", "redis", "Slowest routes", "open the console by the link")
	assert.True(
		t,
		asks[bool](r, `[...document.querySelectorAll("main button")].every((b) => b.disabled)`),
	)
	r.fits("overview")

	before := world.wasDone()
	_, token, _ := strings.Cut(shown.Link(), "#")
	r = open(t, "#"+token)
	r.sees("The system, live")
	assert.NotContains(t, asks[string](r, `location.href`), "token", "people share addresses")
	r.click(`//nav//a[.="Overview"]`)
	r.click(`[aria-label="stop users"]`)
	r.do(chromedp.WaitVisible(`[aria-label="start users"]`))
	r.click(`[aria-label="start users"]`)
	r.do(chromedp.WaitVisible(`[aria-label="restart users"]`))
	r.click(`[aria-label="restart users"]`)
	r.do(chromedp.WaitVisible(`//*[@id="notice"][contains(., "restart is done")]`))
	since := strings.TrimPrefix(strings.TrimPrefix(world.wasDone(), before), ", ")
	assert.Equal(t, "stop users, start users, restart users", since)
}

func TestAnOrdersJourneyIsPlayedOnTheTimelineAndThePicture(t *testing.T) {
	r := open(t, "#/orders")
	r.sees("payment failed", "pending", "paid", "€", "card declined")
	r.fits("orders")
	r.click(`a[title="` + paid.Order + `"]`)
	r.sees("The order is paid, 13 ms after it was placed", "Its journey", "orders publishes order.placed.v1",
		"bus tells payments order.placed.v1", "the order is paid", "the inbox has “Your receipt")
	r.do(
		chromedp.WaitVisible(`svg.timeline .work`),
		chromedp.WaitVisible(`svg.timeline .flag.mail`),
	)
	r.click(`//button[contains(., "orders publishes")]`)
	r.do(
		chromedp.WaitVisible(`svg.system .way.now.publish`),
		chromedp.WaitVisible(`svg.timeline .cursor`),
	)
	r.sees("Step ")
	r.fits("order")
	r.click(`//button[contains(., "Play")]`)
	asks[bool](r, `dispatchEvent(new Event("resize"))`) // it goes on while the page is drawn anew
	r.do(
		chromedp.WaitVisible(
			`//p[contains(@class, "told")][contains(., "publishes payment.confirmed")]`,
		),
	)
	r.click(`//summary[contains(., "spans as a waterfall")]`)
	r.do(chromedp.WaitVisible(`.fall .bar.side`))
}

func TestATraceIsAWaterfallOfServicesAndSidecars(t *testing.T) {
	r := open(t, "#/traces")
	r.sees("Traces", "POST /api/v1/orders")
	r.fits("traces")
	r.do(
		chromedp.SendKeys(`input[name="order"]`, declined.Order),
		chromedp.Click(`//form//button[.="Search"]`),
		chromedp.WaitVisible(
			`a[title="`+declined.trace()+`"]`,
		),
		chromedp.WaitNotPresent(`a[title="`+paid.trace()+`"]`),
	)
	r.click(`a[title="` + declined.trace() + `"]`)
	r.sees("Trace "+declined.trace(), "Belongs to")
	r.do(chromedp.WaitVisible(`.fall .bar`), chromedp.WaitVisible(`.fall .bar.side`))
	r.click(`(//*[contains(@class, "fall")]//summary)[1]`)
	r.sees("http.route")
	r.fits("trace")
}

func TestLogLinesComeByThemselves(t *testing.T) {
	r := open(t, "#/logs?level=warn")
	r.sees("charge given up for now", "the provider does not answer")
	shown.Log("users", `level=ERROR msg="said just now"`)
	r.sees("said just now")
	assert.NotContains(t, asks[string](r, `document.querySelector(".logs").innerText`), "listening")
	r.fits("logs")
}

func TestMeasurementsHaveCharts(t *testing.T) {
	r := open(t, "#/metrics")
	r.sees("Routes", "Topics", "Journals", "journal backlog ids", "Transitions")
	r.do(chromedp.WaitVisible(`.chart .line`), chromedp.WaitVisible(`.spark .line`))
	r.fits("metrics")
}

func TestWhatFailedIsShownAndThatNothingDid(t *testing.T) {
	fail(t)
	r := open(t, "#/failures")
	r.sees("What failed in the last minute", "charge given up for now", "payments: process orders")
	r.fits("failures")
}

func TestMailsSayWhyTheyWereSent(t *testing.T) {
	r := open(t, "#/mails")
	r.sees("Mails and text messages, and why", "Confirm your e-mail address", "•••• is your code")
	r.fits("mails")
}

func TestErrorsAreSaidOnThePage(t *testing.T) {
	r := open(t, "#/orders/nonsense")
	r.expects = "400"
	r.sees("This cannot be shown", "an order's id is ord_")
}

func TestANewcomersQuestionsAreAnsweredInThreeClicks(t *testing.T) {
	nav := func(name string) string { return `//nav//a[.="` + name + `"]` }
	for question, path := range map[string]struct {
		clicks []string
		answer string
	}{
		"why is this order pending?": {
			[]string{nav("Orders"), link("Why is it pending?")}, "The journal of payments has",
		},
		"which service is slow?": {
			[]string{nav("Overview"), `(//h2[contains(., "Slowest")]/following::tbody//a)[1]`},
			"payments: process orders",
		},
		"what failed in the last minute?": {
			[]string{nav("Failures"), link("POST /api/v1/orders")}, "Belongs to",
		},
		"why was this mail sent?": {
			[]string{nav("Mails"), link("its order")}, "was sent because of it",
		},
	} {
		t.Run(question, func(t *testing.T) {
			fail(t)
			r := open(t, "#/")
			r.sees("The system, live")
			assert.LessOrEqual(t, len(path.clicks), 3)
			for _, click := range path.clicks {
				r.click(click)
			}
			r.sees(path.answer)
		})
	}
}

func TestTheKeyboardReachesEverything(t *testing.T) {
	r := open(t, "#/")
	r.sees("The system, live")
	bad := asks[[]string](
		r,
		`[...document.querySelectorAll("a[href], button, input, select, summary")]
		.filter((e) => e.tabIndex < 0 ||
			!(e.textContent || e.getAttribute("aria-label") || e.labels?.length))
		.map((e) => e.outerHTML.slice(0, 80))`,
	)
	assert.Empty(t, bad)
}

package console

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// follow asks for the stream of log lines, as a browser that was interrupted, and returns the
// events that come until one has the text.
func follow(t *testing.T, c *Console, lastID, until string) (events []string) {
	t.Helper()
	address := c.URL() + "api/logs/stream"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", lastID)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		events = append(events, lines.Text())
		if strings.Contains(lines.Text(), until) {
			return events
		}
	}
	t.Fatalf("the stream ended before %q: %q", until, events)
	return nil
}

func TestAReaderThatWasInterruptedGetsWhatCameMeanwhile(t *testing.T) {
	c, _ := start(t)
	c.Log("orders", "level=INFO msg=first")
	c.Log("orders", "level=INFO msg=second")
	id := strings.TrimPrefix(follow(t, c, "", `"first"`)[0], "id: ")
	c.Log("orders", "level=INFO msg=third")
	got := strings.Join(follow(t, c, id, `"third"`), "\n")
	if strings.Contains(got, `"first"`) || !strings.Contains(got, `"second"`) {
		t.Errorf("after the first line comes %s", got)
	}
}

func TestAReaderOfAnEarlierConsoleAtTheSameAddressGetsEverything(t *testing.T) {
	c, _ := start(t)
	c.Log("orders", "level=INFO msg=first")
	for _, id := range []string{"ANOTHER-9000", "9000", "nonsense", "-"} {
		follow(t, c, id, `"first"`) // or this test hangs
	}
}

func TestAFloodOfLinesComesInPiecesAndWhatIsMissedIsSaid(t *testing.T) {
	c, _ := start(t)
	done := make(chan []string)
	go func() { done <- follow(t, c, "", "event: missed") }()
	for i := 0; ; i++ {
		select {
		case events := <-done:
			if len(events) > 20_000 {
				t.Errorf("%d lines were sent before one was missed", len(events)/3)
			}
			return
		default:
			c.Log("orders", fmt.Sprintf("level=INFO msg=%d", i))
		}
	}
}

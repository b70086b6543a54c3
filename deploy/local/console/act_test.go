package console

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// slow is a system whose restarts last until they are let go.
type slow struct {
	*fake
	begun, end chan struct{}
}

func (s slow) Restart(_ context.Context, id string) error {
	s.begun <- struct{}{}
	<-s.end
	return s.act("restart " + id)
}

func TestAButtonThatIsPressedTwiceActsOnce(t *testing.T) {
	system := slow{&fake{}, make(chan struct{}), make(chan struct{})}
	c := startWith(t, system)
	press := func(action string) int {
		path := "/api/apps/orders/" + action
		status, _, _ := send(t, c, http.MethodPost, path, TokenHeader, c.token)
		return status
	}
	first := make(chan int)
	go func() { first <- press("restart") }()
	<-system.begun
	for _, action := range []string{"restart", "stop"} {
		if status := press(action); status != http.StatusConflict {
			t.Errorf("%s during a restart answers %d, not 409", action, status)
		}
	}
	if _, body, _ := send(t, c, http.MethodGet, "/api/overview"); !strings.Contains(body, `"doing":"restart"`) {
		t.Errorf("that it is restarted is not said: %s", body)
	}
	close(system.end)
	if status := <-first; status != http.StatusOK || len(system.done) != 1 {
		t.Errorf("the restart answers %d; done was %v", status, system.done)
	}
	if status := press("stop"); status != http.StatusOK {
		t.Errorf("a stop after it answers %d", status)
	}
}

package console

import (
	"context"
	"net/http"
	"strconv"
	"sync"
)

// actions remembers what is being done to which app: one thing at a time.
type actions struct {
	mu    sync.Mutex
	doing map[string]string // by app
}

// of is what is being done to the app, or "".
func (a *actions) of(app string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.doing[app]
}

// begin notes an action, unless another is under way, whose name it returns.
func (a *actions) begin(app, action string) (other string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if other = a.doing[app]; other == "" {
		if a.doing == nil {
			a.doing = map[string]string{}
		}
		a.doing[app] = action
	}
	return other
}

func (a *actions) end(app string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.doing, app)
}

// act stops, starts or restarts an app with its sidecar. A second press of a button, here or on
// another page, is refused while the first has its effect.
func (c *Console) act(w http.ResponseWriter, r *http.Request) {
	id, action := r.PathValue("id"), r.PathValue("action")
	known := false
	for _, app := range c.system.Apps() {
		known = known || app.ID == id && !app.Foreign
	}
	if !known {
		detail := "there is no app " + strconv.Quote(id) + " that the launcher runs"
		refuse(w, http.StatusNotFound, detail)
		return
	}
	do, known := map[string]func(ctx context.Context, id string) error{
		"restart": c.system.Restart,
		"stop":    func(_ context.Context, id string) error { return c.system.StopApp(id) },
		"start":   func(_ context.Context, id string) error { return c.system.StartApp(id) },
	}[action]
	if !known {
		refuse(w, http.StatusNotFound, "the actions are restart, stop and start")
		return
	}
	if other := c.actions.begin(id, action); other != "" {
		refuse(w, http.StatusConflict, "wait: "+other+" of "+id+" is under way")
		return
	}
	defer c.actions.end(id)
	// It goes on if the page is closed meanwhile.
	if err := do(context.WithoutCancel(r.Context()), id); err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	write(w, map[string]string{"done": action})
}

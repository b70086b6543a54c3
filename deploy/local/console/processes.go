package console

import (
	"cmp"
	"context"
	"net/http"
	"os"
	"sync"
	"time"
)

// process is a row of the overview.
type process struct {
	App       string         `json:"app,omitempty"` // whose process it is; empty for servers
	Kind      string         `json:"kind"`          // app, sidecar, server or launcher
	Name      string         `json:"name"`
	State     string         `json:"state"` // ready, not ready, down, stopped or running
	PID       int            `json:"pid,omitempty"`
	Restarts  int            `json:"restarts"`
	Ports     map[string]int `json:"ports,omitempty"`
	Addr      string         `json:"addr,omitempty"`
	Memory    int64          `json:"memory"`    // resident bytes; 0 where it is unknown
	Processor float64        `json:"processor"` // cores since it was asked before, or negative
	Actions   []string       `json:"actions,omitempty"`
	Doing     string         `json:"doing,omitempty"` // the action that is under way
}

// processes tells what runs.
func (c *Console) processes(ctx context.Context) []process {
	answers := c.probes.get(ctx)
	var rows []process
	for _, app := range c.system.Apps() {
		actions := []string{"restart", "stop"}
		if app.Stopped {
			actions = []string{"start"}
		}
		if app.Foreign {
			actions = nil
		}
		answer := answers[app.ID]
		rows = append(rows, process{
			App: app.ID, Kind: "app", Name: app.ID, State: state(app, app.PID, answer.app),
			PID: app.PID, Restarts: app.Restarts, Ports: ports("http", app.Port),
			Actions: actions, Doing: c.actions.of(app.ID),
		}, process{
			App: app.ID, Kind: "sidecar", Name: app.ID + "/daprd",
			State: state(app, app.SidecarPID, answer.sidecar),
			PID:   app.SidecarPID, Restarts: app.SidecarRestarts,
			Ports: ports("http", app.SidecarHTTPPort, "grpc", app.SidecarGRPCPort,
				"metrics", app.MetricsPort),
		})
	}
	for _, server := range c.system.Servers() {
		rows = append(rows, process{
			Kind: "server", Name: server.Name, State: "running", PID: server.PID, Addr: server.Addr,
		})
	}
	rows = append(rows, process{
		Kind: "launcher", Name: "launcher", State: "running", PID: os.Getpid(),
		Addr: c.web.Addr().String(),
	})
	for i := range rows {
		row := &rows[i]
		if row.Kind == "server" && row.PID == os.Getpid() {
			row.PID = 0 // the launcher's row says what this process takes
		}
		row.Memory, row.Processor = c.usage.of(row.PID)
	}
	return rows
}

func ports(pairs ...any) map[string]int {
	m := map[string]int{}
	for i := 0; i < len(pairs); i += 2 {
		if port := pairs[i+1].(int); port > 0 {
			m[pairs[i].(string)] = port
		}
	}
	return m
}

// state is what is known of a process without asking it, or else what it answered last.
func state(app App, pid int, answered string) string {
	switch {
	case app.Stopped:
		return "stopped"
	case pid == 0 && !app.Foreign:
		return "down"
	}
	return cmp.Or(answered, "not ready")
}

// readiness is what an app and its sidecar answer when they are asked how they are.
type readiness struct{ app, sidecar string }

// probe asks all apps and sidecars whether they are ready.
func (c *Console) probe(ctx context.Context) map[string]readiness {
	apps := c.system.Apps()
	answers := make([]readiness, len(apps))
	var asked sync.WaitGroup
	for i, app := range apps {
		asked.Go(func() {
			if app.Port > 0 {
				answers[i].app = readyAt(ctx, app.URL+"/readyz", "", app.Foreign)
			} else {
				answers[i].app = "running"
			}
		})
		asked.Go(func() {
			address := app.SidecarURL + "/v1.0/healthz"
			answers[i].sidecar = readyAt(ctx, address, app.SidecarToken, app.Foreign)
		})
	}
	asked.Wait()
	byID := map[string]readiness{}
	for i, app := range apps {
		byID[app.ID] = answers[i]
	}
	return byID
}

// readyAt asks a process. One of somebody else that does not answer is taken to be down.
func readyAt(ctx context.Context, url, token string, foreign bool) string {
	status, err := ask(ctx, url, token)
	guarded := status == http.StatusUnauthorized || status == http.StatusNotFound
	switch {
	case err != nil && foreign:
		return "down"
	case err != nil, status >= 300 && !guarded:
		return "not ready"
	}
	return "ready"
}

func ask(ctx context.Context, url, token string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	unseen(req, token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

package stack

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sidecart.dev/local/daprd"
	"sidecart.dev/local/plan"
	"sidecart.dev/local/runfile"
	"sidecart.dev/local/supervise"
)

// earlyExits is how often an app may end before it was ready once.
const earlyExits = 3

// app is one app with its sidecar.
type app struct {
	plan                 plan.App
	app, sidecar         *supervise.Unit
	appTail, sidecarTail *supervise.Tail
	stopping             atomic.Bool
	control              sync.Mutex    // held while it is stopped or started on purpose
	drained              chan struct{} // gets one when the sidecar says that it drains
}

// App tells what runs for an app. A pid is 0 while nothing runs.
type App struct {
	ID              string `json:"id"`
	PID             int    `json:"pid"`
	SidecarPID      int    `json:"sidecar_pid"`
	Restarts        int    `json:"restarts"`
	SidecarRestarts int    `json:"sidecar_restarts"`
	Port            int    `json:"port"`
	SidecarHTTPPort int    `json:"sidecar_http_port"`
	SidecarGRPCPort int    `json:"sidecar_grpc_port"`
	MetricsPort     int    `json:"metrics_port"`
	URL             string `json:"url"`
	SidecarURL      string `json:"sidecar_url"`
	// AppToken is what the sidecar sends to the app, SidecarToken what the app
	// must send to the sidecar, both in the header dapr-api-token.
	AppToken     string `json:"-"`
	SidecarToken string `json:"-"`
}

// App tells what runs for the app with this id.
func (s *Stack) App(id string) (App, error) {
	a, err := s.find(id)
	if err != nil {
		return App{}, err
	}
	return a.info(), nil
}

// Apps tells it for all, in the run file's order.
func (s *Stack) Apps() []App {
	all := make([]App, len(s.apps))
	for i, a := range s.apps {
		all[i] = a.info()
	}
	return all
}

func (s *Stack) find(id string) (*app, error) {
	i := slices.IndexFunc(s.apps, func(a *app) bool { return a.plan.AppID == id })
	if i < 0 {
		return nil, fmt.Errorf("there is no app %q in this stack", id)
	}
	return s.apps[i], nil
}

func (a *app) info() App {
	info := App{
		ID: a.plan.AppID, Port: a.plan.AppPort, MetricsPort: a.plan.MetricsPort,
		SidecarHTTPPort: a.plan.DaprHTTPPort, SidecarGRPCPort: a.plan.DaprGRPCPort,
		URL: a.plan.URL(), SidecarURL: a.plan.SidecarURL(),
		AppToken: a.plan.AppToken, SidecarToken: a.plan.SidecarToken,
		SidecarPID: a.sidecar.PID(), SidecarRestarts: a.sidecar.Restarts(),
	}
	if a.app != nil {
		info.PID, info.Restarts = a.app.PID(), a.app.Restarts()
	}
	return info
}

// newApp prepares the two units of an app; nothing runs yet.
func (s *Stack) newApp(planned plan.App) (*app, error) {
	a := &app{
		plan: planned, appTail: supervise.NewTail(30), sidecarTail: supervise.NewTail(200),
		drained: make(chan struct{}, 1),
	}
	out, err := s.sidecarOutput(a)
	if err != nil {
		return nil, err
	}
	a.sidecar = s.unit("the sidecar of "+a.plan.AppID, 1, planned.Sidecar, out)
	if planned.Process == nil {
		return a, nil
	}
	if out, err = s.appOutput(a); err != nil {
		return nil, err
	}
	a.app = s.unit(a.plan.AppID, earlyExits, *planned.Process, out)
	return a, nil
}

// unit supervises one process of the app and reports on it.
func (s *Stack) unit(
	name string, early int, command supervise.Command, out *supervise.Lines,
) *supervise.Unit {
	command.Stdout, command.Stderr = out, out
	return supervise.NewUnit(supervise.Config{
		Name: name, Restart: !s.opts.NoRestart, EarlyExits: early,
		Command: func() supervise.Command { return command },
		OnStart: func(int) { go s.refreshStatus() },
		OnExit: func(err error, delay time.Duration) {
			what := supervise.Describe(err)
			s.console.Log("launcher", fmt.Sprintf("level=warn msg=%q", name+" "+what))
			if delay >= 0 {
				s.opts.Terminal.Notice("%s %s; starting it again in %s", name, what, delay)
			} else if s.isReady() {
				s.opts.Terminal.Notice("%s %s and is not started again", name, what)
			}
			s.refreshStatus()
		},
	})
}

// appOutput sends an app's lines to its log and, where the run file says so, to
// the screen.
func (s *Stack) appOutput(a *app) (*supervise.Lines, error) {
	log, err := openLog(s.LogsDir, a.plan.AppID)
	if err != nil {
		return nil, err
	}
	show := a.plan.AppLogDestination.OnConsole(runfile.FileAndConsole)
	return supervise.NewLines(func(line []byte) {
		log.writeLine(line)
		a.appTail.Add(string(line))
		s.console.Log(a.plan.AppID, string(line))
		if show {
			s.opts.Terminal.Log(a.plan.AppID, line)
		}
	}), nil
}

// sidecarOutput does the same for a sidecar, whose log has every line of level
// info and above while the screen has what the run file's logLevel asks for.
func (s *Stack) sidecarOutput(a *app) (*supervise.Lines, error) {
	log, err := openLog(s.LogsDir, a.plan.AppID+".daprd")
	if err != nil {
		return nil, err
	}
	show := a.plan.DaprdLogDestination.OnConsole(runfile.LogFile)
	return supervise.NewLines(func(line []byte) {
		log.writeLine(line)
		text := string(line)
		a.sidecarTail.Add(text)
		s.console.Log(a.plan.AppID+"/daprd", text)
		entry := daprd.ParseLogLine(text)
		if daprd.Draining(entry) {
			select {
			case a.drained <- struct{}{}:
			default:
			}
		}
		if daprd.Nameless(entry) {
			go a.sidecar.Renew()
		}
		if !show || !entry.Shown(a.plan.LogLevel) || expected(entry.Message) || a.stopping.Load() {
			return
		}
		if !s.opts.JSONLogs && entry.Level != "" {
			line = []byte(strings.ToUpper(entry.Level) + " " + entry.Message)
		}
		s.opts.Terminal.Log(a.plan.AppID+"/daprd", line)
	}), nil
}

// expected are warnings that every sidecar of a local stack gives at its start:
// no placement, no scheduler, no sentry, a mail server without a login.
func expected(message string) bool {
	for _, part := range []string{
		"mTLS is disabled", "Actor runtime disabled", "No scheduler host addresses",
		"User and password are empty", "increasedCardinality",
	} {
		if strings.Contains(message, part) {
			return true
		}
	}
	return false
}

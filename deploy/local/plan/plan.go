package plan

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sidecart.dev/local/daprd"
	"sidecart.dev/local/resources"
	"sidecart.dev/local/runfile"
	"sidecart.dev/local/supervise"
)

const loopback = "127.0.0.1"

// Settings are what is decided before a plan is made, besides what the run file says.
type Settings struct {
	StateDir string // where everything is written
	BinDir   string // where the apps' programs are built
	Daprd    string // the sidecar's program
	// NewToken makes a token that nobody can guess, another one each time.
	NewToken func() string
	JSONLogs bool
	// BackingOnly leaves building and starting the apps to somebody else.
	BackingOnly bool
}

// Allocation says where everything listens. Addresses are host:port.
type Allocation struct {
	// Ports are those of apps and sidecars that differ from the run file's.
	Ports map[Listener]int
	// Redis, SMTP and Inbox are for the servers beside the apps, if they are needed.
	Redis, SMTP, Inbox string
	// Console and OTLP, where spans go, are empty if there is no console.
	Console, OTLP string
}

// Listener is a port of an app or its sidecar, by the run file's field that sets it.
type Listener struct{ App, Field string }

// Plan is what a stack is made of.
type Plan struct {
	Apps   []App
	Builds []Build
	// Files are below Resources, which holds nothing else.
	Files     []resources.File
	Resources string
	// Names is the database in which sidecars find each other; it begins empty.
	Names string
	// Redis, SMTP and Inbox are where the servers beside the apps listen: empty where no resource
	// refers to them.
	Redis, SMTP, Inbox string
	// Console and OTLP are empty if there is no console.
	Console, OTLP string
	MetricsToken  string // a bearer token for the apps' /metrics
	spans         []string
}

// App is an app with its sidecar: the run file's, with the ports and resource folders that are
// really used.
type App struct {
	runfile.App
	// AppToken is what the sidecar sends to the app, SidecarToken what the app must send to the
	// sidecar.
	AppToken, SidecarToken string
	// Process is nil if the run file has no command for the app: it has a sidecar only.
	Process *supervise.Command
	Sidecar supervise.Command
}

// URL is the app's address.
func (a App) URL() string { return httpURL(a.AppPort) }

// SidecarURL is the address of its sidecar's HTTP API.
func (a App) SidecarURL() string { return httpURL(a.DaprHTTPPort) }

func httpURL(port int) string { return "http://" + loopback + ":" + strconv.Itoa(port) }

// ForeignEnv is what apps that somebody else starts need in their environment for the console to
// see them.
func (p Plan) ForeignEnv() string {
	if p.Console == "" {
		return ""
	}
	return strings.Join(append(slices.Clone(p.spans), "METRICS_TOKEN="+p.MetricsToken), " ")
}

// Make makes the plan of a system whose variables are bound.
func Make(system System, at Allocation, s Settings) (Plan, error) {
	p := Plan{
		Resources: filepath.Join(s.StateDir, "resources"),
		Names:     filepath.Join(s.StateDir, "names.db"),
		Console:   at.Console, OTLP: at.OTLP, MetricsToken: s.NewToken(),
	}
	for _, set := range system.Sets {
		needs := set.Needs()
		if needs.Redis {
			p.Redis = at.Redis
		}
		if needs.Inbox {
			p.SMTP, p.Inbox = at.SMTP, at.Inbox
		}
	}
	if _, given := system.Variable("OTEL_EXPORTER_OTLP_ENDPOINT"); !given && p.Console != "" {
		p.spans = []string{
			"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + p.OTLP,
			"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_INSECURE=true",
		}
	}
	addresses := resources.Addresses{
		Redis: p.Redis, SMTP: p.SMTP, InboxHTTP: p.Inbox, StateDir: s.StateDir,
	}
	p.Apps, addresses.Ports = at.place(system.File.Apps)
	if s.BackingOnly {
		return p, nil
	}
	sets, err := p.render(system.Sets, addresses)
	if err != nil {
		return p, err
	}
	env := environment{
		inherited: system.Inherited, given: system.Given, sets: sets,
		addresses: addresses, metricsToken: p.MetricsToken, spans: p.spans, jsonLogs: s.JSONLogs,
	}
	for i := range p.Apps {
		p.run(&p.Apps[i], env, s)
	}
	return p, nil
}

// place gives the apps their ports, and says where those of the run file have moved.
func (at Allocation) place(apps []runfile.App) (placed []App, moved map[int]int) {
	moved = map[int]int{}
	for _, cfg := range apps {
		for _, port := range cfg.Ports() {
			real, ok := at.Ports[Listener{cfg.AppID, port.Field}]
			if !ok {
				continue
			}
			if *port.Value != 0 {
				moved[*port.Value] = real
			}
			*port.Value = real
		}
		placed = append(placed, App{App: cfg})
	}
	return placed, moved
}

// render plans the files of each component set once, with every address where it really is, and
// points the apps to them. It returns the sets with these addresses.
func (p *Plan) render(
	sets map[string]*resources.Set, addresses resources.Addresses,
) ([]*resources.Set, error) {
	folders := map[string]string{}
	var moved []*resources.Set
	for i := range p.Apps {
		app := &p.Apps[i]
		app.ResourcesPaths = slices.Clone(app.ResourcesPaths)
		for j, path := range app.ResourcesPaths {
			if folders[path] == "" {
				name := fmt.Sprintf("%d-%s", len(folders), filepath.Base(path))
				folders[path] = filepath.Join(p.Resources, name)
				set := sets[path].At(addresses)
				files, err := set.Files(folders[path])
				if err != nil {
					return nil, fmt.Errorf("the resources of %s cannot be written: %w", path, err)
				}
				p.Files, moved = append(p.Files, files...), append(moved, set)
			}
			app.ResourcesPaths[j] = folders[path]
		}
	}
	p.Files = append(p.Files, resources.File{
		Path: p.namesConfig(), Text: daprd.Names(p.Names),
	})
	return moved, nil
}

// namesConfig is the Configuration that lets the sidecars of this stack find each other, and no
// other stack's.
func (p *Plan) namesConfig() string { return filepath.Join(p.Resources, "names.yaml") }

// run plans the processes of an app, and its build if the command is `go run`.
func (p *Plan) run(app *App, env environment, s Settings) {
	app.AppToken, app.SidecarToken = s.NewToken(), s.NewToken()
	args := daprd.Args(&app.App, p.namesConfig())
	if s.JSONLogs {
		args = append(args, "--log-as-json")
	}
	app.Sidecar = supervise.Command{
		Path: s.Daprd, Args: args, Dir: app.AppDirPath, Env: env.ofSidecar(app),
	}
	if len(app.Command) == 0 {
		return
	}
	if run, ok := parseGoRun(app.Command); ok {
		build := run.build(app, s.BinDir)
		p.Builds = append(p.Builds, build)
		app.Command = append([]string{build.Target}, run.args...)
	}
	app.Process = &supervise.Command{
		Path: app.Command[0], Args: app.Command[1:], Dir: app.AppDirPath, Env: env.ofApp(app),
	}
}

package stack

import (
	"slices"
	"strconv"
	"strings"

	"sidecart.dev/local/resources"
	"sidecart.dev/local/runfile"
)

// environment says which variables each process of a stack is given. It is a plain value: it reads
// nothing and starts nothing. All variables are KEY=VALUE; of two with one key the later is meant.
type environment struct {
	inherited []string // those of the launcher
	extra     []string // those of the env file and the options, which stand above the run file's
	// references are the variables that components refer to, and bound has their values.
	references   []resources.Reference
	bound        func(name string) (value string, ok bool)
	addresses    resources.Addresses // where the run file's addresses have moved
	metricsToken string
	spans        []string // where processes send their spans
	jsonLogs     bool
}

// tokens are what an app and its sidecar prove themselves with to each other.
type tokens struct{ app, sidecar string }

// ofSidecar is for an app's sidecar, which alone is given what its components refer to.
func (e environment) ofSidecar(app *runfile.App, t tokens) []string {
	env := e.ofBoth(t)
	for _, ref := range e.references {
		if value, ok := e.bound(ref.Name); ok && ref.LoadedBy(app.AppID) {
			env = append(env, ref.Name+"="+value)
		}
	}
	return env
}

// ofApp is for an app, which is given what the Dapr CLI gives it: the run file's variables and the
// ports. Its services log as the launcher does, unless a variable says otherwise.
func (e environment) ofApp(app *runfile.App, t tokens) []string {
	var env []string
	if e.jsonLogs {
		env = append(env, "LOG_FORMAT=json")
	}
	env = append(env, e.ofBoth(t)...)
	for key, value := range app.Env {
		env = append(env, key+"="+e.addresses.Rewrite(value))
	}
	protocol := app.AppProtocol
	if protocol == "" {
		protocol = "http"
	}
	return append(
		append(env, e.unreferred(e.extra)...),
		"APP_ID="+app.AppID,
		"APP_PORT="+strconv.Itoa(app.AppPort),
		"APP_PROTOCOL="+protocol,
		"DAPR_HTTP_PORT="+strconv.Itoa(app.DaprHTTPPort),
		"DAPR_GRPC_PORT="+strconv.Itoa(app.DaprGRPCPort),
		"DAPR_METRICS_PORT="+strconv.Itoa(app.MetricsPort),
	)
}

// ofBoth is for an app and for its sidecar.
func (e environment) ofBoth(t tokens) []string {
	env := e.unreferred(slices.Concat(e.inherited, e.extra))
	env = append(env, "METRICS_TOKEN="+e.metricsToken, "APP_API_TOKEN="+t.app,
		"DAPR_API_TOKEN="+t.sidecar, "DAPR_HOST_IP="+loopback)
	return append(env, e.spans...)
}

// unreferred leaves out every variable that components refer to.
func (e environment) unreferred(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(line string) bool {
		key, _, _ := strings.Cut(line, "=")
		is := func(ref resources.Reference) bool { return ref.Name == key }
		return slices.ContainsFunc(e.references, is)
	})
}

package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"sidecart.dev/local/resources"
)

// environment says which variables each process of a stack is given. All are KEY=VALUE; of two with
// one key the later is meant.
type environment struct {
	inherited    []string            // those of the launcher
	given        []string            // those that stand above the run file's
	sets         []*resources.Set    // which refer to variables, and have their values
	addresses    resources.Addresses // where the run file's addresses have moved
	metricsToken string
	spans        []string // where processes send their spans
	jsonLogs     bool
}

// ofSidecar is for an app's sidecar, which alone is given what its components refer to.
func (e environment) ofSidecar(app *App) []string {
	env := e.ofBoth(app)
	for _, set := range e.sets {
		for _, ref := range set.References() {
			if value, ok := set.Bound(ref.Name); ok && ref.LoadedBy(app.AppID) {
				env = append(env, ref.Name+"="+value)
			}
		}
	}
	return env
}

// ofApp is for an app, which is given what the Dapr CLI gives it: the run file's variables and the
// ports. Its services log as the launcher does, unless a variable says otherwise.
func (e environment) ofApp(app *App) []string {
	var env []string
	if e.jsonLogs {
		env = append(env, "LOG_FORMAT=json")
	}
	env = append(env, e.ofBoth(app)...)
	for _, key := range slices.Sorted(maps.Keys(app.Env)) {
		env = append(env, key+"="+e.addresses.Rewrite(app.Env[key]))
	}
	protocol := app.AppProtocol
	if protocol == "" {
		protocol = "http"
	}
	return append(
		append(env, e.unreferred(e.given)...),
		"APP_ID="+app.AppID,
		"APP_PORT="+strconv.Itoa(app.AppPort),
		"APP_PROTOCOL="+protocol,
		"DAPR_HTTP_PORT="+strconv.Itoa(app.DaprHTTPPort),
		"DAPR_GRPC_PORT="+strconv.Itoa(app.DaprGRPCPort),
		"DAPR_METRICS_PORT="+strconv.Itoa(app.MetricsPort),
	)
}

// ofBoth is for an app and for its sidecar.
func (e environment) ofBoth(app *App) []string {
	env := e.unreferred(slices.Concat(e.inherited, e.given))
	env = append(env, "METRICS_TOKEN="+e.metricsToken, "APP_API_TOKEN="+app.AppToken,
		"DAPR_API_TOKEN="+app.SidecarToken, "DAPR_HOST_IP="+loopback)
	return append(env, e.spans...)
}

// unreferred leaves out every variable that components refer to.
func (e environment) unreferred(env []string) []string {
	referred := map[string]bool{}
	for _, set := range e.sets {
		for _, ref := range set.References() {
			referred[ref.Name] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(env), func(line string) bool {
		key, _, _ := strings.Cut(line, "=")
		return referred[key]
	})
}

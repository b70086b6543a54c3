// Package runfile reads the Dapr CLI's multi-app run file (dapr.yaml) with the
// CLI's own rules for paths and inheritance, and more strictly: unknown fields,
// missing paths and colliding ports are errors.
package runfile

// File is a run file as written: no path resolved, nothing inherited.
type File struct {
	Version int    `yaml:"version"`
	Name    string `yaml:"name,omitempty"`
	Common  Shared `yaml:"common,omitempty"`
	Apps    []App  `yaml:"apps"`
}

// Shared holds the fields that may stand in `common` and in each app. An app's
// zero value inherits what `common` says.
type Shared struct {
	ResourcesPath  string            `yaml:"resourcesPath,omitempty"`
	ResourcesPaths []string          `yaml:"resourcesPaths,omitempty"`
	ConfigFilePath string            `yaml:"configFilePath,omitempty"`
	Env            map[string]string `yaml:"env,omitempty"`

	AppProtocol        string `yaml:"appProtocol,omitempty"`
	AppMaxConcurrency  int    `yaml:"appMaxConcurrency,omitempty"`
	AppSSL             bool   `yaml:"appSSL,omitempty"`
	APIListenAddresses string `yaml:"apiListenAddresses,omitempty"`
	MaxBodySize        string `yaml:"maxBodySize,omitempty"`
	ReadBufferSize     string `yaml:"readBufferSize,omitempty"`
	EnableProfiling    bool   `yaml:"enableProfiling,omitempty"`
	EnableAPILogging   bool   `yaml:"enableApiLogging,omitempty"`
	LogLevel           string `yaml:"logLevel,omitempty"`

	EnableAppHealthCheck   bool   `yaml:"enableAppHealthCheck,omitempty"`
	AppHealthCheckPath     string `yaml:"appHealthCheckPath,omitempty"`
	AppHealthProbeInterval int    `yaml:"appHealthProbeInterval,omitempty"` // seconds
	AppHealthProbeTimeout  int    `yaml:"appHealthProbeTimeout,omitempty"`  // milliseconds
	AppHealthThreshold     int    `yaml:"appHealthThreshold,omitempty"`

	PlacementHostAddress string `yaml:"placementHostAddress,omitempty"`
	SchedulerHostAddress string `yaml:"schedulerHostAddress,omitempty"`

	RuntimePath         string      `yaml:"runtimePath,omitempty"`
	AppLogDestination   Destination `yaml:"appLogDestination,omitempty"`
	DaprdLogDestination Destination `yaml:"daprdLogDestination,omitempty"`
}

// App is one application and its sidecar. A port of zero asks for a free one.
type App struct {
	Shared `yaml:",inline"`

	AppID             string   `yaml:"appID,omitempty"`
	AppDirPath        string   `yaml:"appDirPath"`
	Command           []string `yaml:"command,omitempty"`
	AppChannelAddress string   `yaml:"appChannelAddress,omitempty"`
	UnixDomainSocket  string   `yaml:"unixDomainSocket,omitempty"`

	AppPort              int `yaml:"appPort,omitempty"`
	DaprHTTPPort         int `yaml:"daprHTTPPort,omitempty"`
	DaprGRPCPort         int `yaml:"daprGRPCPort,omitempty"`
	DaprInternalGRPCPort int `yaml:"daprInternalGRPCPort,omitempty"`
	MetricsPort          int `yaml:"metricsPort,omitempty"`
	ProfilePort          int `yaml:"profilePort,omitempty"`

	// Kubernetes only (dapr run -k); accepted and not used here.
	ContainerImage           string `yaml:"containerImage,omitempty"`
	ContainerImagePullPolicy string `yaml:"containerImagePullPolicy,omitempty"`
	CreateService            bool   `yaml:"createService,omitempty"`
}

// Destination says where a process's output goes.
type Destination string

// The destinations the Dapr CLI knows.
const (
	Console        Destination = "console"
	LogFile        Destination = "file"
	FileAndConsole Destination = "fileAndConsole"
)

// OnConsole tells whether output with this destination is shown on the screen,
// given the CLI's default for its kind of process.
func (d Destination) OnConsole(byDefault Destination) bool {
	if d == "" {
		d = byDefault
	}
	return d == Console || d == FileAndConsole
}

// Port is one port of an app and the run file's field that sets it.
type Port struct {
	App   string
	Field string
	What  string // for people: "the app", "the sidecar's HTTP API"
	Value *int
}

// Ports returns the ports that the app and its sidecar listen on. The values
// point into the app, so that a caller can assign free ports.
func (a *App) Ports() []Port {
	ports := []Port{
		{a.AppID, "appPort", "the app", &a.AppPort},
		{a.AppID, "daprHTTPPort", "the sidecar's HTTP API", &a.DaprHTTPPort},
		{a.AppID, "daprGRPCPort", "the sidecar's gRPC API", &a.DaprGRPCPort},
		{a.AppID, "daprInternalGRPCPort", "the sidecar's internal API", &a.DaprInternalGRPCPort},
		{a.AppID, "metricsPort", "the sidecar's metrics", &a.MetricsPort},
	}
	if a.EnableProfiling {
		ports = append(ports, Port{a.AppID, "profilePort", "the sidecar's profiler", &a.ProfilePort})
	}
	return ports
}

package kubernetes

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// api is a real API server, by kubectl.
type api struct {
	kubectl, config string
	own             bool // started for the test: anything may be written
}

// do runs kubectl with a manifest on its standard input.
func (a api) do(t *testing.T, manifest []byte, args ...string) (stdout string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), a.kubectl, append([]string{"--kubeconfig", a.config}, args...)...)
	var out, problems bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(manifest), &out, &problems
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, problems.String())
	}
	return out.String(), nil
}

// cluster is the API server that the environment names, or one that is started of binaries that the
// environment names.
func cluster(t *testing.T) api {
	t.Helper()
	if config := os.Getenv("KUBECONFIG"); config != "" {
		kubectl, err := exec.LookPath("kubectl")
		require.NoError(t, err, "KUBECONFIG is set, and kubectl is not to be found")
		return api{kubectl, config, false}
	}
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Skip("neither KUBECONFIG, of a cluster with Dapr, nor KUBEBUILDER_ASSETS, with etcd, kube-apiserver and kubectl, is set")
	}
	a := api{filepath.Join(assets, "kubectl"), startAPI(t, assets), true}
	crds, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/dapr/dapr").Output()
	require.NoError(t, err)
	folder := filepath.Join(strings.TrimSpace(string(crds)), "charts", "dapr", "crds")
	_, err = a.do(t, nil, "apply", "--server-side", "-f", folder)
	require.NoError(t, err)
	_, err = a.do(t, nil, "wait", "--for=condition=Established", "--timeout=60s", "-f", folder)
	require.NoError(t, err)
	return a
}

// startAPI starts etcd and kube-apiserver on free ports of loopback and returns the path of a
// kubeconfig.
func startAPI(t *testing.T, assets string) string {
	t.Helper()
	dir := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, text, 0o600))
		return path
	}
	keyFile := write("accounts.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	token := rand.Text()
	tokens := write("tokens.csv", fmt.Appendf(nil, "%s,test,test,system:masters\n", token))
	store, peers, port := freeAddr(t), freeAddr(t), freeAddr(t)
	run(t, filepath.Join(assets, "etcd"), "--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--log-level", "error",
		"--listen-client-urls", "http://"+store, "--advertise-client-urls", "http://"+store,
		"--listen-peer-urls", "http://"+peers, "--initial-advertise-peer-urls", "http://"+peers, "--initial-cluster", "default=http://"+peers)
	_, number, err := net.SplitHostPort(port)
	require.NoError(t, err)
	run(t, filepath.Join(assets, "kube-apiserver"), "--etcd-servers", "http://"+store, "--cert-dir", dir, "--bind-address", "127.0.0.1",
		"--secure-port", number, "--token-auth-file", tokens, "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16",
		"--service-account-issuer", "https://cluster.test", "--service-account-key-file", keyFile, "--service-account-signing-key-file", keyFile)
	config := write("kubeconfig", fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}]
users: [{name: test, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
`, port, token))
	a := api{kubectl: filepath.Join(assets, "kubectl"), config: config}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := a.do(t, nil, "get", "--raw", "/readyz")
		assert.NoError(c, err)
	}, 2*time.Minute, 200*time.Millisecond)
	return config
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// run starts a program that is ended with the test, and whose output is shown if the test fails.
func run(t *testing.T, path string, args ...string) {
	t.Helper()
	runWith(t, nil, path, args...)
}

// runWith is run with an environment.
func runWith(t *testing.T, env []string, path string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		var ended *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &ended) {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s: …%s", filepath.Base(path), output.String()[max(0, output.Len()-2000):])
		}
	})
}

// prepare makes the namespace with its ServiceAccounts, which everything else is tried in, and
// removes what it made.
func prepare(t *testing.T, a api, objects []object) {
	t.Helper()
	if _, err := a.do(t, nil, "get", "namespace", "sidecart"); err != nil {
		t.Cleanup(func() {
			if !a.own { // and wait: the next test may want it
				out, err := a.undo("delete", "namespace", "sidecart", "--timeout=2m")
				assert.NoError(t, err, out)
			}
		})
	}
	for _, kind := range []string{"v1/Namespace", "v1/ServiceAccount"} {
		for _, o := range objects {
			if o.kind == kind {
				_, err := a.do(t, o.text, "apply", "--server-side", "--validate=strict", "-f", "-")
				require.NoError(t, err)
			}
		}
	}
}

// undo runs kubectl when the test's context has ended.
func (a api) undo(args ...string) (string, error) {
	out, err := exec.CommandContext(context.Background(), a.kubectl, append([]string{"--kubeconfig", a.config}, args...)...).CombinedOutput()
	return string(out), err
}

// TestARealAPIServerTakesEveryOverlayAsItIs applies them with strict validation, admission and, on
// a cluster, its webhooks. On a cluster that is not the test's own, nothing but the namespace and
// its ServiceAccounts is kept, and those only for the test.
func TestARealAPIServerTakesEveryOverlayAsItIs(t *testing.T) {
	a := cluster(t)
	for _, overlay := range overlays {
		objects := render(t, overlay)
		prepare(t, a, objects)
		for _, o := range objects {
			back, err := a.do(t, o.text, "apply", "--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server", "-o", "json", "-f", "-")
			if !assert.NoError(t, err, "%s: %s %s", overlay, o.kind, o.name) {
				continue
			}
			if want, ok := o.typed.(*appsv1.Deployment); ok {
				var got appsv1.Deployment
				require.NoError(t, json.Unmarshal([]byte(back), &got))
				assert.Equal(t, want.Spec.Template.Annotations, got.Spec.Template.Annotations, o.name)
				assert.Equal(t, *want.Spec.Template.Spec.Containers[0].SecurityContext, *got.Spec.Template.Spec.Containers[0].SecurityContext, o.name)
			}
		}
	}
}

// TestTheRestrictedStandardAdmitsThePodsWithTheirSidecars asks admission itself, and that it would
// refuse another Pod.
func TestTheRestrictedStandardAdmitsThePodsWithTheirSidecars(t *testing.T) {
	a := cluster(t)
	objects := render(t, "demo")
	prepare(t, a, objects)
	create := func(name string, spec corev1.PodSpec) error {
		pod := corev1.Pod{Spec: spec}
		pod.APIVersion, pod.Kind, pod.Name, pod.Namespace = "v1", "Pod", "try-"+name, "sidecart"
		text, err := yaml.Marshal(pod)
		require.NoError(t, err)
		_, err = a.do(t, text, "create", "--dry-run=server", "--validate=strict", "-f", "-")
		return err
	}
	for _, w := range workloads(objects) {
		spec := *w.pod.Spec.DeepCopy()
		if w.service() {
			pod, _ := injected(t, w)
			spec = pod.Spec
		}
		if spec.ServiceAccountName == "" { // whoever runs controllers makes the default one
			spec.ServiceAccountName = "users"
		}
		for i := range spec.Containers { // the claims of a StatefulSet become volumes when its controller makes the Pods
			for _, m := range spec.Containers[i].VolumeMounts {
				if !hasVolume(spec, m.Name) {
					spec.Volumes = append(spec.Volumes, corev1.Volume{Name: m.Name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
				}
			}
		}
		require.NoError(t, create(w.name, spec))
		spec.Containers[0].SecurityContext = nil
		assert.ErrorContains(t, create(w.name, spec), "violates PodSecurity", "%s without its securityContext", w.name)
	}
}

func hasVolume(spec corev1.PodSpec, name string) bool {
	for _, v := range spec.Volumes {
		if v.Name == name {
			return true
		}
	}
	return false
}

// TestARealAPIServerRefusesWhatDaprDoesNotKnow proves that the validation above is one.
func TestARealAPIServerRefusesWhatDaprDoesNotKnow(t *testing.T) {
	a := cluster(t)
	objects := render(t, "demo")
	prepare(t, a, objects)
	for _, o := range objects {
		if !strings.HasPrefix(o.kind, "dapr.io/") || o.kind == "dapr.io/v1alpha1/Component" && o.name != "bus" {
			continue
		}
		broken := bytes.Replace(o.text, []byte("\nspec:"), []byte("\nspec:\n  surprise: 1"), 1)
		_, err := a.do(t, broken, "apply", "--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server", "-f", "-")
		assert.ErrorContains(t, err, "surprise", "%s %s", o.kind, o.name)
	}
}

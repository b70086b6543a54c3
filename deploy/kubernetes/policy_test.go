package kubernetes

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// TestEveryContainerKeepsTheRestrictedStandard holds what the Pod Security standard "restricted"
// asks, and what we ask besides.
func TestEveryContainerKeepsTheRestrictedStandard(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		for _, w := range workloads(objects) {
			spec := w.pod.Spec
			if w.service() {
				pod, _ := injected(t, w)
				spec = pod.Spec
			}
			require.NotNil(t, spec.SecurityContext, w.name)
			assert.True(t, *spec.SecurityContext.RunAsNonRoot, w.name)
			assert.NotZero(t, *spec.SecurityContext.RunAsUser, w.name)
			assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, spec.SecurityContext.SeccompProfile.Type, w.name)
			assert.False(t, *spec.AutomountServiceAccountToken, w.name)
			assert.False(t, *spec.EnableServiceLinks, w.name)
			for _, c := range append(spec.Containers, spec.InitContainers...) {
				at := w.name + "/" + c.Name
				require.NotNil(t, c.SecurityContext, at)
				assert.False(t, *c.SecurityContext.AllowPrivilegeEscalation, at)
				assert.True(t, *c.SecurityContext.ReadOnlyRootFilesystem, at)
				require.NotNil(t, c.SecurityContext.Capabilities, at)
				assert.Equal(t, []corev1.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop, at)
				assert.NotZero(t, c.Resources.Requests.Cpu().MilliValue(), at)
				assert.NotZero(t, c.Resources.Requests.Memory().Value(), at)
				assert.NotZero(t, c.Resources.Limits.Memory().Value(), at)
				assert.NotNil(t, c.ReadinessProbe, at)
				_, tag, _ := strings.Cut(c.Image[strings.LastIndexByte(c.Image, '/')+1:], ":")
				assert.NotContains(t, []string{"", "latest"}, tag, "the image of %s has no version", at)
			}
		}
	})
}

// TestAServicesProbesAndEndFitTheService: it is live while it waits for its secrets, and its Pod
// may take as long as its end needs.
func TestAServicesProbesAndEndFitTheService(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		for _, w := range workloads(objects) {
			if !w.service() {
				continue
			}
			app := w.pod.Spec.Containers[0]
			assert.Equal(t, "/healthz", app.LivenessProbe.HTTPGet.Path, w.name)
			assert.Equal(t, "/readyz", app.ReadinessProbe.HTTPGet.Path, w.name)
			const drain = 10 // DRAIN_TIMEOUT
			assert.GreaterOrEqual(t, *w.pod.Spec.TerminationGracePeriodSeconds, app.Lifecycle.PreStop.Sleep.Seconds+drain+5, w.name)
			if w.name != "gateway" {
				endsUnnoticed(t, w)
			}
			env := names(app.Env)
			assert.Equal(t, "metadata.name", env["INSTANCE"].ValueFrom.FieldRef.FieldPath, w.name)
			assert.Equal(t, "0.0.0.0", env["APP_HOST"].Value, w.name)
		}
	})
}

// endsUnnoticed holds the order in which a Pod ends that other sidecars call. They keep its address
// for 20 s (resolverCacheTTL in Dapr's pkg/messaging), and a name server keeps it for 5 s. Until
// then it goes on as before. The app ends while its sidecar is there, so that it can hand its work
// over.
func endsUnnoticed(t *testing.T, w workload) {
	t.Helper()
	const kept = 20 + 5
	app := w.pod.Spec.Containers[0].Lifecycle.PreStop.Sleep.Seconds
	assert.Greater(t, app, int64(kept), "%s: the app ends while it is still called", w.name)
	_, sidecar := injected(t, w)
	at := slices.Index(sidecar.Args, "--dapr-block-shutdown-duration")
	require.GreaterOrEqual(t, at, 0, w.name)
	stays, err := time.ParseDuration(sidecar.Args[at+1])
	require.NoError(t, err)
	assert.Greater(t, stays, time.Duration(app)*time.Second, "%s: the sidecar ends first", w.name)
	assert.Greater(t, time.Duration(*w.pod.Spec.TerminationGracePeriodSeconds)*time.Second,
		stays+10*time.Second, "%s: the sidecar is killed", w.name)
}

func TestSelectorsFindThePodsTheyMean(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		all := workloads(objects)
		for _, w := range all {
			assert.Len(t, matching(all, w.selector), 1, "the selector of %s", w.name)
			assert.True(t, labels.SelectorFromSet(w.selector).Matches(labels.Set(w.pod.Labels)), w.name)
		}
		for _, o := range objects {
			switch typed := o.typed.(type) {
			case *corev1.Service:
				found := matching(all, typed.Spec.Selector)
				if assert.Len(t, found, 1, "service %s", o.name) && typed.Spec.ClusterIP != "None" {
					for _, port := range typed.Spec.Ports {
						assert.Contains(t, portsOf(found[0]), port.TargetPort.String(), "service %s", o.name)
					}
				}
			case *policyv1.PodDisruptionBudget:
				assert.Len(t, matching(all, typed.Spec.Selector.MatchLabels), 1, "budget %s", o.name)
			case *autoscalingv2.HorizontalPodAutoscaler:
				assert.NotNil(t, find(objects, "apps/v1/Deployment", typed.Spec.ScaleTargetRef.Name), "autoscaler %s", o.name)
				assert.GreaterOrEqual(t, *typed.Spec.MinReplicas, int32(2), "autoscaler %s", o.name)
			}
		}
	})
}

func matching(all []workload, selector map[string]string) (found []workload) {
	for _, w := range all {
		if labels.SelectorFromSet(selector).Matches(labels.Set(w.pod.Labels)) {
			found = append(found, w)
		}
	}
	return found
}

func portsOf(w workload) (all []string) {
	for _, c := range w.pod.Spec.Containers {
		for _, p := range c.Ports {
			all = append(all, p.Name)
		}
	}
	return all
}

// reach is what the policies let through: whether a Pod of one workload may open a connection to a
// port of another.
func reach(t *testing.T, objects []object, from, to workload, port string) bool {
	t.Helper()
	selects := func(s *metav1.LabelSelector, pod map[string]string) bool {
		selector, err := metav1.LabelSelectorAsSelector(s)
		require.NoError(t, err)
		return selector.Matches(labels.Set(pod))
	}
	number := map[string]string{}
	for _, c := range to.pod.Spec.Containers {
		for _, p := range c.Ports {
			number[p.Name] = strconv.Itoa(int(p.ContainerPort))
		}
	}
	open := func(ports []networkingv1.NetworkPolicyPort) bool {
		return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
			return p.Port.String() == port || number[p.Port.String()] == port
		})
	}
	peers := func(list []networkingv1.NetworkPolicyPeer, pod workload) bool {
		return slices.ContainsFunc(list, func(p networkingv1.NetworkPolicyPeer) bool {
			return p.NamespaceSelector == nil && p.PodSelector != nil && selects(p.PodSelector, pod.pod.Labels)
		})
	}
	in, out := false, false
	for _, o := range objects {
		p, ok := o.typed.(*networkingv1.NetworkPolicy)
		if !ok {
			continue
		}
		if selects(&p.Spec.PodSelector, to.pod.Labels) {
			for _, rule := range p.Spec.Ingress {
				in = in || peers(rule.From, from) && open(rule.Ports)
			}
		}
		if selects(&p.Spec.PodSelector, from.pod.Labels) {
			for _, rule := range p.Spec.Egress {
				out = out || peers(rule.To, to) && open(rule.Ports)
			}
		}
	}
	return in && out
}

// TestNothingIsReachedButByWhomItIsMeantFor goes through every pair of workloads and every port.
func TestNothingIsReachedButByWhomItIsMeantFor(t *testing.T) {
	reached := map[string][]string{ // who may reach what is no service of ours
		"postgresql:5432": {"notifications", "orders", "payments", "users"},
		"redis:6379":      {"notifications", "orders", "payments", "users"},
		"inbox:8025":      {"notifications"},
		"inbox:1025":      {"notifications"},
	}
	eachOverlay(t, func(t *testing.T, objects []object) {
		reached := maps.Clone(reached)
		if find(objects, "apps/v1/StatefulSet", "mongodb") != nil {
			reached["mongodb:27017"] = []string{"orders"}
			reached["postgresql:5432"] = []string{"notifications", "payments", "users"}
		}
		assert.NotNil(t, find(objects, "networking.k8s.io/v1/NetworkPolicy", "default-deny"))
		all := workloads(objects)
		for _, to := range all {
			ports := []string{"50002"}
			for _, c := range to.pod.Spec.Containers {
				for _, p := range c.Ports {
					ports = append(ports, strconv.Itoa(int(p.ContainerPort)))
				}
			}
			for _, port := range ports {
				for _, from := range all {
					want := slices.Contains(reached[to.name+":"+port], from.name) || port == "50002" && from.service() && to.service()
					assert.Equal(t, want, reach(t, objects, from, to, port), "%s to %s:%s", from.name, to.name, port)
				}
			}
		}
	})
}

// TestEverySecretIsMadeOrListed compares what Pods refer to with what the demo's command makes.
func TestEverySecretIsMadeOrListed(t *testing.T) {
	for _, overlay := range []string{"demo", "demo-mongodb"} {
		t.Run(overlay, func(t *testing.T) {
			list := demoSecrets(t, overlay)
			made := map[string]bool{}
			for _, s := range list {
				made[s.Name+":*"] = true
				for key, value := range s.StringData {
					assert.NotEmpty(t, value)
					made[s.Name+":"+key] = true
				}
			}
			used := map[string]bool{}
			for _, w := range workloads(render(t, overlay)) {
				spec := w.pod.Spec
				if w.service() {
					pod, _ := injected(t, w)
					spec = pod.Spec
				}
				for _, ref := range secretsOf(t, spec) {
					assert.True(t, made[ref], "%s needs %s, which nobody makes", w.name, ref)
					name, _, _ := strings.Cut(ref, ":")
					used[name] = true
				}
			}
			for _, s := range list {
				assert.True(t, used[s.Name], "nobody needs the Secret %s", s.Name)
			}
		})
	}
}

// demoSecrets are those that the demo's command makes for an overlay.
func demoSecrets(t *testing.T, overlay string) []corev1.Secret {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./demosecrets", overlay)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, problems.String())
	var list struct{ Items []corev1.Secret }
	require.NoError(t, json.Unmarshal(out, &list))
	return list.Items
}

// TestNoSecretStandsInTheTree: only references may.
func TestNoSecretStandsInTheTree(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		for _, o := range objects {
			assert.NotEqual(t, "v1/Secret", o.kind, o.name)
		}
	})
}

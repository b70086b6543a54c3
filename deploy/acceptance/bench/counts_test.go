package bench

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/bench/plan"
)

// counters are a sidecar's metrics: values by name and labels, as they stand in the answer.
type counters map[string]float64

// readCounters reads the metrics of all sidecars, by app id.
func (r *rig) readCounters(b *testing.B) map[string]counters {
	b.Helper()
	all := map[string]counters{}
	for _, app := range r.stack.Apps() {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", app.MetricsPort))
		require.NoError(b, err)
		all[app.ID] = parseCounters(resp.Body)
		resp.Body.Close()
	}
	return all
}

func parseCounters(text io.Reader) counters {
	c := counters{}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		at := strings.LastIndexByte(lines.Text(), ' ')
		if at < 0 || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		if value, err := strconv.ParseFloat(lines.Text()[at+1:], 64); err == nil {
			c[lines.Text()[:at]] = value
		}
	}
	return c
}

// since returns what was counted after before was read.
func (c counters) since(before counters) counters {
	d := counters{}
	for name, value := range c {
		d[name] = value - before[name]
	}
	return d
}

// sum adds up a metric over all labels that contain each of the given ones.
func (c counters) sum(name string, labels ...string) float64 {
	total := 0.0
	for key, value := range c {
		rest, ok := strings.CutPrefix(key, name+"{")
		if ok && !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(rest, l) }) {
			total += value
		}
	}
	return total
}

var calledApp = regexp.MustCompile(`^dapr_runtime_service_invocation_req_sent_total\{.*dst_app_id="([^"]*)"`)

// planOf turns what sidecars counted during a number of orders into calls per order.
func planOf(counted map[string]counters, orders int) plan.Plan {
	p := plan.Plan{}
	for id, c := range counted {
		perOrder := func(name string, labels ...string) float64 { return c.sum(name, labels...) / float64(orders) }
		state := func(operation string) float64 {
			return perOrder("dapr_component_state_count", `operation="`+operation+`"`)
		}
		bytes := func(direction, method string) int {
			name := "dapr_grpc_io_server_" + direction + "_bytes_per_rpc"
			return int(c.sum(name+"_sum", "/"+method+`"`) / max(1, c.sum(name+"_count", "/"+method+`"`)))
		}
		const bulkKey = 42 // bytes of one key in a bulk read by the bare apps
		a := plan.App{
			Get: state("get"), Set: state("set"), Delete: state("delete"), BulkGet: state("bulk_get"),
			Published: perOrder("dapr_component_pubsub_egress_count") + perOrder("dapr_component_pubsub_egress_bulk_count"),
			Delivered: perOrder("dapr_component_pubsub_ingress_count"),
			Mails:     perOrder("dapr_component_output_binding_count"), Invoked: map[string]float64{},
			Document: bytes("received", "SaveState"), Event: bytes("received", "PublishEvent"), Mail: bytes("received", "InvokeBinding"),
			BulkKeys: bytes("received", "GetBulkState") / bulkKey,
		}
		for key, value := range c {
			if m := calledApp.FindStringSubmatch(key); m != nil && value > 0 {
				a.Invoked[m[1]] += value / float64(orders)
			}
		}
		a.Triggers = a.Delivered
		switch id {
		case "gateway", "orders":
			a.Triggers++ // the customer's request
		case "users":
			a.Triggers = perOrder("dapr_runtime_service_invocation_req_recv_total")
		}
		p[id] = a
	}
	return p
}

package notifications_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"sidecart.dev/kit/sidecar/daprclient"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/bindings"
)

// These tests send through a real sidecar, the one that $DAPRD names: `sidecart daprd` of the
// launcher prints the path of one.

// mailServer is an SMTP server that keeps what it gets and takes its time.
type mailServer struct {
	port  string
	delay time.Duration

	mu    sync.Mutex
	mails []caught
	down  bool
}

type caught struct {
	recipients []string
	data       string
}

func startMailServer(t *testing.T) *mailServer {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	m := &mailServer{port: port}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m
}

func (m *mailServer) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

func (m *mailServer) isDown() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.down
}

func (m *mailServer) caught() []caught {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]caught(nil), m.mails...)
}

func (m *mailServer) serve(conn net.Conn) {
	defer conn.Close()
	say := func(s string) { fmt.Fprint(conn, s+"\r\n") }
	if m.isDown() {
		say("421 closed for a while")
		return
	}
	say("220 test")
	var mail caught
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		line := lines.Text()
		switch strings.ToUpper(line[:min(4, len(line))]) {
		case "RCPT":
			mail.recipients = append(mail.recipients, strings.Trim(line[8:], "<>"))
			say("250 ok")
		case "DATA":
			say("354 go on")
			for lines.Scan() && lines.Text() != "." {
				mail.data += lines.Text() + "\n"
			}
			time.Sleep(m.delay) // the provider's own pace, not a wait for something
			m.mu.Lock()
			m.mails = append(m.mails, mail)
			m.mu.Unlock()
			mail = caught{}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// startSidecar runs a sidecar with the binding "email" of that type, which sends to the server.
func startSidecar(t *testing.T, bindingType string, m *mailServer) *daprclient.Client {
	t.Helper()
	daprd := os.Getenv("DAPRD")
	if daprd == "" {
		t.Skip("DAPRD is not set")
	}
	dir := t.TempDir()
	component := fmt.Sprintf(`apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: email}
spec:
  type: %s
  version: v1
  metadata:
    - {name: host, value: "127.0.0.1"}
    - {name: port, value: "%s"}
    - {name: emailFrom, value: "shop@sidecart.local"}
    - {name: maxConnections, value: "16"}
`, bindingType, m.port)
	if err := os.WriteFile(filepath.Join(dir, "email.yaml"), []byte(component), 0o600); err != nil {
		t.Fatal(err)
	}
	grpc, http := freePort(t), freePort(t)
	cmd := exec.CommandContext(t.Context(), daprd, "--app-id", "notifications", "--resources-path", dir, //nolint:gosec // the tester's own program
		"--dapr-grpc-port", grpc, "--dapr-http-port", http, "--dapr-internal-grpc-port", freePort(t),
		"--metrics-port", freePort(t),
		"--dapr-listen-addresses", "127.0.0.1", "--dapr-internal-grpc-listen-address", "127.0.0.1", "--enable-metrics=false", "--log-level", "error")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), "DAPR_HOST_IP=127.0.0.1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := daprclient.Dial(daprclient.Ports(grpc, http, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); c.Ready(t.Context()) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Skipf("the sidecar does not start with %s: %s", bindingType, out.String())
		}
	}
	return c
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// mailTo tells n customers of an event each, and returns how many mails a second that made.
func mailTo(t *testing.T, w *world, p *process, n int) float64 {
	t.Helper()
	began := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		id := fmt.Sprintf("usr_customer%d", i)
		contact := contactOf(id)
		contact.Name = "Customer " + contact.Email
		w.mu.Lock()
		w.contacts[id] = contact
		w.mu.Unlock()
		e := example(t, "user.password_changed.v1", 1)
		e.ID, e.Data = fmt.Sprintf("%s:1:%s", id, e.Type), fmt.Appendf(nil, `{"user_id":%q}`, id)
		wg.Go(func() {
			if err := p.Accept(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.until("every mail has come and is recorded", func() bool {
		p.settle()
		return w.unfinished() == 0
	})
	return float64(n) / time.Since(began).Seconds()
}

// checkMails checks that each of n customers got one mail, and that nobody got another's.
func checkMails(t *testing.T, mails []caught, n int) {
	t.Helper()
	addressed := regexp.MustCompile(`Customer(?: |=20)?\s*(customer\d+@example\.org)`)
	times := map[string]int{}
	for _, mail := range mails {
		body := strings.ReplaceAll(mail.data, "=\n", "") // quoted-printable's soft breaks
		found := addressed.FindStringSubmatch(body)
		if len(mail.recipients) != 1 || found == nil || found[1] != mail.recipients[0] {
			t.Fatalf("a mail for %v went to %v", found, mail.recipients)
		}
		if strings.Contains(mail.data, "\nCc:") || !strings.Contains(mail.data, "\nTo: ") && !strings.HasPrefix(mail.data, "To: ") {
			t.Fatalf("a mail with a copy, or without a recipient:\n%s", mail.data[:400])
		}
		times[mail.recipients[0]]++
	}
	if len(times) != n || len(mails) != n {
		t.Errorf("%d mails to %d customers, want one to each of %d", len(mails), len(times), n)
	}
}

// components are the bindings that mails are sent through, and what concurrency each is safe with.
var components = map[string]int{"bindings.smtp": 1, "bindings.sidecart.smtp": 16}

func throughSidecar(t *testing.T, bindingType string, m *mailServer) (*world, *process) {
	t.Helper()
	c := startSidecar(t, bindingType, m)
	w := newWorld(t)
	p := w.start(func(p *process, cfg *notifications.Config) {
		cfg.Concurrency = map[notifications.Channel]int{notifications.Email: components[bindingType]}
		p.email = bindings.NewEmailSender(c, "email")
	})
	return w, p
}

func TestNobodySeesAnothersMailThroughARealSidecar(t *testing.T) {
	for bindingType := range components {
		t.Run(bindingType, func(t *testing.T) {
			m := startMailServer(t)
			w, p := throughSidecar(t, bindingType, m)
			mailTo(t, w, p, 200)
			checkMails(t, m.caught(), 200)
		})
	}
}

func TestAMailServerThatIsDownForAWhileLosesNothing(t *testing.T) {
	for bindingType := range components {
		t.Run(bindingType, func(t *testing.T) {
			m := startMailServer(t)
			m.setDown(true)
			w, p := throughSidecar(t, bindingType, m)
			go func() {
				for len(p.proc.Calls()) < 330 && t.Context().Err() == nil { // every event is accepted, and some mails were tried
					time.Sleep(time.Millisecond)
				}
				m.setDown(false)
			}()
			mailTo(t, w, p, 100)
			checkMails(t, m.caught(), 100)
		})
	}
}

// TestThroughputWithASlowMailServer measures mails a second with a server that takes 50 ms for
// each.
func TestThroughputWithASlowMailServer(t *testing.T) {
	if os.Getenv("MEASURE") == "" {
		t.Skip("MEASURE is not set")
	}
	for bindingType, concurrency := range components {
		for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s/%s", bindingType, delay), func(t *testing.T) {
				m := startMailServer(t)
				m.delay = delay
				w, p := throughSidecar(t, bindingType, m)
				t.Logf("%.0f mails/s with concurrency %d", mailTo(t, w, p, 100*concurrency), concurrency)
				checkMails(t, m.caught(), 100*concurrency)
			})
		}
	}
}

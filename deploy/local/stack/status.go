package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// Status is what a running stack writes down about itself.
type Status struct {
	PID              int    `json:"pid"`
	Ready            bool   `json:"ready"`
	GatewayURL       string `json:"gateway_url,omitempty"`
	InboxURL         string `json:"inbox_url,omitempty"`
	RedisAddr        string `json:"redis_addr,omitempty"`
	OperatorEmail    string `json:"operator_email,omitempty"`
	OperatorPassword string `json:"operator_password,omitempty"`
	// MetricsToken is a bearer token for the apps' /metrics.
	MetricsToken string `json:"metrics_token,omitempty"`
	// ConsoleURL has the token for its buttons.
	ConsoleURL string `json:"console_url,omitempty"`
	Apps       []App  `json:"apps"`
}

// Health says in a word how an app and its sidecar are.
func (a App) Health(ctx context.Context) string {
	if a.PID == 0 || a.SidecarPID == 0 {
		return "down"
	}
	if status, err := get(ctx, a.URL+"/readyz", ""); err != nil || status >= 500 {
		return "app not ready"
	}
	status, err := get(ctx, a.SidecarURL+"/v1.0/healthz", "")
	if err != nil || status >= 300 && status != http.StatusUnauthorized {
		return "sidecar not ready"
	}
	return "ready"
}

// Status tells the stack's state now.
func (s *Stack) Status() Status {
	return Status{
		PID: os.Getpid(), Ready: s.isReady(),
		GatewayURL: s.GatewayURL, InboxURL: s.InboxURL, RedisAddr: s.RedisAddr,
		OperatorEmail: s.OperatorEmail, OperatorPassword: s.OperatorPassword,
		MetricsToken: s.MetricsToken, ConsoleURL: s.ConsoleURL, Apps: s.Apps(),
	}
}

// ReadStatus reads what the stack that uses the state folder wrote down. It is
// nil if none runs.
func ReadStatus(dir string) (*Status, error) {
	if RunningPID(dir) == 0 {
		return nil, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "status.json"))
	if errors.Is(err, os.ErrNotExist) {
		return &Status{PID: pidIn(dir)}, nil
	}
	if err != nil {
		return nil, err
	}
	var status Status
	if err := json.Unmarshal(text, &status); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return &status, nil
}

func (s *Stack) statusPath() string { return filepath.Join(s.StateDir, "status.json") }

func (s *Stack) isReady() bool {
	s.statusMu.Lock()
	defer s.statusMu.Unlock()
	return s.ready
}

// markReady says that all is ready, and from now on keeps the status file.
func (s *Stack) markReady() error {
	s.statusMu.Lock()
	s.ready = true
	s.statusMu.Unlock()
	return s.saveStatus()
}

func (s *Stack) removeStatus() {
	s.statusMu.Lock()
	defer s.statusMu.Unlock()
	s.ready = false
	_ = os.Remove(s.statusPath())
}

// refreshStatus writes it anew after something changed, once it was written.
func (s *Stack) refreshStatus() {
	if s.isReady() {
		_ = s.saveStatus()
	}
}

func (s *Stack) saveStatus() error {
	text, err := json.MarshalIndent(s.Status(), "", "  ")
	if err != nil {
		return err
	}
	s.statusMu.Lock()
	defer s.statusMu.Unlock()
	if !s.ready {
		return nil // ended meanwhile
	}
	fresh := s.statusPath() + ".new"
	if err := os.WriteFile(fresh, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, s.statusPath())
}

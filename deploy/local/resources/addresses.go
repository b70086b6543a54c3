// Package resources copies Dapr resource files for one stack and points them to
// where that stack's Redis, inbox and state folder really are.
package resources

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// The addresses that resource files and app environments are written with.
const (
	DefaultRedis     = "127.0.0.1:6379"
	DefaultSMTP      = "127.0.0.1:1025"
	DefaultInboxHTTP = "127.0.0.1:8025"
	stateFolder      = ".sidecart/"
)

// Addresses says where things really are. StateDir is absolute. Ports maps an
// app's or sidecar's port in the run file to the real one.
type Addresses struct {
	Redis, SMTP, InboxHTTP string
	StateDir               string
	Ports                  map[int]int
}

// Rewrite replaces the default addresses in a value, and a path into the
// default state folder by one into the real one.
func (a Addresses) Rewrite(value string) string {
	value = a.rewriteHosts(value)
	return a.rewritePaths(value)
}

// rewriteHosts looks at each loopback host:port in the value.
func (a Addresses) rewriteHosts(value string) string {
	var out strings.Builder
	for value != "" {
		at, host := nextLoopback(value)
		if at < 0 {
			break
		}
		end := at + len(host) + 1
		digits := end
		for digits < len(value) && value[digits] >= '0' && value[digits] <= '9' {
			digits++
		}
		port, _ := strconv.Atoi(value[end:digits])
		out.WriteString(value[:at])
		if real, ok := a.real(port); ok {
			out.WriteString(real)
		} else {
			out.WriteString(value[at:digits])
		}
		value = value[digits:]
	}
	out.WriteString(value)
	return out.String()
}

func nextLoopback(value string) (at int, host string) {
	at = -1
	for _, candidate := range []string{"127.0.0.1", "localhost"} {
		if i := strings.Index(value, candidate+":"); i >= 0 && (at < 0 || i < at) {
			at, host = i, candidate
		}
	}
	return at, host
}

// real tells the address that a default port stands for, if it has moved.
func (a Addresses) real(port int) (string, bool) {
	for def, addr := range map[string]string{
		DefaultRedis: a.Redis, DefaultSMTP: a.SMTP, DefaultInboxHTTP: a.InboxHTTP,
	} {
		if _, p, _ := net.SplitHostPort(def); p == strconv.Itoa(port) {
			return addr, addr != "" && addr != def
		}
	}
	moved, ok := a.Ports[port]
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(moved)), ok && moved != port
}

func (a Addresses) rewritePaths(value string) string {
	at := strings.Index(value, stateFolder)
	if at < 0 || a.StateDir == "" {
		return value
	}
	start := at
	for start > 0 && (value[start-1] == '.' || value[start-1] == '/') {
		start--
	}
	if value[start] == '/' || start > 0 && !strings.ContainsRune(":= ", rune(value[start-1])) {
		return value // an absolute path, or one that goes through another folder, is meant as it is
	}
	return value[:start] + filepath.ToSlash(a.StateDir) + "/" + value[at+len(stateFolder):]
}

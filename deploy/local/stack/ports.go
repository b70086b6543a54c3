package stack

import (
	"fmt"
	"net"
	"strconv"

	"sidecart.dev/local/freeport"
	"sidecart.dev/local/inbox"
	"sidecart.dev/local/redis"
)

const loopback = "127.0.0.1"

// assignPorts gives a port to each listener that has none (with FreePorts, to
// every one) and checks that the others are free. It returns where the run
// file's ports have moved.
func (s *Stack) assignPorts() (map[int]int, error) {
	moved := map[int]int{}
	if s.opts.BackingOnly {
		return moved, nil
	}
	used := map[int]bool{}
	for i := range s.file.Apps {
		for _, port := range s.file.Apps[i].Ports() {
			if port.Field == "appPort" && len(s.file.Apps[i].Command) == 0 {
				continue // whoever runs the app has chosen, and may listen already
			}
			if *port.Value != 0 && !s.opts.FreePorts {
				if !freeport.Free(*port.Value) {
					return nil, fmt.Errorf(
						"port %d, which is for %s of %s (%s), is taken: stop what listens there, change %s, or use --free-ports",
						*port.Value, port.What, port.App, port.Field, s.opts.File)
				}
				continue
			}
			chosen, err := freeport.Find(used)
			if err != nil {
				return nil, err
			}
			if *port.Value != 0 {
				moved[*port.Value] = chosen
			}
			*port.Value = chosen
		}
	}
	return moved, nil
}

// backingAddrs are the addresses for Redis, SMTP and the inbox's HTTP.
func (s *Stack) backingAddrs() (redisAddr, smtp, http string, err error) {
	if !s.opts.FreePorts {
		return redis.DefaultAddr, inbox.DefaultSMTPAddr, inbox.DefaultHTTPAddr, nil
	}
	used := map[int]bool{}
	for i := range s.file.Apps {
		for _, port := range s.file.Apps[i].Ports() {
			used[*port.Value] = true
		}
	}
	for _, addr := range []*string{&redisAddr, &smtp, &http} {
		port, err := freeport.Find(used)
		if err != nil {
			return "", "", "", err
		}
		*addr = net.JoinHostPort(loopback, strconv.Itoa(port))
	}
	return redisAddr, smtp, http, nil
}

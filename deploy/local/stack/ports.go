package stack

import (
	"fmt"
	"net"
	"strconv"

	"sidecart.dev/local/console"
	"sidecart.dev/local/freeport"
	"sidecart.dev/local/inbox"
	"sidecart.dev/local/plan"
	"sidecart.dev/local/redis"
	"sidecart.dev/local/runfile"
)

const loopback = "127.0.0.1"

// allocate gives a port to each listener that has none (with FreePorts, to every one) and checks
// that those of apps and sidecars are free.
func (o Options) allocate(apps []runfile.App) (plan.Allocation, error) {
	used := map[int]bool{}
	at, err := o.allocateBacking(used)
	if err != nil || o.BackingOnly {
		return at, err
	}
	at.Ports = map[plan.Listener]int{}
	for i := range apps {
		for _, port := range apps[i].Ports() {
			if port.Field == "appPort" && len(apps[i].Command) == 0 {
				continue // whoever runs the app has chosen, and may listen already
			}
			if *port.Value == 0 || o.FreePorts {
				chosen, err := freeport.Find(used)
				if err != nil {
					return at, err
				}
				at.Ports[plan.Listener{App: port.App, Field: port.Field}] = chosen
			} else if !freeport.Free(*port.Value) {
				return at, fmt.Errorf("port %d, which is for %s of %s (%s), is taken: "+
					"stop what listens there, change %s, or use --free-ports",
					*port.Value, port.What, port.App, port.Field, o.File)
			}
		}
	}
	return at, nil
}

// allocateBacking gives the servers beside the apps their addresses. Nobody needs to know where
// spans go but the apps, unless somebody else starts these.
func (o Options) allocateBacking(used map[int]bool) (plan.Allocation, error) {
	at := plan.Allocation{
		Redis: redis.DefaultAddr, SMTP: inbox.DefaultSMTPAddr, Inbox: inbox.DefaultHTTPAddr,
	}
	var free []*string
	if o.FreePorts {
		free = []*string{&at.Redis, &at.SMTP, &at.Inbox}
	}
	if o.Console {
		at.Console, at.OTLP = console.DefaultAddr, console.DefaultOTLPAddr
		if o.FreePorts {
			free = append(free, &at.Console)
		}
		if o.FreePorts || !o.BackingOnly {
			free = append(free, &at.OTLP)
		}
	}
	for _, addr := range free {
		port, err := freeport.Find(used)
		if err != nil {
			return at, err
		}
		*addr = net.JoinHostPort(loopback, strconv.Itoa(port))
	}
	return at, nil
}

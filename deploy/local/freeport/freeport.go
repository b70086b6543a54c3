// Package freeport finds ports on loopback that stay free.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range that Linux gives to outgoing connections, so that none of
// those can take the port of a process that is being restarted, and from below those of this
// repository's run file, which begin at 24000.
const (
	lowest  = 12000
	highest = 24000
)

// Find returns a port on which nothing listens and which is not used, and adds it there. It is safe
// for concurrent use with maps of the callers' own.
func Find(used map[int]bool) (int, error) {
	for range 1000 {
		port := lowest + rand.IntN(highest-lowest)
		if !used[port] && Free(port) {
			used[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", lowest, highest)
}

// Free reports whether nothing listens on the port.
func Free(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	listener.Close()
	return true
}

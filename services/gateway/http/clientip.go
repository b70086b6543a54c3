// Package http is the gateway's HTTP side: it authenticates, limits and forwards the requests of the routing table,
// streams order status, and serves the contract and the browser client.
package http

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientIP returns the address a request comes from. Forwarding headers (RFC 7239 Forwarded, X-Forwarded-For) are believed
// only as far back as an unbroken chain of trusted proxies reaches; a client can write anything in front of that.
func clientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	hops := forwardedFor(r.Header)
	for i := len(hops) - 1; i >= 0 && isTrusted(addr, trusted); i-- {
		hop, err := netip.ParseAddr(hops[i])
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr
}

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// forwardedFor returns the addresses of the forwarding headers, the nearest last.
func forwardedFor(h http.Header) []string {
	var hops []string
	if values := h.Values("Forwarded"); len(values) > 0 {
		for element := range strings.SplitSeq(strings.Join(values, ","), ",") {
			for pair := range strings.SplitSeq(element, ";") {
				key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
				if strings.EqualFold(key, "for") {
					hops = append(hops, nodeAddr(value))
				}
			}
		}
		return hops
	}
	for value := range strings.SplitSeq(strings.Join(h.Values("X-Forwarded-For"), ","), ",") {
		if value = strings.TrimSpace(value); value != "" {
			hops = append(hops, nodeAddr(value))
		}
	}
	return hops
}

// nodeAddr strips quotes, brackets and port from a node of RFC 7239.
func nodeAddr(node string) string {
	node = strings.Trim(strings.TrimSpace(node), `"`)
	if ap, err := netip.ParseAddrPort(node); err == nil {
		return ap.Addr().String()
	}
	return strings.Trim(node, "[]")
}

// limitKey is what a rate is counted by: an IPv4 address, or the /64 network of an IPv6 address, which is one customer's.
func limitKey(addr netip.Addr) string {
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

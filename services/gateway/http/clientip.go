package http

import (
	"net/http"
	"net/netip"
	"strings"

	"sidecart.dev/gateway"
)

// clientIP returns the address a request comes from. The forwarding header, X-Forwarded-For or RFC
// 7239's Forwarded, is believed only as far back as an unbroken chain of trusted proxies reaches; a
// client can write anything in front of that. Only the configured one of the two counts: proxies
// write one and may pass the other on as the client sent it.
func clientIP(r *http.Request, trusted []netip.Prefix, header string) netip.Addr {
	addr := peerAddr(r)
	hops := elements(r.Header, header)
	for i := len(hops) - 1; i >= 0 && isTrusted(addr, trusted); i-- {
		node := hops[i]
		if header == gateway.Forwarded {
			node = param(node, "for")
		}
		hop, err := netip.ParseAddr(nodeAddr(node))
		if err != nil {
			break
		}
		addr = plain(hop)
	}
	return addr
}

// overTLS reports whether the client came by TLS, to this server or to a proxy that is trusted.
func overTLS(r *http.Request, trusted []netip.Prefix, header string) bool {
	if r.TLS != nil {
		return true
	}
	if !isTrusted(peerAddr(r), trusted) {
		return false
	}
	if header != gateway.Forwarded {
		return r.Header.Get("X-Forwarded-Proto") == "https"
	}
	hops := elements(r.Header, header)
	return len(hops) > 0 && param(hops[len(hops)-1], "proto") == "https"
}

// peerAddr returns the address that a request's connection comes from.
func peerAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plain(peer.Addr())
}

// plain returns an address as it is compared: without a zone, and IPv4 as such.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// elements returns the elements of a forwarding header, that of the nearest hop last.
func elements(h http.Header, header string) []string {
	var out []string
	for element := range strings.SplitSeq(strings.Join(h.Values(header), ","), ",") {
		if element = strings.TrimSpace(element); element != "" {
			out = append(out, element)
		}
	}
	return out
}

// param returns a parameter of an element of Forwarded, "" if it has none.
func param(element, name string) string {
	for pair := range strings.SplitSeq(element, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(pair), "="); strings.EqualFold(key, name) {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// nodeAddr strips quotes, brackets and port from a node of RFC 7239.
func nodeAddr(node string) string {
	node = strings.Trim(strings.TrimSpace(node), `"`)
	if ap, err := netip.ParseAddrPort(node); err == nil {
		return ap.Addr().String()
	}
	return strings.Trim(node, "[]")
}

// limitKey is what a rate is counted by: an IPv4 address, or the /64 network of an IPv6 address,
// which is one customer's.
func limitKey(addr netip.Addr) string {
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

type headKey struct{}

// IsHead reports whether the client asked with HEAD, which [Resources] hands on as GET.
func IsHead(r *http.Request) bool { return r.Context().Value(headKey{}) != nil }

// Resources gives every address the semantics that HTTP gives all of them, so that no handler needs
// to know:
//
//   - HEAD is answered wherever GET is, by the same handler: the same status and headers, and no
//     body (RFC 9110, section 9.3.2). The server drops the body.
//   - Addresses that are equal by RFC 3986, section 6.2.2, are the same resource: an escape of a
//     character that needs none is undone, and the others are written in upper case. An escaped
//     slash stays one.
func Resources(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, head := normalPath(r.URL.EscapedPath()), r.Method == http.MethodHead
		if head || path != r.URL.EscapedPath() {
			// A copy, because the server looks at the request's own method when it sends the answer.
			r = r.Clone(r.Context())
			if head {
				r.Method = http.MethodGet
				r = r.WithContext(context.WithValue(r.Context(), headKey{}, true))
			}
			if plain, err := url.PathUnescape(path); err == nil {
				r.URL.Path, r.URL.RawPath = plain, path
			}
		}
		next.ServeHTTP(w, r)
	})
}

// normalPath writes a path's escapes in their normal form.
func normalPath(escaped string) string {
	if !strings.Contains(escaped, "%") {
		return escaped
	}
	var path strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '%' || i+2 >= len(escaped) {
			path.WriteByte(escaped[i])
			continue
		}
		if c := unhex(escaped[i+1])<<4 | unhex(escaped[i+2]); unreserved(c) {
			path.WriteByte(c)
		} else {
			path.WriteString(strings.ToUpper(escaped[i : i+3]))
		}
		i += 2
	}
	return path.String()
}

// unreserved reports whether a character needs no escape anywhere (RFC 3986, section 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// unhex reads a digit that net/url has found to be one.
func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	default:
		return c - '0'
	}
}

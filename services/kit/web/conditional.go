package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"sidecart.dev/kit/fault"
)

// VersionTag is the entity tag of a resource that has a version.
func VersionTag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// ContentTag is the entity tag of a resource without a version: a digest of its JSON.
func ContentTag(v any) string {
	raw, _ := json.Marshal(v) //nolint:errchkjson // plain data
	return BytesTag(raw)
}

// BytesTag is the entity tag of fixed bytes: a digest of them.
func BytesTag(raw []byte) string {
	digest := sha256.Sum256(raw)
	return `"` + hex.EncodeToString(digest[:8]) + `"`
}

// NotModified sets the ETag header. It answers 304 and returns true if one of the tags in
// If-None-Match is the same, compared weakly (RFC 9110, section 13.1.2). It is for GET.
func NotModified(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	if !listed(r.Header.Values("If-None-Match"), tag, true) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// Precondition returns what decides whether a request may change a resource: a function of the
// resource's present entity tag, empty if there is no such resource. The function must be asked
// with what is then replaced, in the same attempt. It fails with the code precondition_failed (412)
// if If-Match names other tags than the present one, compared strongly, or if If-None-Match names
// the present one (RFC 9110, sections 13.1.1 and 13.1.2). Without these headers everything may be
// changed.
func Precondition(r *http.Request) func(tag string) error {
	match, noneMatch := r.Header.Values("If-Match"), r.Header.Values("If-None-Match")
	return func(tag string) error {
		if len(match) > 0 && !listed(match, tag, false) {
			return preconditionFailed("It has changed since it was read, or does not exist; read it again.")
		}
		if len(noneMatch) > 0 && listed(noneMatch, tag, true) {
			return preconditionFailed("It exists already.")
		}
		return nil
	}
}

func preconditionFailed(message string) error {
	return fault.New(fault.Conflict, "precondition_failed", message)
}

// listed reports whether a list of entity tags has the tag, or is * and there is one.
func listed(lists []string, tag string, weakly bool) bool {
	if tag == "" {
		return false
	}
	for _, list := range lists {
		for candidate := range strings.SplitSeq(list, ",") {
			candidate = strings.TrimSpace(candidate)
			if weakly {
				candidate = strings.TrimPrefix(candidate, "W/")
			}
			if candidate == "*" || candidate == tag {
				return true
			}
		}
	}
	return false
}

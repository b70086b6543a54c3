package http

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
)

// versionTag is the entity tag of a versioned resource.
func versionTag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// contentTag is the entity tag of a resource without a version.
func contentTag(v any) string {
	raw, _ := json.Marshal(v) //nolint:errchkjson // plain data
	digest := sha256.Sum256(raw)
	return `"` + hex.EncodeToString(digest[:8]) + `"`
}

// matches implements If-None-Match (RFC 9110, section 13.1.2) with its weak comparison.
func matches(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == "*" || candidate == tag {
			return true
		}
	}
	return false
}

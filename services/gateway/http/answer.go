package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxAnswer bounds what is kept of an answer. Services answer in pages, which are far smaller.
const maxAnswer = 16 << 20

var errCutOff = errors.New("the answer was cut off")

// keepAnswer reads a service's answer to its end into memory, so that one that breaks off can be
// asked for again. It closes the body that it read.
//
// daprd 1.18 passes no length on, and when the service's sidecar is lost in the middle of an
// answer it ends the answer in order, as if it were whole (pkg/api/http/directmessaging.go). JSON
// that is not valid tells of it: no part of an object is one.
func keepAnswer(resp *http.Response) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("%w: %w", errCutOff, err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	if hasBody(resp) && isJSON(resp.Header.Get("Content-Type")) && !json.Valid(body) {
		return fmt.Errorf("%w after %d bytes", errCutOff, len(body))
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// hasBody tells whether a body belongs to the answer.
func hasBody(resp *http.Response) bool {
	return resp.Request.Method != http.MethodHead && resp.StatusCode != http.StatusNoContent &&
		resp.StatusCode != http.StatusNotModified
}

func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

package console

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// unseen prepares a question that the console asks for itself: with the sidecar's token, where
// there is one, and in a trace that nobody records. A sidecar would begin a recorded one, and what
// is looked at would fill with the looking.
func unseen(req *http.Request, token string) {
	if token != "" {
		req.Header.Set("dapr-api-token", token)
	}
	id := strings.ToLower(rand.Text())
	trace, span := hex.EncodeToString([]byte(id[:16])), hex.EncodeToString([]byte(id[16:24]))
	req.Header.Set("traceparent", "00-"+trace+"-"+span+"-00")
}

// fetch reads a JSON answer of a server of this machine; with a question, the answer to that.
func fetch(ctx context.Context, url, token string, question, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	method, body := http.MethodGet, []byte(nil)
	if question != nil {
		var err error
		if body, err = json.Marshal(question); err != nil {
			return err
		}
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	unseen(req, token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 4<<20)).Decode(into)
}

package validate

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// streamChecker checks server-sent events while a client reads them.
type streamChecker struct {
	io.ReadCloser
	schemas map[string]*jsonschema.Schema // by event name
	onError func(error)

	line              []byte // without its end, so far
	event, id, data   string
	hasData, hasEnded bool
}

// Read implements io.Reader.
func (s *streamChecker) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		before, after, whole := bytes.Cut(rest, []byte("\n"))
		s.line = append(s.line, before...)
		if whole {
			s.take(strings.TrimSuffix(string(s.line), "\r"))
			s.line = s.line[:0]
		}
		rest = after
	}
	return n, err
}

func (s *streamChecker) take(line string) {
	if line == "" {
		s.dispatch()
		return
	}
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "": // a comment: the heartbeat
	case "event":
		s.event = value
	case "id":
		s.id = value
	case "data":
		s.data += value
		s.hasData = true
	case "retry":
	default:
		s.onError(fmt.Errorf("event stream: unknown field %q", name))
	}
}

func (s *streamChecker) dispatch() {
	event, id, data, any := s.event, s.id, s.data, s.hasData
	s.event, s.id, s.data, s.hasData = "", "", "", false
	if !any && event == "" {
		return
	}
	if err := s.verify(event, id, data); err != nil {
		s.onError(fmt.Errorf("event stream: event %q: %w", event, err))
	}
	s.hasEnded = event == "end"
}

func (s *streamChecker) verify(event, id, data string) error {
	if s.hasEnded {
		return fmt.Errorf("comes after the event \"end\"")
	}
	schema, ok := s.schemas[event]
	if !ok {
		return fmt.Errorf("not in the contract")
	}
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(data))
	if err != nil {
		return fmt.Errorf("data is not JSON: %w", err)
	}
	if err := schema.Validate(instance); err != nil {
		return err
	}
	version := fmt.Sprint(instance.(map[string]any)["version"])
	if event == "status" && id != version {
		return fmt.Errorf("id is %q, want the version %s", id, version)
	}
	return nil
}

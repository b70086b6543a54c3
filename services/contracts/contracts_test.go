package contracts_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"sidecart.dev/contracts"
	"sidecart.dev/contracts/validate"
)

func TestEventTypesHaveSchemas(t *testing.T) {
	types := contracts.EventTypes()
	if !slices.Contains(types, "order.placed.v1") || slices.Contains(types, "cloudevent") || slices.Contains(types, "types") {
		t.Fatalf("EventTypes() = %v, want events only, order.placed.v1 among them", types)
	}
	if !slices.IsSorted(types) {
		t.Errorf("EventTypes() = %v, want them sorted", types)
	}
	for _, eventType := range types {
		raw, ok := contracts.EventSchema(eventType)
		if !ok || !json.Valid(raw) {
			t.Errorf("EventSchema(%q): no JSON", eventType)
		}
	}
	for _, unknown := range []string{"", "order.placed", "cloudevent", "types", "../openapi.yaml", "x/y"} {
		if _, ok := contracts.EventSchema(unknown); ok {
			t.Errorf("EventSchema(%q) is found, want none", unknown)
		}
	}
}

// TestEventExamplesAreValid puts the example of every event's data into the
// example envelope.
func TestEventExamplesAreValid(t *testing.T) {
	envelope := exampleOf(t, "cloudevent")
	if err := validate.Event(marshal(t, envelope)); err != nil {
		t.Errorf("the envelope's own example: %v", err)
	}
	for _, eventType := range contracts.EventTypes() {
		data := exampleOf(t, eventType)
		aggregate, _, _ := strings.Cut(eventType, ".")
		envelope["type"] = eventType
		envelope["source"] = "/sidecart/" + aggregate + "s"
		envelope["subject"] = data[aggregate+"_id"]
		envelope["data"] = data
		if err := validate.Event(marshal(t, envelope)); err != nil {
			t.Errorf("%s: %v", eventType, err)
		}
	}
}

func TestEventSchemasRequireEveryFieldAndAllowMore(t *testing.T) {
	for _, eventType := range contracts.EventTypes() {
		raw, _ := contracts.EventSchema(eventType)
		var schema struct {
			ID                   string         `json:"$id"`
			Title                string         `json:"title"`
			Required             []string       `json:"required"`
			Properties           map[string]any `json:"properties"`
			AdditionalProperties *any           `json:"additionalProperties"`
		}
		if err := json.Unmarshal(raw, &schema); err != nil {
			t.Fatal(err)
		}
		if schema.ID != contracts.SchemaBase+eventType+".json" || schema.Title != eventType {
			t.Errorf("%s: $id is %s, title is %s", eventType, schema.ID, schema.Title)
		}
		if len(schema.Required) != len(schema.Properties) || schema.AdditionalProperties != nil {
			t.Errorf("%s: want every field required and others allowed", eventType)
		}
	}
}

// TestAsyncAPIAgreesWithTheSchemas checks that every event has one message, on
// the topic of its aggregate, published by its owner and consumed by somebody.
func TestAsyncAPIAgreesWithTheSchemas(t *testing.T) {
	doc := loadYAML(t, contracts.AsyncAPI())
	walk(doc, "#", func(at string, node object) {
		ref, ok := node["$ref"].(string)
		if !ok {
			return
		}
		if file, isFile := strings.CutPrefix(ref, "events/"); isFile {
			if _, err := fs.Stat(contracts.EventSchemas(), file); err != nil {
				t.Errorf("%s: %v", at, err)
			}
		} else if _, err := resolve(doc, ref); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	})
	sent, received := map[string]bool{}, map[string]bool{}
	for name, op := range doc["operations"].(object) {
		channel := deref(t, doc, op.(object)["channel"])
		for _, m := range op.(object)["messages"].([]any) {
			message := deref(t, doc, deref(t, doc, m))
			eventType := message["name"].(string)
			if eventType == "dead-letter" {
				continue
			}
			aggregate, _, _ := strings.Cut(eventType, ".")
			if channel["address"] != aggregate+"s" {
				t.Errorf("%s: %s is on topic %v, want %ss", name, eventType, channel["address"], aggregate)
			}
			if op.(object)["action"] == "send" {
				sent[eventType] = true
			} else {
				received[eventType] = true
			}
		}
	}
	for _, eventType := range contracts.EventTypes() {
		if !sent[eventType] || !received[eventType] {
			t.Errorf("%s: sent %v, received %v; want both", eventType, sent[eventType], received[eventType])
		}
	}
	if len(sent) != len(contracts.EventTypes()) {
		t.Errorf("asyncapi.yaml knows %d events, there are %d schemas", len(sent), len(contracts.EventTypes()))
	}
}

func exampleOf(t *testing.T, name string) object {
	t.Helper()
	raw, err := fs.ReadFile(contracts.EventSchemas(), name+".json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Examples []object `json:"examples"`
	}
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	if len(schema.Examples) == 0 {
		t.Fatalf("%s has no example", name)
	}
	return schema.Examples[0]
}

func loadYAML(t *testing.T, raw []byte) object {
	t.Helper()
	var doc object
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// resolve follows one local reference; the document's pointers need no unescaping.
func resolve(doc object, ref string) (object, error) {
	var node any = doc
	for _, key := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		members, _ := node.(object)
		next, ok := members[key]
		if !ok {
			return nil, fmt.Errorf("$ref %s: there is no %q", ref, key)
		}
		node = next
	}
	found, ok := node.(object)
	if !ok {
		return nil, fmt.Errorf("$ref %s is no object", ref)
	}
	return found, nil
}

func deref(t *testing.T, doc object, node any) object {
	t.Helper()
	n, _ := node.(object)
	ref, ok := n["$ref"].(string)
	if !ok {
		return n
	}
	found, err := resolve(doc, ref)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

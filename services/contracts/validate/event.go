// Package validate checks what programs do against the contracts: events on
// the bus and HTTP exchanges with the public API. It is made for tests; no
// service imports it.
package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sidecart.dev/contracts"
)

// Event checks one published message: the CloudEvents envelope, its data
// against the schema of its type, and that source and subject are those of the
// aggregate the data is about. It returns nil, or an error that names the field
// and what was expected. Safe for concurrent use.
func Event(raw []byte) error {
	schemas, err := eventSchemas()
	if err != nil {
		return err
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("event is not JSON: %w", err)
	}
	if err := schemas["cloudevent"].Validate(instance); err != nil {
		return fmt.Errorf("envelope: %w", err)
	}
	var e struct {
		Type    string         `json:"type"`
		Source  string         `json:"source"`
		Subject string         `json:"subject"`
		Data    map[string]any `json:"data"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("envelope: %w", err)
	}
	schema, ok := schemas[e.Type]
	if !ok {
		return fmt.Errorf("type %q has no schema; known are %s",
			e.Type, strings.Join(contracts.EventTypes(), ", "))
	}
	if err := schema.Validate(instance.(map[string]any)["data"]); err != nil {
		return fmt.Errorf("data of %s: %w", e.Type, err)
	}
	return sameAggregate(e.Type, e.Source, e.Subject, e.Data)
}

// sameAggregate checks that an event says the same about its aggregate
// everywhere: order.placed.v1 comes from /sidecart/orders, about data.order_id.
func sameAggregate(eventType, source, subject string, data map[string]any) error {
	aggregate, _, _ := strings.Cut(eventType, ".")
	if want := "/sidecart/" + aggregate + "s"; source != want {
		return fmt.Errorf("source of %s is %q, want %q", eventType, source, want)
	}
	if want := data[aggregate+"_id"]; subject != want {
		return fmt.Errorf("subject of %s is %q, want data.%s_id, %q", eventType, subject, aggregate, want)
	}
	return nil
}

// eventSchemas compiles the schema of every event type, and "cloudevent".
var eventSchemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	names := append([]string{"cloudevent", "types"}, contracts.EventTypes()...)
	for _, name := range names {
		if err := addSchema(compiler, name); err != nil {
			return nil, err
		}
	}
	schemas := make(map[string]*jsonschema.Schema, len(names))
	var errs []error
	for _, name := range names {
		schema, err := compiler.Compile(contracts.SchemaBase + name + ".json")
		schemas[name] = schema
		errs = append(errs, err)
	}
	delete(schemas, "types")
	return schemas, errors.Join(errs...)
})

func addSchema(compiler *jsonschema.Compiler, name string) error {
	f, err := contracts.EventSchemas().Open(name + ".json")
	if err != nil {
		return err
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return fmt.Errorf("schema %s: %w", name, err)
	}
	return compiler.AddResource(contracts.SchemaBase+name+".json", doc)
}

// Package contracts carries Sidecart's language-neutral contracts: the public
// API (openapi.yaml), the events (asyncapi.yaml) and one JSON Schema per event
// (events/). The files are the source of truth; this package only hands them
// to Go programs, embedded. Everything in it is safe for concurrent use.
package contracts

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
)

// SchemaBase is the URL that every schema's $id begins with: the schema of
// events/x.json is SchemaBase + "x.json".
const SchemaBase = "https://sidecart.dev/contracts/events/"

//go:embed openapi.yaml asyncapi.yaml events/*.json
var files embed.FS

// notEvents are the schemas in events/ that describe no event's data.
var notEvents = []string{"cloudevent", "types"}

// OpenAPI returns the public API's contract, OpenAPI 3.1 in YAML, as served at
// /openapi.yaml. The caller owns the slice.
func OpenAPI() []byte { return mustRead("openapi.yaml") }

// AsyncAPI returns the events' contract, AsyncAPI 3.0 in YAML. The caller owns
// the slice.
func AsyncAPI() []byte { return mustRead("asyncapi.yaml") }

// EventSchema returns the JSON Schema (2020-12) of the data of an event type
// such as "order.placed.v1", and whether there is one. It refers to types.json,
// found beside it in EventSchemas. The caller owns the slice.
func EventSchema(eventType string) ([]byte, bool) {
	if slices.Contains(notEvents, eventType) || strings.Contains(eventType, "/") {
		return nil, false
	}
	raw, err := files.ReadFile("events/" + eventType + ".json")
	return raw, err == nil
}

// EventTypes returns every event type, sorted.
func EventTypes() []string {
	var types []string
	for _, name := range schemaNames() {
		if t := strings.TrimSuffix(name, ".json"); !slices.Contains(notEvents, t) {
			types = append(types, t)
		}
	}
	return types
}

// EventSchemas returns the folder of event schemas: one file per event type,
// the envelope in cloudevent.json and what they share in types.json.
func EventSchemas() fs.FS {
	sub, err := fs.Sub(files, "events")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

func schemaNames() []string {
	entries, err := files.ReadDir("events") // sorted by name
	if err != nil {
		panic(err) // the folder is embedded
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func mustRead(name string) []byte {
	raw, err := files.ReadFile(name)
	if err != nil {
		panic(err) // the file is embedded
	}
	return raw
}

package contracts_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"sidecart.dev/contracts"
)

type object = map[string]any

const openapiURL = "https://sidecart.dev/contracts/openapi.json"

var methods = []string{"get", "put", "post", "delete", "patch"}

func TestOpenAPIDocumentIsValid(t *testing.T) {
	doc, err := libopenapi.NewDocument(contracts.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if _, errs := v.ValidateDocument(); len(errs) > 0 {
		for _, e := range errs {
			t.Errorf("%s: %s", e.Message, e.Reason)
			for _, s := range e.SchemaValidationErrors {
				t.Errorf("  %s: %s", s.FieldPath, s.Reason)
			}
		}
	}
}

func TestOpenAPIRefsResolveAndComponentsAreUsed(t *testing.T) {
	doc := loadYAML(t, contracts.OpenAPI())
	used := map[string]bool{}
	walk(doc, "#", func(at string, node object) {
		ref, ok := node["$ref"].(string)
		if !ok {
			return
		}
		used[ref] = true
		if _, err := resolve(doc, ref); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	})
	// Named for readers and for the validator; no operation can refer to them.
	for _, name := range []string{"schemas/OrderStatusEvent", "schemas/OrderEndEvent", "responses/MethodNotAllowed"} {
		used["#/components/"+name] = true
	}
	for kind, members := range doc["components"].(object) {
		for name := range members.(object) {
			if ref := "#/components/" + kind + "/" + name; kind != "securitySchemes" && !used[ref] {
				t.Errorf("%s is not used", ref)
			}
		}
	}
}

func TestEveryOperationIsDescribed(t *testing.T) {
	doc := loadYAML(t, contracts.OpenAPI())
	tags := map[any]bool{}
	for _, tag := range doc["tags"].([]any) {
		tags[tag.(object)["name"]] = true
	}
	ids := map[any]bool{}
	eachOperation(doc, func(at string, op object) {
		if id := op["operationId"]; id == nil || ids[id] {
			t.Errorf("%s: operationId %v is missing or not unique", at, id)
		}
		ids[op["operationId"]] = true
		if op["summary"] == nil {
			t.Errorf("%s: no summary", at)
		}
		declared, _ := op["tags"].([]any)
		if len(declared) != 1 || !tags[declared[0]] {
			t.Errorf("%s: tags are %v, want one of those declared", at, declared)
		}
		responses := op["responses"].(object)
		if !slices.ContainsFunc(slices.Collect(maps.Keys(responses)), func(c string) bool { return c[0] == '4' }) {
			t.Errorf("%s: no 4xx response", at)
		}
		// Open operations say so: `security: []`. All others need a token, so can answer 401.
		public := op["security"] != nil && len(op["security"].([]any)) == 0
		if !public && (doc["security"] == nil || responses["401"] == nil) {
			t.Errorf("%s: needs a token but has no 401 response", at)
		}
		if strings.Contains(at, "/admin/") && (public || responses["403"] == nil) {
			t.Errorf("%s: an operator's operation, but public or without a 403 response", at)
		}
		if op["requestBody"] != nil && (responses["413"] == nil || responses["415"] == nil) {
			t.Errorf("%s: takes a body but has no 413 or 415 response", at)
		}
	})
}

func TestEveryResponseCarriesItsHeaders(t *testing.T) {
	doc := loadYAML(t, contracts.OpenAPI())
	eachOperation(doc, func(at string, op object) {
		for code, r := range op["responses"].(object) {
			r := deref(t, doc, r)
			want := []string{"X-Request-Id", "traceparent"}
			switch code {
			case "429", "503":
				want = append(want, "Retry-After")
			case "201":
				if op["operationId"] != "login" { // a session has no address of its own
					want = append(want, "Location")
				}
			}
			headers, _ := r["headers"].(object)
			for _, h := range want {
				if headers[h] == nil {
					t.Errorf("%s %s: no header %s", at, code, h)
				}
			}
			content, _ := r["content"].(object)
			if code >= "400" && content["application/problem+json"] == nil {
				t.Errorf("%s %s: an error that is no application/problem+json", at, code)
			}
		}
	})
}

func TestRequestSchemasRefuseUnknownFields(t *testing.T) {
	doc := loadYAML(t, contracts.OpenAPI())
	var strict func(at string, schema object)
	strict = func(at string, schema object) {
		schema = deref(t, doc, schema)
		if schema["type"] == "object" && schema["additionalProperties"] != false {
			t.Errorf("%s: additionalProperties is %v, want false", at, schema["additionalProperties"])
		}
		properties, _ := schema["properties"].(object)
		for name, p := range properties {
			strict(at+"."+name, p.(object))
		}
		if items, ok := schema["items"].(object); ok {
			strict(at+"[]", items)
		}
		parts, _ := schema["allOf"].([]any)
		for _, p := range parts {
			strict(at, p.(object))
		}
	}
	eachOperation(doc, func(at string, op object) {
		if op["requestBody"] == nil {
			return
		}
		for _, media := range op["requestBody"].(object)["content"].(object) {
			strict(at, media.(object)["schema"].(object))
		}
	})
}

// TestExamplesFollowTheirSchemas also says where an example is missing: on
// media types, parameters, headers and named schemas.
func TestExamplesFollowTheirSchemas(t *testing.T) {
	doc := loadYAML(t, contracts.OpenAPI())
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(openapiURL, toJSON(t, doc)); err != nil {
		t.Fatal(err)
	}
	check := func(at, schemaAt string, holder object) {
		schema, err := compiler.Compile(openapiURL + schemaAt)
		if err != nil {
			t.Errorf("%s: %v", at, err)
			return
		}
		values := examplesOf(t, doc, holder)
		if len(values) == 0 {
			t.Errorf("%s: no example", at)
		}
		for _, value := range values {
			if err := schema.Validate(toJSON(t, value)); err != nil {
				t.Errorf("%s: %v", at, err)
			}
		}
	}
	walk(doc, "#", func(at string, node object) {
		_, isSchema := node["schema"].(object)
		if isSchema {
			check(at, at+"/schema", node)
		}
		if parent, name := cut(at); parent == "#/components/schemas" {
			check(name, at, node)
		}
	})
}

func examplesOf(t *testing.T, doc, holder object) []any {
	var values []any
	if v, ok := holder["example"]; ok {
		values = append(values, v)
	}
	if named, ok := holder["examples"].(object); ok {
		for _, e := range named {
			values = append(values, deref(t, doc, e)["value"])
		}
	}
	return values
}

func eachOperation(doc object, visit func(at string, op object)) {
	for path, item := range doc["paths"].(object) {
		for _, method := range methods {
			if op, ok := item.(object)[method].(object); ok {
				visit(strings.ToUpper(method)+" "+path, op)
			}
		}
	}
}

// walk visits every map below node with its JSON pointer.
func walk(node any, at string, visit func(at string, node object)) {
	switch n := node.(type) {
	case object:
		visit(at, n)
		for key, child := range n {
			if key != "example" && key != "value" {
				key = strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
				walk(child, at+"/"+url.PathEscape(key), visit)
			}
		}
	case []any:
		for i, child := range n {
			walk(child, fmt.Sprintf("%s/%d", at, i), visit)
		}
	}
}

func cut(pointer string) (parent, name string) {
	i := strings.LastIndexByte(pointer, '/')
	if i < 0 {
		return "", pointer
	}
	return pointer[:i], pointer[i+1:]
}

func toJSON(t *testing.T, value any) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(marshal(t, value)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	verrors "github.com/pb33f/libopenapi-validator/errors"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"sidecart.dev/contracts"
)

// ExpectInvalid is the header by which a test says that its request breaks the
// contract on purpose: with the value "true" the request is not checked, its
// answer is. The header itself is not sent.
const ExpectInvalid = "X-Expect-Invalid"

// maxBody bounds what of an answer is read for validation, in bytes.
const maxBody = 8 << 20

// openEnded are the parts of answers whose names the contract does not fix:
// further headers, and the headers and payload of a dead letter.
var openEnded = []string{
	"$.headers.**",
	"$.body.headers.**", "$.body.payload", "$.body.payload.**",
	"$.body.items[*].headers.**", "$.body.items[*].payload", "$.body.items[*].payload.**",
}

// HTTP checks HTTP exchanges against the public API's contract. It is safe for
// concurrent use.
type HTTP struct {
	requests  validator.Validator
	responses validator.Validator
	problem   *jsonschema.Schema
	events    map[string]*jsonschema.Schema // by name of the server-sent event
}

// NewHTTP builds the validator from the embedded OpenAPI document. It takes
// a few hundred milliseconds: build one and share it.
func NewHTTP() (*HTTP, error) {
	doc, err := libopenapi.NewDocument(contracts.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	// A request without a token is a valid request whose answer is 401.
	requests, errs := validator.NewValidator(doc, config.WithFormatAssertions(),
		config.WithoutSecurityValidation())
	if len(errs) > 0 {
		return nil, fmt.Errorf("openapi.yaml: %w", errors.Join(errs...))
	}
	// Clients ignore fields they do not know, but here one that is not in the
	// contract is a mistake, perhaps a leak.
	responses, errs := validator.NewValidator(doc,
		config.WithFormatAssertions(), config.WithStrictMode(),
		config.WithStrictIgnorePaths(openEnded...))
	if len(errs) > 0 {
		return nil, fmt.Errorf("openapi.yaml: %w", errors.Join(errs...))
	}
	h := &HTTP{requests: requests, responses: responses, events: map[string]*jsonschema.Schema{}}
	compile := componentCompiler(contracts.OpenAPI())
	if h.problem, err = compile("Problem"); err != nil {
		return nil, err
	}
	for event, name := range map[string]string{"status": "OrderStatusEvent", "end": "OrderEndEvent"} {
		if h.events[event], err = compile(name); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// componentCompiler compiles schemas of the document's components by name.
func componentCompiler(openapi []byte) func(name string) (*jsonschema.Schema, error) {
	const url = "https://sidecart.dev/contracts/openapi.json"
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	doc, err := yamlToJSON(openapi)
	if err == nil {
		err = compiler.AddResource(url, doc)
	}
	return func(name string) (*jsonschema.Schema, error) {
		if err != nil {
			return nil, err
		}
		return compiler.Compile(url + "#/components/schemas/" + name)
	}
}

func yamlToJSON(raw []byte) (any, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	asJSON, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
}

// Request checks one request; its body is given apart, since reading it would
// take it from the request. A nil error means that it follows the contract.
func (h *HTTP) Request(req *http.Request, body []byte) error {
	probe := req.Clone(req.Context())
	probe.Body = io.NopCloser(bytes.NewReader(body))
	probe.ContentLength = int64(len(body))
	_, errs := h.requests.ValidateHttpRequestSync(probe)
	return report("request", req, errs)
}

// Response checks the answer to a request of the contract's: status, headers
// and body, the latter given apart. The body of an event stream is not looked
// at. A nil error means that it follows the contract.
func (h *HTTP) Response(req *http.Request, res *http.Response, body []byte) error {
	probe := *res
	probe.Body = io.NopCloser(bytes.NewReader(body))
	probe.ContentLength = int64(len(body))
	_, errs := h.responses.ValidateHttpResponse(req, &probe)
	return report(fmt.Sprintf("answer %d to", res.StatusCode), req, errs)
}

// Problem checks the answer to a request that no operation of the contract
// matches (an unknown path, another method): it must be a well-formed problem.
func (h *HTTP) Problem(req *http.Request, res *http.Response, body []byte) error {
	where := fmt.Sprintf("answer %d to %s %s", res.StatusCode, req.Method, req.URL.Path)
	if res.StatusCode < 400 {
		return fmt.Errorf("%s: not in the contract, want an error", where)
	}
	if got := mediaType(res); got != "application/problem+json" {
		return fmt.Errorf("%s: Content-Type is %q, want application/problem+json", where, got)
	}
	if req.Method == http.MethodHead {
		return nil
	}
	problem, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = h.problem.Validate(problem)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return nil
}

// declares tells whether an operation of the contract matches the request.
func (h *HTTP) declares(req *http.Request) bool {
	probe := req.Clone(req.Context())
	probe.Body = http.NoBody
	_, errs := h.requests.ValidateHttpRequestSync(probe)
	for _, e := range errs {
		if e.IsPathMissingError() || e.IsOperationMissingError() {
			return false
		}
	}
	return true
}

func report(what string, req *http.Request, errs []*verrors.ValidationError) error {
	if len(errs) == 0 {
		return nil
	}
	var lines []string
	for _, e := range errs {
		line := e.Message + ": " + e.Reason
		for _, s := range e.SchemaValidationErrors {
			line += fmt.Sprintf("; at %s: %s", s.FieldPath, s.Reason)
		}
		lines = append(lines, line)
	}
	return fmt.Errorf("%s %s %s breaks the contract: %s",
		what, req.Method, req.URL.Path, strings.Join(lines, "; "))
}

func mediaType(res *http.Response) string {
	t, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

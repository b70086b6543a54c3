// Package otlp receives spans in the OpenTelemetry protocol, by gRPC and by HTTP.
package otlp

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // exporters may compress
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"sidecart.dev/local/console/traces"
)

// MaxBytes bounds one request, before and after decompression.
const MaxBytes = 8 << 20

// Receiver hands every span it gets to a store. It is safe for concurrent use.
type Receiver struct {
	collector.UnimplementedTraceServiceServer
	store *traces.Store
}

// New makes a receiver for the store.
func New(store *traces.Store) *Receiver { return &Receiver{store: store} }

// GRPC makes a server on which the receiver answers; the caller serves and stops it.
func (r *Receiver) GRPC() *grpc.Server {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(MaxBytes))
	collector.RegisterTraceServiceServer(server, r)
	return server
}

// Export implements the trace service. Spans that are not valid are counted in the answer, and the
// others kept.
func (r *Receiver) Export(
	_ context.Context, req *collector.ExportTraceServiceRequest,
) (*collector.ExportTraceServiceResponse, error) {
	spans, rejected := decode(req)
	r.store.Add(spans...)
	answer := &collector.ExportTraceServiceResponse{}
	if rejected > 0 {
		answer.PartialSuccess = &collector.ExportTracePartialSuccess{
			RejectedSpans: int64(rejected),
			ErrorMessage:  "A span needs a trace id of 16 bytes and a span id of 8.",
		}
	}
	return answer, nil
}

// ServeHTTP takes POST /v1/traces in protobuf and JSON, as the protocol describes.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if kind != "application/x-protobuf" && kind != "application/json" {
		const detail = "send application/x-protobuf or application/json"
		http.Error(w, detail, http.StatusUnsupportedMediaType)
		return
	}
	body, err := read(w, req)
	if err != nil {
		code := http.StatusBadRequest
		tooLarge := (*http.MaxBytesError)(nil)
		if errors.As(err, &tooLarge) || errors.Is(err, errTooLarge) {
			code = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), code)
		return
	}
	var message collector.ExportTraceServiceRequest
	if kind == "application/json" {
		err = unmarshalJSON(body, &message)
	} else {
		err = proto.Unmarshal(body, &message)
	}
	if err != nil {
		http.Error(w, "this is no ExportTraceServiceRequest: "+err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := r.Export(req.Context(), &message)
	if err != nil {
		http.Error(w, status.Convert(err).Message(), http.StatusInternalServerError)
		return
	}
	reply(w, kind, answer)
}

func reply(w http.ResponseWriter, kind string, answer proto.Message) {
	encode := proto.Marshal
	if kind == "application/json" {
		encode = protojson.Marshal
	}
	body, err := encode(answer)
	if err != nil {
		http.Error(w, codes.Internal.String(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(body)
}

var errTooLarge = errors.New("the request is too large")

func read(w http.ResponseWriter, req *http.Request) ([]byte, error) {
	var from io.Reader = http.MaxBytesReader(w, req.Body, MaxBytes)
	switch req.Header.Get("Content-Encoding") {
	case "":
	case "gzip":
		unzip, err := gzip.NewReader(from)
		if err != nil {
			return nil, err
		}
		from = unzip
	default:
		return nil, errors.New("the only content encoding here is gzip")
	}
	body, err := io.ReadAll(io.LimitReader(from, MaxBytes+1))
	if err == nil && len(body) > MaxBytes {
		err = errTooLarge
	}
	return body, err
}

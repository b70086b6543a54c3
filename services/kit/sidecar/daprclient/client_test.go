package daprclient_test

import (
	"bytes"
	"net"
	"path"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/daprclient"
)

// TestValuesAreWrittenAsBytes guards what a sidecar must not be told: that it may parse a value.
// See what the state contract checks under "an update replaces the whole value"; most stores would
// not show it.
func TestValuesAreWrittenAsBytes(t *testing.T) {
	requests := make(chan string, 1)
	client := dial(t, func(_ string, request []byte) []byte {
		requests <- string(request)
		return nil // an empty message
	})
	state, value := client.State("store"), `{"b": 12345678901234567890, "a": "$value"}`
	for _, write := range []func() error{
		func() error { return state.Insert(t.Context(), "key", []byte(value)) },
		func() error {
			return state.Insert(t.Context(), "key", []byte(value), sidecar.WithTTL(time.Minute))
		},
		func() error { return state.Update(t.Context(), "key", []byte(value), "etag") },
	} {
		require.NoError(t, write())
		request := <-requests
		assert.Contains(t, request, value)
		assert.NotContains(t, request, "contentType")
	}
}

// TestTheExpiryThatAStoreTellsIsRead from a read of one key and from one of several.
func TestTheExpiryThatAStoreTellsIsRead(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	expiry := message(field(1, "ttlExpireTime"), field(2, at.Format(time.RFC3339)))
	client := dial(t, func(method string, _ []byte) []byte {
		if path.Base(method) == "GetState" { // data, etag, metadata
			return message(field(1, "{}"), field(2, "7"), field(3, string(expiry)))
		}
		return message( // key, data, metadata
			field(1, string(message(field(1, "fence"), field(2, "{}"), field(5, string(expiry))))),
			field(1, string(message(field(1, "lasting"), field(2, "{}")))),
		)
	})
	state := client.State("store")
	item, err := state.Get(t.Context(), "fence")
	require.NoError(t, err)
	assert.Equal(t, sidecar.Item{Key: "fence", Value: []byte("{}"), ETag: "7", Expires: at}, item)
	items, err := state.BulkGet(t.Context(), []string{"fence", "lasting"})
	require.NoError(t, err)
	assert.Equal(t, at, items["fence"].Expires)
	assert.Zero(t, items["lasting"].Expires, "it never expires")
}

// TestAKeyIsAbsentOnlyIfItIsAskedForByItself plays a store that loses its connection in the middle
// of a read of several keys, as PostgreSQL's and SQLite's do without a word.
func TestAKeyIsAbsentOnlyIfItIsAskedForByItself(t *testing.T) {
	client := dial(t, func(method string, request []byte) []byte {
		if path.Base(method) == "GetBulkState" {
			return message(
				field(1, string(message(field(1, "read"), field(2, "{}")))),
				field(1, string(field(1, "lost"))),
				field(1, string(field(1, "absent"))))
		}
		if !bytes.Contains(request, []byte("lost")) {
			return nil // neither data nor ETag
		}
		return message(field(1, `{"n":1}`), field(2, "7"))
	})
	state := client.State("store")
	items, err := state.BulkGet(t.Context(), []string{"read", "lost", "absent"})
	require.NoError(t, err)
	assert.Len(t, items, 2)
	assert.Equal(t, sidecar.Item{Key: "lost", Value: []byte(`{"n":1}`), ETag: "7"}, items["lost"])
}

// TestTheSidecarTellsWhoseItIs for those who go by what its state keys begin with.
func TestTheSidecarTellsWhoseItIs(t *testing.T) {
	client := dial(t, func(string, []byte) []byte { return field(1, "orders") })
	id, err := client.AppID(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "orders", id)
}

// dial returns a client of a sidecar that gives the answers to a method's requests, both as on the
// wire.
func dial(t *testing.T, answer func(method string, request []byte) []byte) *daprclient.Client {
	t.Helper()
	handle := func(_ any, s grpc.ServerStream) error {
		var request []byte
		if err := s.RecvMsg(&request); err != nil {
			return err
		}
		method, _ := grpc.MethodFromServerStream(s)
		return s.SendMsg(answer(method, request))
	}
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(handle))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	client, err := daprclient.Dial(daprclient.Config{GRPCAddr: listener.Addr().String()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// message is fields in Protocol Buffers' encoding.
func message(fields ...[]byte) []byte { return bytes.Join(fields, nil) }

// field is a string, bytes or a message of up to 127 bytes.
func field(number byte, value string) []byte {
	return append([]byte{number<<3 | 2, byte(len(value))}, value...)
}

// raw leaves messages as they are on the wire.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

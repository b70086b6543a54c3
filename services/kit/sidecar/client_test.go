package sidecar_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"sidecart.dev/kit/sidecar"
)

// TestValuesAreWrittenAsBytes guards what a sidecar must not be told: that it may parse a value. See what the state contract
// checks under "an update replaces the whole value"; most stores would not show it.
func TestValuesAreWrittenAsBytes(t *testing.T) {
	requests := make(chan string, 1)
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		var request []byte
		if err := s.RecvMsg(&request); err != nil {
			return err
		}
		requests <- string(request)
		return s.SendMsg([]byte(nil)) // an empty message
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	client, err := sidecar.Dial(sidecar.Config{GRPCAddr: listener.Addr().String()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })

	state, value := client.State("store"), `{"b": 12345678901234567890, "a": "$value"}`
	for _, write := range []func() error{
		func() error { return state.Insert(t.Context(), "key", []byte(value)) },
		func() error { return state.Insert(t.Context(), "key", []byte(value), sidecar.WithTTL(time.Minute)) },
		func() error { return state.Update(t.Context(), "key", []byte(value), "etag") },
	} {
		require.NoError(t, write())
		request := <-requests
		assert.Contains(t, request, value)
		assert.NotContains(t, request, "contentType")
	}
}

// raw leaves messages as they are on the wire.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

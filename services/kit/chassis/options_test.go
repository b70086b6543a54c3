package chassis_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/web"
)

// OPTIONS * asks about the server and not about an address. net/http would answer it by itself.
func TestAQuestionAboutTheServerIsAnsweredLikeAnyOther(t *testing.T) {
	service, err := chassis.New(t.Context(), "test", chassis.Config{
		Port: 1, DaprHTTPPort: "1", DaprGRPCPort: "1", LogLevel: "error", LogFormat: "text",
		DrainTimeout: time.Second, Timeout: time.Second,
	})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Serve(ctx, web.Refusals(listener)) }()

	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusNotFound, resp.StatusCode)
	assert.NotEmpty(t, resp.Header.Get(web.RequestIDHeader))
	assert.Equal(t, web.ProblemType, resp.Header.Get("Content-Type"))

	stop()
	<-ended
}

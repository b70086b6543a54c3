package redis_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"sidecart.dev/local/redis"
)

// freeAddr is an address that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// send sends one inline command and returns the first line of the answer.
func send(t *testing.T, addr string, words ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(word), word)
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(answer)
}

func TestAServerOfOurOwnKeepsItsDataOverAStop(t *testing.T) {
	for _, inProcess := range []bool{true, false} {
		t.Run(fmt.Sprintf("in process %v", inProcess), func(t *testing.T) {
			if _, err := exec.LookPath("redis-server"); err != nil && !inProcess {
				t.Skip("there is no redis-server on PATH")
			}
			ctx := t.Context()
			server, err := redis.Open(ctx, redis.Config{Addr: freeAddr(t), Dir: t.TempDir(), Own: true, InProcess: inProcess})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Stop(ctx)
			if got := send(t, server.Addr(), "SET", "k", "v"); got != "+OK" {
				t.Fatalf("SET answers %q", got)
			}
			for range 2 { // stopping twice is no error
				if err := server.Stop(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if redis.Ping(ctx, server.Addr()) == nil {
				t.Error("a stopped server answers")
			}
			if err := server.Start(ctx); err != nil {
				t.Fatal(err)
			}
			if got := send(t, server.Addr(), "EXISTS", "k"); got != ":1" {
				t.Errorf("EXISTS answers %q after a stop and a start, want :1", got)
			}
			if err := redis.Flush(ctx, server.Addr()); err != nil {
				t.Fatal(err)
			}
			if got := send(t, server.Addr(), "EXISTS", "k"); got != ":0" {
				t.Errorf("EXISTS answers %q after a flush, want :0", got)
			}
		})
	}
}

func TestAServerThatListensIsUsedAndLeftAlone(t *testing.T) {
	ctx := t.Context()
	first, err := redis.Open(ctx, redis.Config{Addr: freeAddr(t), Own: true, InProcess: true})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Stop(ctx)
	second, err := redis.Open(ctx, redis.Config{Addr: first.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := redis.Ping(ctx, first.Addr()); err != nil {
		t.Errorf("a server that was there before is stopped: %v", err)
	}
}

func TestAPortTakenBySomethingElseIsSaid(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			conn.Close()
		}
	}()
	_, err = redis.Open(t.Context(), redis.Config{Addr: listener.Addr().String(), Dir: os.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "not a Redis") {
		t.Errorf("the error is %v, want that it is not a Redis", err)
	}
}

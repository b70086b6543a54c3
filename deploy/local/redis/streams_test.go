package redis_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sidecart.dev/local/redis"
)

// A consumer waits in a blocking read, as a sidecar's subscription does. It must get what is
// published after the server was stopped and started, and must be told when its group is gone
// because the server was emptied.
func TestABlockedReaderOutlivesStopsAndFlushes(t *testing.T) {
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
			client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
			defer client.Close()
			if err := client.XGroupCreateMkStream(ctx, "s", "g", "0").Err(); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(server.Stop(ctx), server.Start(ctx)); err != nil {
				t.Fatal(err)
			}
			got := read(client)
			if err := client.XAdd(ctx, &goredis.XAddArgs{Stream: "s", Values: map[string]any{"data": "x"}}).Err(); err != nil {
				t.Fatal(err)
			}
			if err := <-got; err != nil {
				t.Errorf("after a stop and a start the reader got %v, want the message", err)
			}
			got = read(client)
			if err := redis.Flush(ctx, server.Addr()); err != nil {
				t.Fatal(err)
			}
			if err := <-got; err == nil {
				t.Error("after a flush the reader got a message, want none")
			}
			if err := <-read(client); err == nil || !strings.Contains(err.Error(), "NOGROUP") {
				t.Errorf("the read after that got %v, want NOGROUP", err)
			}
		})
	}
}

// read waits for one message, for two seconds.
func read(client *goredis.Client) <-chan error {
	done := make(chan error, 1)
	go func() {
		streams, err := client.XReadGroup(context.Background(), &goredis.XReadGroupArgs{
			Group: "g", Consumer: "c", Streams: []string{"s", ">"}, Count: 1, Block: 2 * time.Second,
		}).Result()
		if err == nil && len(streams) != 1 {
			err = fmt.Errorf("%d streams", len(streams))
		}
		done <- err
	}()
	return done
}

package journal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"sidecart.dev/kit/sidecar/sidecartest"
)

// BenchmarkBegin measures Begins of 64 concurrent handlers on a store whose calls take 1 ms, with
// group commit and without it, there with one writer and with as many as a replica could sensibly
// have.
func BenchmarkBegin(b *testing.B) {
	for _, c := range []struct {
		name           string
		batch, writers int
	}{{"group commit", 256, 1}, {"one by one", 1, 1}, {"one by one, 8 writers", 1, 8}} {
		b.Run(c.name, func(b *testing.B) {
			state := sidecartest.NewState()
			state.Before = func(context.Context, sidecartest.Op, string) error {
				time.Sleep(time.Millisecond)
				return nil
			}
			j, err := New(Config{
				Name: "bench", State: state, maxBatch: c.batch, writers: c.writers,
				Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = j.Run(ctx, SettlerFunc(nobody))
			}()
			for j.Stats().Lanes < c.writers {
				time.Sleep(time.Millisecond)
			}
			before := state.Calls(sidecartest.OpInsert)
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					ticket, err := j.Begin(ctx, fmt.Sprint(i))
					if err != nil {
						b.Error(err)
						return
					}
					ticket.Finish()
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "begins/s")
			b.ReportMetric(float64(b.N)/float64(state.Calls(sidecartest.OpInsert)-before), "ids/append")
			cancel()
			<-ended
		})
	}
}

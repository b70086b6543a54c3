package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"sidecart.dev/local/inbox"
	"sidecart.dev/local/redis"
)

// startBacking starts the Redis and the inbox of the plan, unless they listen already.
func (s *Stack) startBacking(ctx context.Context) error {
	if s.plan.Redis != "" {
		if err := s.startRedis(ctx, s.plan.Redis); err != nil {
			return err
		}
	}
	if s.plan.Inbox != "" {
		return s.startInbox(ctx, s.plan.SMTP, s.plan.Inbox)
	}
	return nil
}

func (s *Stack) startRedis(ctx context.Context, addr string) error {
	step := s.opts.Terminal.Step("Redis on %s", addr)
	log, err := openLog(s.LogsDir, "redis")
	if err != nil {
		step.Fail()
		return err
	}
	s.redis, err = redis.Open(ctx, redis.Config{
		Addr: addr, Dir: filepath.Join(s.StateDir, "redis"),
		Own: s.opts.FreePorts, InProcess: s.opts.InProcessRedis,
		Output: func(line string) { log.writeLine([]byte(line)) },
		Notice: s.opts.Terminal.Notice,
	})
	if err != nil {
		step.Fail()
		return fmt.Errorf("no Redis: %w", err)
	}
	s.RedisAddr = addr
	step.Done(s.redis.Kind())
	return nil
}

// StopRedis ends the stack's Redis; one that was there before is left alone.
func (s *Stack) StopRedis(ctx context.Context) error { return s.withRedis(ctx, redis.Server.Stop) }

// StartRedis starts it again, with what it had written down.
func (s *Stack) StartRedis(ctx context.Context) error {
	return s.withRedis(ctx, redis.Server.Start)
}

// FlushRedis removes everything from it.
func (s *Stack) FlushRedis(ctx context.Context) error {
	flush := func(r redis.Server, ctx context.Context) error { return redis.Flush(ctx, r.Addr()) }
	return s.withRedis(ctx, flush)
}

func (s *Stack) withRedis(ctx context.Context, do func(redis.Server, context.Context) error) error {
	if s.redis == nil {
		return errors.New("this stack has no Redis")
	}
	return do(s.redis, ctx)
}

// inboxServer is the inbox of this stack, in this process.
type inboxServer struct {
	cancel context.CancelFunc
	done   chan error
}

func (s *Stack) startInbox(ctx context.Context, smtp, web string) error {
	step := s.opts.Terminal.Step("inbox on http://%s", web)
	s.SMTPAddr, s.InboxURL = smtp, "http://"+web
	if !s.opts.FreePorts && answersHTTP(ctx, s.InboxURL) {
		step.Done("the one that listens already")
		return nil
	}
	log, err := openLog(s.LogsDir, "inbox")
	if err != nil {
		step.Fail()
		return err
	}
	server := inbox.New(inbox.Config{
		HTTPAddr: web, SMTPAddr: smtp, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- server.Run(running) }()
	select {
	case <-server.Ready():
		s.inbox = &inboxServer{cancel, done}
		step.Done("SMTP on " + smtp)
		return nil
	case err := <-done:
		cancel()
		step.Fail()
		return fmt.Errorf("the inbox cannot listen: %w", err)
	}
}

func (i *inboxServer) stop() error {
	i.cancel()
	return <-i.done
}

// answersHTTP tells whether an HTTP server is there.
func answersHTTP(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return true
}

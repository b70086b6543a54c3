package console_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sidecart.dev/local/console"
)

var (
	world *system
	shown *console.Console
	tabs  context.Context // of one browser for all tests; nil where there is no Chromium
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	var closeAll func()
	world, closeAll = serve()
	defer closeAll()
	var err error
	shown, err = console.Start(
		console.Config{Addr: "127.0.0.1:0", OTLPAddr: "127.0.0.1:0", System: world},
	)
	if err != nil {
		return 1, err
	}
	defer shown.Close()
	if err := tell(); err != nil {
		return 1, err
	}
	end, err := openBrowser()
	if err != nil {
		return 1, err
	}
	defer end()
	return m.Run(), nil
}

// tell plays the recorded orders and says some log lines.
func tell() error {
	now := time.Now()
	for i, r := range []recording{pending(0), declined, paid} {
		if err := world.play(shown, r, now.Add(time.Duration(i-5)*time.Second)); err != nil {
			return err
		}
	}
	say := func(source, line string, args ...any) { shown.Log(source, fmt.Sprintf(line, args...)) }
	for _, id := range appIDs {
		say(id, `level=INFO msg="listening" service=%s`, id)
	}
	say(
		"orders",
		`level=INFO msg=request route=/api/v1/orders status=201 ms=4.9 trace_id=%s`,
		paid.trace(),
	)
	say(
		"payments",
		`level=WARN msg="the provider does not answer" order=%s trace_id=%s`,
		pending(0).Order,
		pending(0).trace(),
	)
	say(
		"payments",
		`level=ERROR msg="charge given up for now" order=%s trace_id=%s`,
		pending(0).Order,
		pending(0).trace(),
	)
	say(
		"orders/daprd",
		`time="x" level=warning msg="a very long line %s"`,
		strings.Repeat("of a sidecar ", 30),
	)
	return nil
}

// fail lets one more order fail now.
func fail(t *testing.T) {
	t.Helper()
	failed := pending(int(failures.Add(1)))
	require.NoError(t, world.play(shown, failed, time.Now()))
	shown.Log(
		"payments",
		fmt.Sprintf(
			`level=ERROR msg="charge given up for now" order=%s trace_id=%s`,
			failed.Order,
			failed.trace(),
		),
	)
}

var failures atomic.Int64

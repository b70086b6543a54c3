// Command copystate copies an app's keys from one state store to another, through one sidecar that
// has both as components:
//
//	copystate --from orders-store --to orders-store-new < keys
//
// Dapr cannot list keys, so the old database's own tool does, and copystate reads them from
// standard input: one per line, as the database has them, such as orders||order/ord_1. What stands
// before || must be the same in all, and the sidecar must run with it as its app id. The sidecar is
// found as a service finds its own: by DAPR_GRPC_PORT and DAPR_API_TOKEN.
//
// A key is written only if the destination does not have it, and read back. So copystate may be
// ended at any moment and run again. A key that the destination has with another value is left as
// it is, listed on standard error, and makes the exit status 1. What expires at the source expires
// at the same time at the destination, if the source tells when. The service must not run
// meanwhile: what it writes after its key was read is not copied.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sidecart.dev/kit/config"
	"sidecart.dev/kit/sidecar/daprclient"
)

// Config is what is read of a service's environment.
type Config struct {
	DaprHTTPPort string `env:"DAPR_HTTP_PORT" envDefault:"3500"`  // the sidecar's HTTP API
	DaprGRPCPort string `env:"DAPR_GRPC_PORT" envDefault:"50001"` // the sidecar's gRPC API
	DaprAPIToken string `env:"DAPR_API_TOKEN"`                    // what an app shows this sidecar
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	cancel()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "copystate:", err)
		os.Exit(1)
	}
}

// run is the whole command. It reads all keys before it copies the first.
func run(ctx context.Context, args []string, in io.Reader, out, problems io.Writer) error {
	flags := flag.NewFlagSet("copystate", flag.ContinueOnError)
	flags.SetOutput(problems)
	from := flags.String("from", "", "state store component that has the keys")
	to := flags.String("to", "", "state store component that is to have them")
	size := flags.Int("batch", 64,
		"keys in one read, whose values must fit into the sidecar's --max-body-size")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *from == "" || *to == "" || *from == *to || *size < 1 || flags.NArg() > 0 {
		return errors.New("it takes --from and --to, two components, and the keys on standard input")
	}
	app, keys, err := readKeys(in)
	if err != nil {
		return err
	}
	var cfg Config
	if err := config.Load(&cfg); err != nil {
		return err
	}
	ports := daprclient.Ports(cfg.DaprGRPCPort, cfg.DaprHTTPPort, cfg.DaprAPIToken)
	client, err := daprclient.Dial(ports)
	if err != nil {
		return err
	}
	defer client.Close()
	id, err := client.AppID(ctx)
	if err != nil {
		return err
	}
	if id != app {
		return fmt.Errorf("the keys are those of app %q, and the sidecar runs as %q: "+
			"start it with --app-id %s", app, id, app)
	}
	c := &copier{from: client.State(*from), to: client.State(*to), now: time.Now, size: *size}
	result, err := c.copyAll(ctx, keys)
	return report(result, err, len(keys), out, problems)
}

// report prints what was done and returns why it is not enough, if it is not.
func report(done tally, err error, keys int, out, problems io.Writer) error {
	for _, key := range done.different {
		fmt.Fprintln(problems, "different:", key)
	}
	fmt.Fprintf(out,
		"%d copied, %d already there, %d missing at the source because expired, %d different\n",
		done.copied, done.there, done.missing, len(done.different))
	switch {
	case err != nil:
		return fmt.Errorf("ended early, run it again with the same keys: %w", err)
	case len(done.different) > 0:
		return errors.New("the destination has other values for the keys listed as different; " +
			"they were left as they are")
	case done.missing == keys:
		return errors.New("the source has none of the keys: is it the right component?")
	}
	return nil
}

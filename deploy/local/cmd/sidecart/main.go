// Command sidecart runs the whole system on this machine: see deploy/local/README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sidecart.dev/local/stack"
	"sidecart.dev/local/terminal"
)

const usage = `Sidecart runs the system of a Dapr run file on this machine, on loopback only.

  sidecart [run]     build and start everything; Ctrl-C stops it
  sidecart backing   only what "dapr run -f ." needs: Redis, inbox, secrets
  sidecart backends  PostgreSQL and Redis of this machine's own binaries, ` +
	`for --components production
  sidecart status    what runs, with process ids, ports and health
  sidecart stop      stop what runs
  sidecart daprd     find or build the sidecar and print its path

Flags:
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(2)
		}
		if !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "sidecart:", err)
		}
		os.Exit(1)
	}
}

// settings are the command line.
type settings struct {
	command string
	options stack.Options
	json    bool
	detach  bool
}

func run(args []string) error {
	set, err := parse(args)
	if err != nil {
		return err
	}
	switch set.command {
	case "status":
		return status(set)
	case "stop":
		return stop(set)
	case "daprd":
		return findDaprd(set)
	case "backends":
		return runBackends(set)
	}
	if set.detach && !isDetached() {
		return detach(args)
	}
	return serve(set)
}

func parse(args []string) (settings, error) {
	set := settings{command: "run"}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		set.command, args = args[0], args[1:]
	}
	switch set.command {
	case "run", "backing", "backends", "status", "stop", "daprd":
	default:
		return set, fmt.Errorf("there is no command %q: "+
			"use run, backing, backends, status, stop or daprd", set.command)
	}
	o := &set.options
	flags := flag.NewFlagSet("sidecart", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	var apps string
	var restart, noConsole bool
	flags.StringVar(&o.File, "file", "dapr.yaml", "the run file")
	flags.StringVar(&o.Components, "components", "",
		"the component set: embedded, production or a folder (default: the run file's)")
	flags.Func("replace", "a resource file that takes the place of the set's resources "+
		"of the same name; may be given again", func(path string) error {
		path, err := filepath.Abs(path)
		o.Replace = append(o.Replace, path)
		return err
	})
	flags.StringVar(&apps, "apps", "", "only these apps, separated by commas")
	flags.StringVar(&o.StateDir, "state-dir", "",
		"the folder for data, logs and secrets (default: .sidecart beside the run file)")
	flags.BoolVar(&o.FreePorts, "free-ports", false,
		"give every listener a free port, with a Redis and an inbox of its own")
	flags.BoolVar(&restart, "restart", true, "start an app or sidecar that died again")
	flags.StringVar(&o.EnvFile, "env-file", "", "a file of KEY=VALUE lines for apps and sidecars "+
		"(default: <set>.env in the state folder, if it is there)")
	flags.BoolVar(&noConsole, "no-console", false, "leave out the web console")
	flags.BoolVar(&set.json, "json", false, "write JSON lines")
	flags.BoolVar(&set.detach, "detach", false,
		"leave the stack running in the background when it is ready")
	if err := flags.Parse(args); err != nil {
		return set, err
	}
	if flags.NArg() > 0 {
		return set, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if apps != "" {
		o.Apps = strings.Split(apps, ",")
	}
	if o.StateDir == "" {
		o.StateDir = filepath.Join(filepath.Dir(o.File), ".sidecart")
	}
	if o.EnvFile == "" && o.Components != "" {
		written := filepath.Join(o.StateDir, o.Components+".env")
		if _, err := os.Stat(written); err == nil {
			o.EnvFile = written
		}
	}
	o.Console = !noConsole
	o.NoRestart, o.JSONLogs, o.BackingOnly = !restart, set.json, set.command == "backing"
	return set, nil
}

// serve runs the stack until a signal, or until it cannot be started.
func serve(set settings) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	out := terminal.New(os.Stdout, set.json)
	set.options.Terminal = out
	st, err := stack.Start(ctx, set.options)
	if err != nil {
		return err
	}
	out.Table("Sidecart is ready", table(st.Status()))
	if env := st.ForeignEnv(); set.options.BackingOnly && env != "" {
		out.Info("the console sees the apps of: %s dapr run -f .", env)
	}
	if isDetached() {
		announceReady(out, st.LogsDir)
	} else {
		out.Info("Ctrl-C stops everything; logs are in %s", st.LogsDir)
	}
	<-ctx.Done()
	cancel() // a second signal ends the program at once, and the kernel its children
	return st.Stop(context.Background())
}

// findDaprd prints the path of a sidecar on standard output and progress on
// standard error.
func findDaprd(set settings) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	set.options.Terminal = terminal.New(os.Stderr, set.json)
	path, err := stack.Daprd(ctx, set.options)
	if err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}

func table(status stack.Status) [][2]string {
	var rows [][2]string
	add := func(label, value string) {
		if value != "" {
			rows = append(rows, [2]string{label, value})
		}
	}
	if status.GatewayURL != "" {
		add("shop", status.GatewayURL+"/")
		add("API docs", status.GatewayURL+"/docs")
	}
	add("inbox", status.InboxURL)
	add("console", status.ConsoleURL)
	add("redis", status.RedisAddr)
	if status.OperatorEmail != "" {
		add("operator", status.OperatorEmail+"  password "+status.OperatorPassword)
	}
	return rows
}

func stop(set settings) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pid, err := stack.End(ctx, set.options.StateDir)
	if err != nil {
		return err
	}
	if pid == 0 {
		fmt.Println("nothing runs in", set.options.StateDir)
		return nil
	}
	fmt.Println("stopped process", pid)
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"sidecart.dev/local/stack"
)

// status shows what runs. It fails if nothing does or something is not ready.
func status(set settings) error {
	st, err := stack.ReadStatus(set.options.StateDir)
	if err != nil {
		return err
	}
	if st == nil {
		return errors.New("nothing runs in " + set.options.StateDir)
	}
	if set.json {
		return json.NewEncoder(os.Stdout).Encode(st)
	}
	if !st.Ready {
		return fmt.Errorf("process %d is still starting", st.PID)
	}
	allReady := true
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "APP\tHEALTH\tPID\tPORT\tSIDECAR PID\tHTTP\tGRPC\tMETRICS\tRESTARTS")
	for _, app := range st.Apps {
		health := app.Health(context.Background())
		allReady = allReady && health == "ready"
		fmt.Fprintf(out, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d+%d\n",
			app.ID, health, app.PID, app.Port,
			app.SidecarPID, app.SidecarHTTPPort, app.SidecarGRPCPort, app.MetricsPort,
			app.Restarts, app.SidecarRestarts)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, row := range table(*st) {
		fmt.Printf("%-9s %s\n", row[0], row[1])
	}
	if !allReady {
		return errors.New("not everything is ready")
	}
	return nil
}

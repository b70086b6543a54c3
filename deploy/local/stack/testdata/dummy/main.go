// Command dummy is an app for the launcher's tests. Its environment makes it
// misbehave: DUMMY_EXIT=<reason> ends it at once, DUMMY_CHILD=1 gives it a child
// process, DUMMY_STUBBORN=1 makes it ignore SIGTERM.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	if reason := os.Getenv("DUMMY_EXIT"); reason != "" {
		fmt.Fprintln(os.Stderr, reason)
		os.Exit(3)
	}
	child := 0
	if os.Getenv("DUMMY_CHILD") != "" {
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		child = cmd.Process.Pid
	}
	if os.Getenv("DUMMY_STUBBORN") != "" {
		signal.Ignore(syscall.SIGTERM)
	}
	http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/dapr/", http.NotFound)
	http.HandleFunc("/about", func(w http.ResponseWriter, r *http.Request) {
		env := map[string]string{}
		for _, pair := range os.Environ() {
			key, value, _ := strings.Cut(pair, "=")
			env[key] = value
		}
		dir, _ := os.Getwd()
		_ = json.NewEncoder(w).Encode(map[string]any{
			"pid": os.Getpid(), "child": child, "env": env, "dir": dir, "args": os.Args[1:],
			"token": r.Header.Get("dapr-api-token"),
		})
	})
	fmt.Println("listening on", os.Getenv("APP_PORT"))
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("APP_PORT"), nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

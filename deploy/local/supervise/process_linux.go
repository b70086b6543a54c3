package supervise

import (
	"runtime"
	"sync"
	"syscall"
)

// groupAttributes puts a child in its own group and asks the kernel to kill it
// when the thread that started it ends, which is how `kill -9` of this program
// leaves nothing running.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

var parentThread = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() {
		runtime.LockOSThread()
		for call := range calls {
			call()
		}
	}()
	return calls
})

// onParentThread runs start on one OS thread that lives as long as the program:
// the parent-death signal is tied to the starting thread, and Go ends threads.
func onParentThread(start func() error) error {
	result := make(chan error, 1)
	parentThread() <- func() { result <- start() }
	return <-result
}

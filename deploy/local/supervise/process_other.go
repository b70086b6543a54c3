//go:build unix && !linux

package supervise

import "syscall"

// groupAttributes puts a child in its own group. There is no parent-death
// signal here: after `kill -9` of this program its children must be ended by
// hand (`sidecart stop` cannot know them any more).
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

func onParentThread(start func() error) error { return start() }

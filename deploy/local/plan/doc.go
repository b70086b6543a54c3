// Package plan says what the launcher will do, before it does anything.
//
//	run file, component sets, variables ─┐
//	where everything will listen ────────┼─► [Make] ─► [Plan]: programs to build, files to write,
//	options, the sidecar's path ─────────┘             servers to start, apps and sidecars to run
//
// Package stack reads the files, asks the machine for ports, and carries the plan out. Nothing here
// reads a file, a clock or the environment, listens or starts anything: the same arguments make the
// same plan.
package plan

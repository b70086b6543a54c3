// Package console is the web page that shows a system of this machine as it runs: its processes,
// logs, traces and measurements, the picture of its architecture alive, and the journey of each
// order.
//
// Everything is kept in memory and bounded:
//
//	logs     2,000 lines and 1 MiB of each app, sidecar and server
//	traces   50,000 spans and 64 MiB; the oldest trace leaves first
//	metrics  the last five minutes of 4,000 series
//	orders   how the newest 2,000 stand, and those that wait before all others
//
// It listens on loopback only and answers no foreign host or origin, so that no page of the
// Internet can ask it through the browser. Whoever may use this machine may read. What changes
// something (stop, start, restart) also needs the token that the launcher prints, in the header
// X-Console-Token, which no form and no link can send.
package console

// Package console_test opens the console of `make run` in a browser, as a person does.
//
// What it shows are recordings: a small system of servers in this process that measure, log and
// answer as the real services and sidecars do, and the spans of real orders, replayed. So the tests
// need a Chromium, and neither Dapr nor a store.
//
// SIDECART_SCREENSHOTS names a folder for pictures of every page, wide and as a phone, light and
// dark.
package console_test

// Package bench measures Sidecart on this machine and compares it with what its sidecars can do at
// all.
//
//	go test -run '^$' -bench . -benchtime 1x -timeout 60m ./bench
//
// Every benchmark starts a system of its own from this checkout, on free ports, and reports through
// testing.B; a table of all numbers and of the bars they are meant to reach is printed at the end.
// Nothing is asserted but that the system works: a slow machine makes for small numbers, not for
// failures.
//
//	BENCH_CLIENTS   customers who order at the same time, default 64
//	BENCH_SECONDS   how long an order flow is measured, default 20
//	BENCH_WARMUP    seconds before that, default 5
//	BENCH_SAMPLES   requests of each kind that are timed one after the other, default 300
//	BENCH_ORDERS    orders in the large store, default 100000
//	BENCH_ROUNDS    turns of each of the systems whose tracing is compared, default 8
//	BENCH_SLICE     seconds of one such turn, default 5
//	BENCH_MAIL_BINDING  type of the mail component, default bindings.smtp; with
//	                bindings.sidecart.smtp EMAIL_CONCURRENCY may be above 1
//
// SIDECART_COMPONENTS, SIDECART_REPLACE, SIDECART_REDIS and SIDECART_BIN mean what they mean to the
// acceptance suite. Any other variable of the environment reaches the services, so that
// EMAIL_CONCURRENCY=8 measures what that is worth.
//
// # How long calls wait for each other
//
// BATCH_WINDOW is how long a service lets calls wait for each other while they come densely
// (services/kit/batch). One machine with two busy processors, 64 customers, one run each in the
// same hour:
//
//	BATCH_WINDOW                       0s      20ms    40ms    80ms
//	calls of the sidecars per order    31.5    29.0    18.9    18.8
//	of these writes of the stores      15.4    15.1    10.6    10.5
//	processor time per order (ms)      30.6    27.8    17.2    21.4
//	POST p50 (ms)                      73      35      59      99
//	POST p50, one client, in bare
//	invocations                        3.3     3.0     3.0     3.2
//
// The default is 40 ms. Below it too few calls meet at this rate for a wait to be worth it, so that
// there is none; above it customers wait for longer and nothing is saved. For one client it makes
// no difference, as nothing waits.
//
// Against commit 0331eae, which had no such windows and read and wrote more for an order, one run
// after the other on the same two processors, which had nothing else to do. The columns on the
// right have the mail binding of this project, eight mails at once:
//
//	                                   0331eae    since      0331eae    since
//	orders a second                    55.7       131.7      91.6       147.7
//	receipt p50 (ms)                   1128       466        704        433
//	POST p50 (ms)                      14         50         35         76
//	processor time per order (ms)      34.8       13.9       19.6       12.5
//	calls of the sidecars per order    44.7       15.5
//	of these writes of the stores      21.0       8.4
//	POST p50, one client, in bare
//	invocations                        3.06       3.02       2.98       3.38
//	paid visible p50, one client (ms)  22.5       20.7       24.2       25.1
//
// A POST under this load takes longer than it did: it waits for company, and more orders are under
// way at the same time. The calls of 0331eae leave out publishes of several events at once, which
// its benchmark did not count.
//
// # What an order writes
//
// 64 customers, mails by bindings.smtp one at a time: 15.5 calls of the sidecars per order, 8.4 of
// them writes (17.5 and 9.7 on busy processors, where fewer come at once). Eight are documents that
// nothing shares: the order, its outcome and its place in the customer's list; the capture at the
// simulated provider and the payment; the message's record, its outcome and its place in the list.
// The message's outcome is a write of its own only where the queue of mails is busy, as it is here
// (services/notifications/README.md). The rest is the journals' and the list of all payments.
//
// # With nothing to do
//
// BenchmarkIdle, per minute, measured for 20 s: 180 reads, 120 bulk reads and 120 writes of the
// stores, and 48 calls between apps. Of these 30 reads, 30 bulk reads and 30 writes are the journal
// of each service, which renews its lease and looks at the others'. The calls are each service's
// question to users, held there for five seconds, what else has ended; users reads its store once a
// second for all of them. On a machine full of other work all of it took 5.7 % of a core. There,
// one question and one read a second for each service, 240 calls and 360 reads, took 7.4 %, which
// was 3.7 % on processors that were merely busy. Nothing grows.
//
// # What tracing costs
//
// BenchmarkTracing compares whole systems, whose processor time per order differs from one turn to
// the next by 10 % and more, as calls meet now more and now less. So what tracing costs was also
// read from profiles of 18 s of the order flow (perf record -a -F 199; about 4,000 samples of
// services and sidecars each): the share of the samples whose stack has OpenTelemetry's SDK, the
// exporter or the kit's tracing in it.
//
//	                     off      10 %     100 %
//	all                  1.1 %    1.6 %    4.0 %
//	services             2.4 %    2.9 %    7.1 %
//	sidecars             0.3 %    0.9 %    1.9 %
//	spans per order      0        8        73
//
// Without tracing it is the ids, which logs and problems name in any case. Every tenth order adds
// about half a percent, all of them three. Left out are what the garbage collector does about spans
// and what the connections to the receiver take, which no stack tells apart from the rest.
//
// # Bare sidecars
//
// The yardstick of the order flow is the program in folder bare: apps whose handlers do nothing but
// call their sidecars. How many calls of each kind they make per order is not written down
// anywhere; it is read from the metrics of the services' own sidecars while the services are
// measured, and printed with the result.
package bench

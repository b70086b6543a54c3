// Package batch brings requests together that come densely, so that one call carries several of
// them.
//
// A call to the sidecar costs about the same whether it carries one request or eight, so a busy
// process should carry several. Requests that merely share a call when they meet by accident do not
// get there: a call takes two milliseconds, and at a hundred requests a second they meet in one
// case of five. So a request waits for others, but only where the wait is likely to be worth it:
//
//   - Requests have been coming fast enough for at least three of them to meet within one window.
//   - At least three have been unanswered at the same time not long ago. One caller who asks, waits
//     for the answer and asks again comes as often as he likes, and yet nobody else would come
//     while he waits.
//   - The last wait was not in vain. Each wait that brings fewer than three together is followed by
//     a rest without any, which doubles with every further one, and ends with the first that is
//     worth it.
//
// Where one of these does not hold, a request goes at once: a quiet process is as fast as one
// without any of this. Where they hold, a request waits for no longer than the window, and less
// when as many have come as can be expected: all callers that were lately seen at once, or the
// number from which larger calls hardly save more.
//
// # Why not Dapr's bulk subscription
//
// A subscription with bulkSubscribe hands several events to the service in one delivery, which also
// would bring them together. It is not used, for what the runtime's own source says (Dapr 1.18,
// pkg/runtime/pubsub/default_bulksub.go; pubsub.redis has no bulk subscriber of its own, so this
// one stands in for it):
//
//   - It waits for maxAwaitDurationMs after the first event of every batch, however quiet the bus
//     is, and takes zero for a whole second. The payment of a lonely order would wait for it twice,
//     once in payments and once in orders.
//   - Batches are handled one after the other in a single goroutine: the next is handed over when
//     the slowest event of the one before has been answered. Here events are handled side by side,
//     and only their calls are shared.
//   - Until then every event of the batch holds one of the component's workers, which all topics of
//     the service share.
//   - What it would save is the deliveries themselves, four of an order's twenty calls. The calls
//     that the events lead to cost more, and they would still have to be brought together by
//     something like this package, as they also come from requests.
//
// [Window] is that decision and nothing else. [Batcher] is a queue that obeys it: for what may be
// called side by side, and for one list, whose writes follow one another. The journal's group
// commit has a queue of its own, from which several writers take, and into which they put back what
// they could not write because they lost their lane.
package batch

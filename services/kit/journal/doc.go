// Package journal is a write-ahead log of intents: which ids have unfinished business, so that work
// once acknowledged is finished whatever process dies.
//
// A service that promises something ("your order will reach its end") begins the aggregate's id in
// the journal before it writes the aggregate, and finishes the id when the promise is kept. In
// between, the id is offered to the service's [Settler] again and again, in this process or in
// another one, until it reports the id finished. The journal knows nothing of the aggregate: events
// to publish, services to ask, states to reach are all derived from the aggregate by the settler.
//
//	handler                         journal                          store
//	   │ 1 read the aggregate ─────────────────────────────────────▶ get order/7
//	   │ 2 Begin("7") ───────────▶ batch ["7","8","9"] ────────────▶ insert journal/orders/3/41
//	   │ ◀──────────────── ticket ┘
//	   │ 3 write the aggregate ────────────────────────────────────▶ insert order/7
//	   │ 4 publish, answer the client
//	   │ 5 ticket.Wrote()
//	   ┊
//	settler ◀── offered ["7", …] ─┤ a moment later, in batches
//	   │ 6 publish again, ask the next service …
//	   └── finished ["7"] ───────▶│ forgets; the log's tail moves on ▶ update journal/orders/3
//
// What Dapr Workflow, the built-in outbox and Temporal do instead, and when to take them, stands in
// ALTERNATIVES.md.
//
// # On disk
//
// The log is divided into lanes, each written by one process at a time. All keys are single
// documents; nothing is needed of the store but first-write, ETags and bulk get, which every Dapr
// state store does correctly.
//
//	journal/<name>/<lane>        head: owner, epoch, lease, low; written by ETag, 3 times per lease
//	journal/<name>/<lane>/<seq>  segment: the ids of one group commit; written once, by first-write
//
// A segment is a first-write at the next position rather than an update of one record, for two
// reasons. Dapr's save does not return the new ETag, so updating costs a read for every write; and
// a first-write fences by itself: a process that has lost its lane finds the position taken, and
// knows.
//
// # Taking a lane over
//
// A lane whose head has not changed for a lease, by the observer's own clock, may be claimed. The
// claimant
//
//  1. takes the head by its ETag, with the next epoch. Of several claimants one succeeds;
//  2. reads the segments from low up to the first that is missing;
//  3. inserts a segment of its own there, its claim. If the position has been taken meanwhile it
//     reads that one and goes on.
//
// After 3 every append of the owner before must fail, because it can only write to the position of
// the claim. So whatever that owner was ever told to be written has been read in 2, and nothing
// more can come. Claims are kept for days after they are of use to nobody else, so that even an
// append held up in the network for that long finds its position taken.
//
// # What if the process dies
//
//	between …          in the store                        what happens
//	1 and 2            nothing                             nothing: nobody was promised anything
//	during 2           perhaps the segment                 the id is offered; there is no aggregate,
//	                                                       or an unchanged one: the settler fences,
//	                                                       and reports it finished
//	2 and 3            the segment                         the same
//	during 3           the segment, perhaps the aggregate  the settler fences and drives on what the
//	                                                       fence returned
//	3 and 4, during 4  both                                the settler publishes again; the client,
//	                                                       who has no answer, repeats its request
//	4 and 5, 5 and 6   both, and the event is on its way   the settler sees what has been done, and
//	                                                       does the rest
//	during 6           both                                the id is offered again: every step of a
//	                                                       settler is idempotent
//	after "finished"   both, until the tail moves on       the id is offered once more, to a settler
//	                                                       that finds nothing to do
//	during a takeover  the head, perhaps the claim         the lease of the dead claimant runs out,
//	                                                       and the lane is claimed again
//
// An append whose outcome is unknown (a timeout) leaves the Begins that wait for it with an error
// and is repeated, the same bytes to the same position, before anything else is appended: so the
// log has no holes, and its end is the first missing position.
//
// # Rules for handlers
//
//  1. Begin before the write. Insert under a ticket, or update with an ETag that was read before
//     that Begin.
//  2. What was read after Begin must not be written under that ticket: when an update conflicts, or
//     an insert finds something, read, Begin again, then write. Otherwise a process that stalls in
//     between could write after another one has settled and forgotten the id.
//  3. End the ticket when everything is done that can be: [Ticket.Wrote] if every write was
//     answered, [Ticket.Finish] if there is nothing left to do either, and [Ticket.Release],
//     deferred, for all other ways out. After 15 s the handler counts as dead.
//
// # Rules for settlers
//
//  1. Every step is idempotent; two processes may settle one id at once.
//  2. Fence before you forget. An [Entry] with Fence set may have a write under way, by a process
//     that is stalled rather than dead. Before reporting it finished make that write impossible,
//     with [Fence] or by an own successful update, and decide on what you then read.
//  3. A tombstone left by a fence is not the end of an id: a later request with the same
//     deterministic id replaces it by its ETag. Every read path takes a tombstone for "does not
//     exist".
//
// # Clocks
//
// Correctness does not depend on clocks. A lease that is judged wrongly makes a lane change hands,
// which the claim makes safe; a grace that is too short makes a settler work beside a handler,
// which the fence makes safe. Wrong clocks cost double work and wrong ages.
//
// # Bounds and costs
//
// Begin costs one insert for all Begins that arrived during the insert before (group commit). Where
// Begins come densely they also wait for each other, for [Config].Window at most, and whoever is
// alone never does: larger segments are fewer to write and to delete. Waiting changes nothing
// above, as what waits is not durable yet and nobody has been promised anything.
//
// An idle replica reads all heads at once, and reads and writes its own, three times per lease.
// Memory and backlog are bounded to about 50,000 ids: past that Begin sheds load rather than accept
// what could not be remembered. A log longer than 4096 segments has the unfinished ids of its older
// half written again at its end, so that ids which take hours do not keep everything since;
// segments that consist of such ids for the most part (a provider is down) are kept as they are and
// named in the head.
//
// # Inside
//
// Each part uses those below it and none above, which a test holds:
//
//	journal.go                 what a service sees
//	kinds.go, fence.go         for settlers
//	writer.go, append.go       writes what waits in the queue into a lane
//	settling.go                offers ids that are due to the settler
//	ownership.go               finds, claims and gives back lanes
//	claim.go, keeper.go        reads a lane and takes it; keeps its head and deletes old segments
//	queue.go                   Begins that wait for a writer; a lock of its own
//	offers.go, draft.go        from memory: what is due, and what the next segment holds
//	lanes.go, ticket.go        from memory: all lanes, and the handlers' hold on an id
//	frontier.go, lane.go       from memory: how far back a log is needed, and one log
//	memory.go                  the memory of the lanes held; a lock of its own
//	process.go, store.go       what this process is, and its calls
//	metrics.go, record.go      what is measured, and what is stored
//	settler.go, config.go      what a service gives
//	wait.go                    turns and signals
//
// No two locks are held at once, and none during a call to the store. Where one thing at a time may
// be done there, looking for lanes or writing a head, a turn is taken for it.
package journal

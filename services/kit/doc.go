// Package kit holds nothing itself; the packages below it are what every service stands on.
//
// # Words
//
// Each has one meaning in the whole tree.
//
//	document      one JSON value under one key of the store, changed as a whole, under its ETag
//	aggregate     a document that has business to finish: an order, a payment, an account
//	first-write   a write that succeeds only if the key is absent
//	ETag          what the store says of a key's version; an update succeeds only if it is unchanged
//	intent        an id in the journal: the aggregate of that id has unfinished business
//	begin         to make an intent durable, before the aggregate is written
//	conflict      the ETag has changed, or the key is there already: somebody else was faster
//	ticket        a handler's hold on an intent; while it is held, the settler leaves the id alone
//	settle        to drive on what the journal offers, until nothing is left to do for it
//	finish        to forget an intent, because its business is done
//	fence         to make a write impossible that may still be under way
//	tombstone     what a fence leaves where there is no aggregate; every reader takes it for absent
//	claim         what only one may have, won by a conditional write: an address, a lane, a delivery
//	lane          one log of the journal, appended to by one process at a time
//	segment       the ids of one append to a lane
//	queue         what waits in the memory of one process, in the order in which it came
//	window        how long calls that come densely wait for each other, to share one
//	lease         how long a lane stays with a process that is not heard of
//	announce      to publish an event without making a request wait for the bus
//	accepted      whoever has accepted an event will never need to be told of it again
//	patience      how long an event may take to have its effect before it is published again
//	peer          another service that is asked something through the sidecar
//	poison        a message that can never be handled; it becomes a dead letter at once
//	dead letter   a message that could not be handled, kept with the reason for an operator
package kit

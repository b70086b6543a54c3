// Package list keeps append-only lists of ids, newest first, of which a page costs the same at any
// length: the orders of a customer, the notifications of a customer, the dead letters of a service.
//
// It needs nothing of a store but single keys. A list is a head and sealed pages of [PageSize] ids:
//
//	<prefix>/head   {next: 131, ids: [129 130]}    replaced by ETag with each append
//	<prefix>/1      {ids: [65 … 128]}              inserted once, never changed
//	<prefix>/0      {ids: [ 1 …  64]}
//
// A reader knows from a position alone in which page it is, so that a page of entries takes one
// bulk read, wherever it starts; the first page takes the head and, if that does not fill it, one
// bulk read more.
//
// # Appending
//
// An append reads the head and replaces it under its ETag: two calls. All appends to one list that
// arrive in this process during those two calls share the next two, and with a [Config].Window
// those that come densely wait for each other, so a busy list has no conflicts within a process,
// and conflicts between processes are retried after a short random pause.
//
// A full head must be sealed before it can take another id:
//
//	   step                                    if the process dies after it
//	1  insert page n with the head's 64 ids    the head is still full; the next append inserts the
//	                                           same page, finds it there, and goes on
//	2  replace the head by one without them    the append was made; its caller does not know
//
// Nothing else can happen to a full head, so page n has the same content whoever inserts it and
// however late the insert arrives.
//
// # Duplicates and orphans
//
// An append whose answer was lost may be repeated, and the aggregate that an entry stands for may
// never be written. So an append comes first, the aggregate stores the position that it returned,
// and a reader keeps an entry only if the aggregate exists and has that position. That needs no
// second write and no cleaning up. [Collect] does it, together with filters: it reads on until a
// page is full, or until its budget is spent.
//
// Who cannot wait for both writes begins the append ahead ([Lists.AppendAhead]): it says the likely
// position while the list is being written, so that the aggregate can be written at the same time.
// Its price is that the aggregate may be there and its entry not, until whoever settles the
// aggregate has looked ([Lists.Stand]) and appended it anew.
//
// # Bounds
//
// A head has at most 64 ids, a page exactly 64. Pages are never deleted. A list that everybody
// appends to carries what one key of the store carries: about one head replacement per round trip,
// with as many ids as arrive meanwhile, 64 at most.
package list

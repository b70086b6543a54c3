// Package journal is a write-ahead log of intents: which ids have unfinished business, so that work once
// acknowledged is finished whatever process dies.
package journal

package journal

import (
	"encoding/json"
	"errors"
	"fmt"
)

// errTaken says that another process owns the lane.
var errTaken = errors.New("journal: the lane belongs to another replica")

// head is the document of a lane: who appends to it and which segments hold unfinished ids.
// It is written by ETag, three times per lease.
type head struct {
	Owner    string `json:"owner"` // the process that appends; empty: released
	Instance string `json:"instance,omitempty"`
	Epoch    uint64 `json:"epoch"`           // rises with each owner
	Beat     uint64 `json:"beat"`            // rises with each write, so that an observer sees life
	LeaseMS  int64  `json:"lease_ms"`        // unchanged for this long: dead
	Left     int    `json:"left"`            // unfinished ids when it was released
	Spare    bool   `json:"spare,omitempty"` // its owner does not append to it, and can do without it
	Asked    string `json:"asked,omitempty"` // a process that has no lane and asks for this spare one

	Low   uint64   `json:"low"`            // the log is read from here to the first missing segment
	Kept  []uint64 `json:"kept,omitempty"` // segments below Low that still hold unfinished ids
	Swept uint64   `json:"swept"`          // all below is deleted already, but for Kept and Dead
	Dead  []uint64 `json:"dead,omitempty"` // once in Kept, now to be deleted
}

// segmentRecord is the document of a segment. It never changes. By and N together are unique, so
// that a writer knows its own.
type segmentRecord struct {
	Epoch uint64     `json:"epoch"`
	By    string     `json:"by"` // the process that wrote it
	N     uint64     `json:"n"`
	At    int64      `json:"at"`              // milliseconds since 1970 by the writer's clock
	Claim bool       `json:"claim,omitempty"` // an owner's first: it fences the owner before
	IDs   []idRecord `json:"ids,omitempty"`
}

type idRecord struct {
	ID    string `json:"id"`
	Since int64  `json:"since,omitempty"` // milliseconds since 1970, if not the segment's At
}

func (r *segmentRecord) sameWrite(o *segmentRecord) bool { return r.By == o.By && r.N == o.N }

func headKey(journal string, n int) string {
	return fmt.Sprintf("journal/%s/%d", journal, n)
}

func segmentKey(journal string, n int, seq uint64) string {
	return fmt.Sprintf("journal/%s/%d/%d", journal, n, seq)
}

func decode[T any](key string, value []byte) (T, error) {
	var doc T
	if err := json.Unmarshal(value, &doc); err != nil {
		return doc, fmt.Errorf("journal: %s holds something else: %w", key, err)
	}
	return doc, nil
}

// encode marshals one of the record types, which cannot fail.
func encode(doc any) []byte {
	value, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return value
}

package list_test

import (
	"fmt"
	"testing"

	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func ids(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint("id-", i))
	}
	return out
}

// fill appends n ids and fails the test if their positions are not 1 to n.
func fill(t *testing.T, l *list.Lists, prefix string, n int) {
	t.Helper()
	seqs, err := l.AppendAll(t.Context(), prefix, ids(1, n))
	if err != nil {
		t.Fatal(err)
	}
	for i, seq := range seqs {
		if seq != uint64(i+1) {
			t.Fatalf("id %d got position %d", i+1, seq)
		}
	}
}

func calls(state *sidecartest.State) (n int) {
	for _, op := range []sidecartest.Op{
		sidecartest.OpGet, sidecartest.OpBulkGet,
		sidecartest.OpInsert, sidecartest.OpUpdate, sidecartest.OpDelete,
	} {
		n += state.Calls(op)
	}
	return n
}

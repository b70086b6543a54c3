package logs

import (
	"strings"
	"testing"
)

func TestLinesOfBothFormatsAreRead(t *testing.T) {
	for line, want := range map[string]Record{
		`time=x level=WARN msg="a b" service=s k="v w" trace_id=t`: {Level: "warn", Message: "a b", Fields: `k="v w"`, Trace: "t"},
		`{"level":"ERROR","msg":"a","n":1,"trace_id":"t"}`:         {Level: "error", Message: "a", Fields: "n=1", Trace: "t"},
		`time="x" level=fatal msg="it's"`:                          {Level: "error", Message: "it's"},
		`panic: no = sign`:                                         {Message: "panic: no = sign"},
		`a=b`:                                                      {Message: "a=b"},
		`{broken`:                                                  {Message: "{broken"},
		``:                                                         {},
	} {
		if got := parse(line); got != want {
			t.Errorf("%q is %+v, not %+v", line, got, want)
		}
	}
}

func TestTheOldestLinesOfASourceLeaveFirst(t *testing.T) {
	s := New(Limits{Lines: 3, Bytes: 100_000})
	s.Add("quiet", "here")
	for range 100 {
		s.Add("loud", strings.Repeat("x", 50_000))
	}
	if got := s.Search(Query{Source: "loud"}); len(got) != 3 || len(got[0].Message) > maxText+3 {
		t.Errorf("%d lines are kept, not 3, or one is too long", len(got))
	}
	if len(s.Search(Query{Source: "quiet"})) != 1 {
		t.Error("a loud source has pushed out another's lines")
	}
}

func TestAReaderThatDoesNotReadHoldsNobodyUpAndIsToldWhatItMissed(t *testing.T) {
	s := New(Limits{})
	f := s.Follow(Query{Source: "a"})
	for range 1_000 {
		s.Add("a", "line")
		s.Add("b", "line")
	}
	if read, missed := len(f.Lines()), int(f.Missed()); missed == 0 || read+missed != 1_000 {
		t.Errorf("%d lines wait and %d were missed, which is not 1,000 together", read, missed)
	}
	f.Close()
	if len(s.followers) != 0 {
		t.Error("a reader that left is still served")
	}
}

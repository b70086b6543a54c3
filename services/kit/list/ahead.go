package list

import "context"

// Ahead is an append that goes on while its caller does something else. See [Lists.AppendAhead].
type Ahead struct{ request *request }

// AppendAhead begins to append an id as [Lists.Append] does, and says its likely position before it
// is written, so that what is to hold the position can be written at the same time. The caller must
// ask for the position that it came to have, and correct what it wrote if that is another one:
// somebody else may have been faster. Whoever may die before must look with [Lists.Stand] whether
// the id stands where it is said to.
func (l *Lists) AppendAhead(ctx context.Context, prefix, id string) Ahead {
	r := &request{ids: []string{id}, likely: make(chan uint64, 1), done: make(chan struct{})}
	l.begin(ctx, prefix, r)
	return Ahead{r}
}

// Likely returns the position that the id is likely to have. It is called once, before Seq. Errors
// are those of [Lists.Append].
func (a Ahead) Likely(ctx context.Context) (uint64, error) {
	select {
	case seq := <-a.request.likely:
		return seq, nil
	case <-a.request.done:
		return a.Seq(ctx)
	case <-ctx.Done():
		return 0, outOfTime(ctx.Err())
	}
}

// Seq waits until the id is in the list, and returns its position. Errors are those of
// [Lists.Append].
func (a Ahead) Seq(ctx context.Context) (uint64, error) {
	seqs, err := a.request.wait(ctx)
	if err != nil {
		return 0, err
	}
	return seqs[0], nil
}

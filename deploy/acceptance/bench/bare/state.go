package main

import (
	"context"
	"fmt"
	"strings"
)

// document is a value of the size of the real app's mean document.
func (a *app) document() []byte {
	const rest = 100 // bytes of a write besides the value: key, options, metadata
	return []byte(`{"padding":"` + strings.Repeat("x", max(0, a.plan.Document-rest)) + `"}`)
}

// insert writes a new document.
func (a *app) insert(ctx context.Context) error {
	key := fmt.Sprintf("written/%032d", a.serial.Add(1))
	if err := a.state.Insert(ctx, key, a.document()); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.written = append(a.written, key)
	return nil
}

// read reads a document and, where there is a write to go with it, replaces it by its ETag.
func (a *app) read(ctx context.Context, replace bool) error {
	key := <-a.documents
	defer func() { a.documents <- key }()
	item, err := a.state.Get(ctx, key)
	if err != nil || !replace {
		return err
	}
	return a.state.Update(ctx, key, a.document(), item.ETag)
}

// keys are as many as the real app's mean bulk read has.
func (a *app) keys() []string {
	keys := make([]string, max(1, min(a.plan.BulkKeys, kept)))
	for i := range keys {
		keys[i] = fmt.Sprintf("kept/%035d", i)
	}
	return keys
}

// remove deletes the document that was written first.
func (a *app) remove(ctx context.Context) error {
	a.mu.Lock()
	if len(a.written) == 0 {
		a.mu.Unlock()
		return nil
	}
	key := a.written[0]
	a.written = a.written[1:]
	a.mu.Unlock()
	return a.state.Delete(ctx, key, "")
}

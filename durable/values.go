package durable

import (
	"context"
	"fmt"
)

// Get returns the value of key in s, decoded into a T, and whether key has one. It decodes as
// Storage.Get does, into a value of its own: nothing of an earlier value stays.
func Get[T any](ctx context.Context, s *Storage, key string) (value T, found bool, err error) {
	found, err = s.Get(ctx, key, &value)
	if err != nil {
		return *new(T), found, err
	}
	return value, found, nil
}

// An Item is a key with its value, decoded into a T.
type Item[T any] struct {
	Key   string
	Value T
}

// List returns the entries of s that o selects, ordered by key, with their values decoded into a T.
// If the values have several types, use Storage.List or decode into any.
func List[T any](ctx context.Context, s *Storage, o ListOptions) ([]Item[T], error) {
	entries, err := s.List(ctx, o)
	if err != nil {
		return nil, err
	}
	items := make([]Item[T], len(entries))
	for i, e := range entries {
		items[i].Key = e.Key
		if err := e.Decode(&items[i].Value); err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
	}
	return items, nil
}

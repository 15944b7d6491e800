package world

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"devtool.internal/durable/stored"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
)

// maxListed is the approximate limit of one list of entries, in bytes.
const maxListed = 16 << 20

// ListEntries lists entries of an object in the order of their keys.
func (a Admin) ListEntries(
	ctx context.Context, which control.Object, q control.EntriesRequest,
) (control.Entries, error) {
	if q.Limit < 0 {
		return control.Entries{}, badRequest("the limit is %d: it must be positive", q.Limit)
	}
	if q.Limit == 0 {
		q.Limit = control.DefaultEntries
	}
	p, err := a.pin(which)
	if err != nil {
		return control.Entries{}, err
	}
	defer p.release()
	answer := control.Entries{Entries: []control.Entry{}}
	err = p.read(ctx, func(s *store.Object) error {
		// One entry more than requested shows whether there are others.
		found, more, err := s.List(store.ListOptions{Prefix: q.Prefix, Limit: q.Limit + 1}, maxListed)
		answer.More = more || len(found) > q.Limit
		for _, e := range found[:min(len(found), q.Limit)] {
			answer.Entries = append(answer.Entries, describeEntry(e.Key, e.Value))
		}
		return err
	})
	answer.Object = p.describe()
	return answer, err
}

// GetEntry returns one entry of an object, or an error if there is no such key.
func (a Admin) GetEntry(ctx context.Context, which control.Object, key string) (control.Entry, error) {
	return a.entry(ctx, which, key, func(*store.Object) error { return nil })
}

// DeleteEntry deletes an entry of an object, and returns it as it was. It returns an error if there
// is no such key.
func (a Admin) DeleteEntry(ctx context.Context, which control.Object, key string) (control.Entry, error) {
	return a.entry(ctx, which, key, func(s *store.Object) error {
		_, err := s.Delete(key)
		return err
	})
}

// entry returns an entry, which must exist, after it has called then with the store.
func (a Admin) entry(
	ctx context.Context, which control.Object, key string, then func(*store.Object) error,
) (answer control.Entry, err error) {
	p, err := a.pin(which)
	if err != nil {
		return control.Entry{}, err
	}
	defer p.release()
	err = p.read(ctx, func(s *store.Object) error {
		value, found, err := s.Get(key)
		if err != nil {
			return err
		}
		if !found {
			return &control.Error{
				Code: control.CodeNoKey, Message: fmt.Sprintf("%s has no key %q", p, key),
				Hint: fmt.Sprintf("`devtool objects get %s` lists its keys", p),
			}
		}
		answer = describeEntry(key, value)
		return then(s)
	})
	return answer, err
}

// PutEntry stores a value. It makes an object that does not exist, so that state can be prepared
// before the first request.
func (a Admin) PutEntry(
	ctx context.Context, which control.Object, key string, q control.PutRequest,
) (control.Entry, error) {
	value, err := encodeEntry(q)
	if err != nil {
		return control.Entry{}, err
	}
	p, err := a.pin(which)
	if err != nil {
		return control.Entry{}, err
	}
	defer p.release()
	if err := p.ns.limits().checkEntry(key, value); err != nil {
		return control.Entry{}, badRequest("put %.80q: %s", key, err)
	}
	if err := p.use(ctx, func(s *store.Object) error { return s.Put(key, value) }); err != nil {
		return control.Entry{}, err
	}
	return describeEntry(key, value), nil
}

// describeEntry returns an entry in the form of the control API. For a value that can't be decoded
// it sets Problem, so that it does not hide the other entries.
func describeEntry(key string, b []byte) control.Entry {
	e := control.Entry{Key: key, Size: len(b)}
	value, kind, err := decodeValue(b)
	if err == nil {
		e.Type = kind
		e.Value, err = json.Marshal(value)
	}
	if err != nil {
		e.Type, e.Value, e.Problem = control.TypeUnknown, nil, err.Error()
	}
	return e
}

// decodeValue returns a value that encoding/json encodes into the shown form, and its type.
func decodeValue(b []byte) (value any, kind string, err error) {
	if err := stored.Decode(b, &value); err != nil {
		return nil, "", err
	}
	switch value.(type) {
	case []byte:
		return value, control.TypeBytes, nil
	case time.Time:
		return value, control.TypeTime, nil
	}
	var text json.RawMessage // so that numbers keep all their digits
	return &text, control.TypeJSON, stored.Decode(b, &text)
}

// encodeEntry is the inverse of describeEntry.
func encodeEntry(q control.PutRequest) ([]byte, error) {
	var err error
	switch q.Type {
	case control.TypeJSON, "":
		if !json.Valid(q.Value) {
			return nil, badRequest("the value is not JSON")
		}
		b, err := stored.Encode(q.Value)
		if err != nil {
			return nil, badRequest("%s", err)
		}
		return b, nil
	case control.TypeBytes:
		var b []byte
		if err = json.Unmarshal(q.Value, &b); err == nil {
			return stored.Encode(b)
		}
	case control.TypeTime:
		var t time.Time
		if err = json.Unmarshal(q.Value, &t); err == nil {
			return stored.Encode(t)
		}
	default:
		return nil, badRequest("%q is not a type of values: they are json, bytes and time", q.Type)
	}
	return nil, &control.Error{
		Code: control.CodeBadRequest, Message: fmt.Sprintf("the value is not of type %s: %s", q.Type, err),
		Hint: "bytes are a string in base64, a time one like 2026-11-21T17:00:00Z",
	}
}

func badRequest(format string, args ...any) error {
	return control.Errorf(control.CodeBadRequest, format, args...)
}

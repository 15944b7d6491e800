//go:build !js

package durable

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"unicode/utf8"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
)

// This file translates between the messages of the protocol and the types of this package.

// newEnv returns the environment that the emulator has welcomed the program with.
func newEnv(w *wire.Welcome) *Env {
	e := &Env{
		vars:        make(map[string]variable),
		namespaces:  make(map[string]*Namespace),
		notEmulated: make(map[string]string),
	}
	for _, v := range w.Vars {
		e.vars[v.Name] = variable{text: v.Value, isJSON: v.JSON}
	}
	for _, b := range w.Bindings {
		e.namespaces[b.Name] = &Namespace{binding: b.Name, uniqueKey: b.UniqueKey}
	}
	for _, l := range w.Unsupported {
		e.notEmulated[l.Name] = l.Kind
	}
	return e
}

// idOf returns the id of the object that m asks an instance of. The emulator has checked it.
func idOf(m *wire.Construct) (ID, error) {
	id, err := objectid.Decode(m.ID)
	if err != nil {
		return ID{}, err
	}
	return ID{id: id, name: m.Name, hasName: m.HasName, jurisdiction: m.Jurisdiction}, nil
}

// fromWire turns an error of the connection into one of this package. It returns others as they
// are. The connection converts the errors of its streams with it, so handlers never see one of
// package wire.
func fromWire(err error) error {
	switch {
	case errors.Is(err, wire.ErrClosed):
		return &Error{Message: "the emulator has gone", Retryable: true}
	case errors.Is(err, wire.ErrOver):
		return errHandlerReturned
	}
	e, ok := err.(*wire.Error)
	if !ok {
		return err
	}
	return &Error{
		Message:    e.Message,
		Remote:     e.Remote,
		Retryable:  e.Retryable,
		Overloaded: e.Overloaded,
		Reset:      e.Reset,
		ObjectID:   e.ObjectID,
		Code:       e.Code,
		detail:     e.Detail,
	}
}

// toWire describes a handler's error to the emulator, and through it to the caller. If a method of
// the error panics, only this one event fails, and not the program.
func toWire(err error) (w *wire.Error) {
	message := textOf(err)
	w = &wire.Error{Message: message, Remote: true}
	defer func() {
		if recover() != nil { // in an Unwrap, Is or As
			w = &wire.Error{Message: message, Remote: true}
		}
	}()
	w.Canceled = errors.Is(err, errClientGone)
	var e *Error
	if errors.As(err, &e) && e != nil {
		w.Retryable, w.Overloaded, w.Reset, w.Detail = e.Retryable, e.Overloaded, e.Reset, e.detail
		if utf8.ValidString(e.ObjectID) { // handlers make their own errors, and the message must decode
			w.ObjectID = e.ObjectID
		}
		if utf8.ValidString(e.Code) {
			w.Code = e.Code
		}
	}
	return w
}

// failureOf is toWire, with the stack if err is a panic.
func failureOf(err error) *wire.Error {
	w := toWire(err)
	if p, ok := err.(*panicError); ok && p.value != http.ErrAbortHandler {
		w.Detail = p.trace()
	}
	return w
}

// toRequest describes r without its body.
func toRequest(r *http.Request) wire.Request {
	t := targetOf(r)
	return wire.Request{
		Method:        t.method,
		URL:           t.url,
		Host:          t.host,
		Header:        wire.Fields(r.Header),
		ContentLength: t.length,
	}
}

// fromRequest returns the request that a handler sees.
func fromRequest(m *wire.Request, body io.ReadCloser) (*http.Request, error) {
	t := target{method: m.Method, url: m.URL, host: m.Host, length: m.ContentLength}
	return newRequest(t, http.Header(wire.Header(m.Header)), body)
}

// fromResponse returns the response that a handler gets for its request r. If body is nil, the
// whole body is in m.
func fromResponse(m *wire.Response, r *http.Request, body io.ReadCloser) *http.Response {
	length := m.ContentLength
	if body == nil {
		body = io.NopCloser(bytes.NewReader(m.Body))
		if r.Method != http.MethodHead {
			length = int64(len(m.Body))
		}
	}
	return newResponse(r, int(m.Status), http.Header(wire.Header(m.Header)), length, body)
}

// fromRows returns a page of rows as a Cursor takes it.
func fromRows(m *wire.Rows) rows {
	return rows{
		columns: m.Columns, values: m.Values,
		cursor: m.Cursor, more: m.More,
		read: m.Read, written: m.Written,
	}
}

// A wireSink sends a response on the stream of its event.
type wireSink struct {
	*wire.Stream
	host   *wireHost
	status uint64
	fields []wire.Field
}

var _ sink = (*wireSink)(nil)

func (s *wireSink) fix(status int, header http.Header) {
	s.status, s.fields = uint64(status), wire.Fields(header)
}

func (s *wireSink) start(length int64, body []byte, last bool) error {
	m := &wire.Response{Status: s.status, Header: s.fields, ContentLength: length, Body: body}
	return s.host.failed(s.Answer(m, last))
}

func (s *wireSink) Write(p []byte) (int, error) {
	n, err := s.Stream.Write(p)
	return n, s.host.failed(err)
}

func (s *wireSink) lost() error {
	if !s.Unwanted() && s.host.ctx.Err() == nil {
		return nil
	}
	err := s.host.failed(errClientGone)
	if errors.Is(err, errClientGone) && !s.Unwanted() { // the handler has returned
		return nil
	}
	return err
}

// A piece of a body, and a response that is kept until the handler has returned, fit into one
// frame.
const _ = uint(wire.MaxData - maxPiece)

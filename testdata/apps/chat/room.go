package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"devtool.internal/durable"
)

const (
	keepFor   = 24 * time.Hour   // of a message
	pingEvery = 30 * time.Second // on a silent stream, so that proxies keep the connection
	maxText   = 1000             // bytes
	page      = 100              // messages that are read from storage at once
)

// A Message is one line of a chat.
type Message struct {
	ID   int       `json:"id"` // 1, 2, 3 …; numbers are never used again
	From string    `json:"from"`
	Text string    `json:"text"`
	Sent time.Time `json:"sent"`
}

// A Room has messages in storage and streams in memory. While a stream is open the room is in
// memory.
type Room struct {
	http.Handler // routes requests to the methods below
	storage      *durable.Storage
	last         int            // the number of the latest message, also stored as "last"
	members      map[string]int // how many streams each has
	changes      int            // of members
	news         durable.Cond   // broadcast when last or changes has changed
}

func newRoom(ctx context.Context, state *durable.State, _ *durable.Env) (*Room, error) {
	room := &Room{storage: state.Storage, members: make(map[string]int)}
	mux := http.NewServeMux()
	mux.Handle("GET /stream", durable.HandlerFunc(room.stream))
	mux.Handle("GET /messages", durable.HandlerFunc(room.list))
	mux.Handle("POST /messages", durable.HandlerFunc(room.post))
	mux.Handle("GET /members", durable.HandlerFunc(room.who))
	room.Handler = mux
	var err error
	room.last, _, err = durable.Get[int](ctx, room.storage, "last")
	return room, err
}

// post stores a message and wakes the streams.
func (room *Room) post(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	m := Message{From: r.URL.Query().Get("name")}
	var body struct{ Text string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8*maxText)).Decode(&body)
	if m.Text = body.Text; err != nil || m.Text == "" || len(m.Text) > maxText {
		return durable.HTTPError(http.StatusBadRequest, fmt.Sprintf(`send {"text": …} of up to %d bytes`, maxText))
	}
	// Reading the body gave the turn up. From here on it is kept, so the number is this message's
	// own.
	m.ID, m.Sent = room.last+1, durable.Now(ctx)
	if err := room.storage.PutMany(ctx, map[string]any{messageKey(m.ID): m, "last": m.ID}); err != nil {
		return err
	}
	room.last = m.ID
	if _, set, err := room.storage.GetAlarm(ctx); err != nil {
		return err
	} else if !set {
		if err := room.storage.SetAlarm(ctx, m.Sent.Add(keepFor)); err != nil {
			return err
		}
	}
	room.news.Broadcast()
	durable.Logger(ctx).Info("message", "from", m.From, "id", m.ID)
	return writeJSON(w, http.StatusCreated, m)
}

// list answers with the messages after the one that the query names.
func (room *Room) list(w http.ResponseWriter, r *http.Request) error {
	after, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		after = 0
	}
	messages, err := room.after(r.Context(), after)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, messages)
}

// after returns a page of the messages after the one with the number id.
func (room *Room) after(ctx context.Context, id int) ([]Message, error) {
	items, err := durable.List[Message](ctx, room.storage, durable.ListOptions{
		Prefix: messagePrefix, StartAfter: messageKey(id), Limit: page,
	})
	messages := make([]Message, len(items))
	for i, item := range items {
		messages[i] = item.Value
	}
	return messages, err
}

// who answers with the names of those who have a stream.
func (room *Room) who(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, room.names())
}

// names returns the names in alphabetical order. JSON has them as an array even if there is none.
func (room *Room) names() []string {
	names := slices.AppendSeq([]string{}, maps.Keys(room.members))
	slices.Sort(names)
	return names
}

// stream sends the messages after Last-Event-ID, those to come, and who is there. Browsers send
// that header when they connect again. Without it the stream begins with all messages that are
// stored.
func (room *Room) stream(w http.ResponseWriter, r *http.Request) error {
	ctx, name := r.Context(), r.URL.Query().Get("name")
	sent, err := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	if err != nil {
		sent = 0
	}
	room.move(name, 1)
	defer room.move(name, -1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	for seen := -1; ; {
		last := room.last
		messages, err := room.after(ctx, sent)
		if err != nil {
			return err
		}
		if len(messages) < page {
			sent = max(sent, last) // the alarm may have cleared the latest message
		} else {
			sent = messages[page-1].ID
		}
		for _, m := range messages {
			event(w, "message", strconv.Itoa(m.ID), m)
		}
		if seen != room.changes {
			seen = room.changes
			event(w, "members", "", room.names())
		}
		if err := out.Flush(); err != nil {
			return nil // the client has gone
		}
		// Flush may have given the turn up. So look for changes before waiting for one.
		for sent >= room.last && seen == room.changes {
			if err := room.wait(ctx, w, out); err != nil {
				return nil
			}
		}
	}
}

// wait waits for news. If there is none for a while it sends a comment, which clients ignore.
func (room *Room) wait(ctx context.Context, w http.ResponseWriter, out *http.ResponseController) error {
	timeout, cancel := durable.WithTimeout(ctx, pingEvery)
	defer cancel()
	err := room.news.Wait(timeout)
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	fmt.Fprint(w, ": ping\n\n")
	return out.Flush()
}

// event writes an event. If the client has gone, the next Flush fails.
func event(w http.ResponseWriter, kind, id string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // messages and names can always be encoded
	}
	if id != "" {
		fmt.Fprintf(w, "id: %s\n", id)
	}
	fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, data)
}

// move counts the streams of a member, and wakes all streams if one comes or goes.
func (room *Room) move(name string, by int) {
	before := room.members[name]
	room.members[name] = before + by
	if room.members[name] == 0 {
		delete(room.members, name)
	}
	if (before == 0) != (before+by == 0) {
		room.changes++
		room.news.Broadcast()
	}
}

// Alarm clears messages that are old enough, and sets the alarm for the next one.
func (room *Room) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	messages, err := room.after(ctx, 0)
	if err != nil {
		return err
	}
	var old []string
	for _, m := range messages {
		if due := m.Sent.Add(keepFor); due.After(durable.Now(ctx)) {
			break
		}
		old = append(old, messageKey(m.ID))
	}
	if _, err := room.storage.DeleteMany(ctx, old); err != nil {
		return err
	}
	durable.Logger(ctx).Info("cleared messages", "count", len(old))
	switch {
	case len(old) < len(messages):
		return room.storage.SetAlarm(ctx, messages[len(old)].Sent.Add(keepFor))
	case len(old) == page:
		return room.storage.SetAlarm(ctx, durable.Now(ctx)) // there may be more
	default:
		return nil
	}
}

const messagePrefix = "message:"

// messageKey returns a key that sorts by number.
func messageKey(id int) string { return fmt.Sprintf("%s%010d", messagePrefix, id) }

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}

package main

import (
	"context"
	"net/http"
	"time"

	"devtool.internal/durable"
)

// A Reservation is a booking as a room knows it.
type Reservation struct {
	ID    string    `json:"id"` // CUSTOMER/BOOKING
	From  time.Time `json:"from"`
	Hours int       `json:"hours"`
}

func (v Reservation) end() time.Time { return v.From.Add(time.Duration(v.Hours) * time.Hour) }

// A Room has reservations, no two of which overlap. The key of each is its first hour.
type Room struct {
	http.Handler // routes requests to the methods below
	storage      *durable.Storage
}

func newRoom(_ context.Context, state *durable.State, _ *durable.Env) (*Room, error) {
	room := &Room{storage: state.Storage}
	mux := http.NewServeMux()
	mux.Handle("GET /rooms/{name}/reservations", durable.HandlerFunc(room.list))
	mux.Handle("PUT /reservation", durable.HandlerFunc(room.reserve))
	mux.Handle("DELETE /reservation", durable.HandlerFunc(room.release))
	room.Handler = mux
	return room, nil
}

// list answers with the reservations that are not over.
func (room *Room) list(w http.ResponseWriter, r *http.Request) error {
	all, err := room.after(r.Context(), durable.Now(r.Context()))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, all)
}

// reserve makes a reservation. A second request for the same one changes nothing.
func (room *Room) reserve(_ http.ResponseWriter, r *http.Request) error {
	var wanted Reservation
	if err := decode(r, &wanted); err != nil {
		return err
	}
	all, err := room.after(r.Context(), wanted.From)
	if err != nil {
		return err
	}
	if len(all) > 0 && all[0].ID != wanted.ID && all[0].From.Before(wanted.end()) {
		return durable.HTTPError(http.StatusConflict, "the room is taken by "+all[0].ID)
	}
	return room.storage.Put(r.Context(), hourKey(wanted.From), wanted)
}

// release removes a reservation, if there is one.
func (room *Room) release(_ http.ResponseWriter, r *http.Request) error {
	var unwanted Reservation
	if err := decode(r, &unwanted); err != nil {
		return err
	}
	key := hourKey(unwanted.From)
	stored, _, err := durable.Get[Reservation](r.Context(), room.storage, key)
	if err != nil || stored.ID != unwanted.ID {
		return err
	}
	_, err = room.storage.Delete(r.Context(), key)
	return err
}

// after returns the reservations that end after t, in the order of their times.
func (room *Room) after(ctx context.Context, t time.Time) ([]Reservation, error) {
	start := hourKey(t.Add(-maxHours * time.Hour)) // none is longer
	items, err := durable.List[Reservation](ctx, room.storage, durable.ListOptions{Start: start})
	all := []Reservation{} // an empty array in JSON
	for _, item := range items {
		if item.Value.end().After(t) {
			all = append(all, item.Value)
		}
	}
	return all, err
}

// hourKey returns a key that sorts by time, such as 2030-01-31T09.
func hourKey(t time.Time) string { return t.UTC().Format("2006-01-02T15") }

package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"devtool.internal/durable"
)

// A Reservation is a booking as the room knows it.
type Reservation struct {
	ID   string    `json:"id"` // CUSTOMER/BOOKING
	From time.Time `json:"from"`
	To   time.Time `json:"to"` // not included
}

// A Room has reservations, no two of which overlap. Storage has two keys for each:
//
//	from:TIME   the reservation, so that its neighbors are the keys before and after it
//	id:ID       when it begins
type Room struct {
	http.Handler // routes requests to the methods below
	name         string
	storage      *durable.Storage
	max          int // of the reservations that are not over
}

func newRoom(_ context.Context, state *durable.State, env *durable.Env) (*Room, error) {
	room := &Room{storage: state.Storage}
	room.name, _ = state.ID.Name()
	mux := http.NewServeMux()
	mux.Handle("GET /bookings", durable.HandlerFunc(room.list))
	mux.Handle("PUT /bookings/{customer}/{id}", durable.HandlerFunc(room.reserve))
	mux.Handle("DELETE /bookings/{customer}/{id}", durable.HandlerFunc(room.release))
	room.Handler = mux
	var err error
	room.max, err = strconv.Atoi(env.Var("MAX_BOOKINGS"))
	return room, err
}

// upcoming returns the reservations that are not over, in the order of their times.
func (room *Room) upcoming(ctx context.Context) ([]Reservation, error) {
	now := durable.Now(ctx)
	items, err := durable.List[Reservation](ctx, room.storage, durable.ListOptions{
		Prefix: "from:", Start: fromKey(now.Add(-maxLength)),
	})
	all := []Reservation{}
	for _, item := range items {
		if item.Value.To.After(now) {
			all = append(all, item.Value)
		}
	}
	return all, err
}

func (room *Room) list(w http.ResponseWriter, r *http.Request) error {
	all, err := room.upcoming(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, all)
}

// reserve makes a reservation. A second request for the same one changes nothing.
func (room *Room) reserve(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var wanted Reservation
	if err := decode(r, &wanted); err != nil {
		return err
	}
	wanted.ID = reservationID(r)
	if _, found, err := durable.Get[time.Time](ctx, room.storage, "id:"+wanted.ID); found || err != nil {
		return err
	}
	upcoming, err := room.upcoming(ctx)
	if err != nil {
		return err
	}
	if len(upcoming) >= room.max {
		// The flag tells the caller not to try again.
		return fmt.Errorf("reserve %s: %w", wanted.ID, &durable.Error{
			Message:    fmt.Sprintf("room %s has %d bookings and takes no more", room.name, len(upcoming)),
			Overloaded: true,
		})
	}
	// As no two reservations overlap, only the last one that begins before wanted ends can overlap
	// it.
	before, err := durable.List[Reservation](ctx, room.storage, durable.ListOptions{
		Prefix: "from:", End: fromKey(wanted.To), Reverse: true, Limit: 1,
	})
	if err != nil {
		return err
	}
	if len(before) > 0 && before[0].Value.To.After(wanted.From) {
		taken := before[0].Value
		return durable.HTTPError(http.StatusConflict, fmt.Sprintf("room %s is taken from %s to %s",
			room.name, taken.From.Format(time.RFC3339), taken.To.Format(time.RFC3339)))
	}
	return room.storage.PutMany(ctx, map[string]any{
		fromKey(wanted.From): wanted,
		"id:" + wanted.ID:    wanted.From,
	})
}

// release removes a reservation, if there is one.
func (room *Room) release(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), reservationID(r)
	from, found, err := durable.Get[time.Time](ctx, room.storage, "id:"+id)
	if !found || err != nil {
		return err
	}
	_, err = room.storage.DeleteMany(ctx, []string{"id:" + id, fromKey(from)})
	return err
}

// reservationID returns the id that the path of a request names. Each customer names its own
// bookings.
func reservationID(r *http.Request) string { return r.PathValue("customer") + "/" + r.PathValue("id") }

// fromKey returns a key that sorts by time: seconds since 1970 have 10 digits until the year 2286.
func fromKey(from time.Time) string { return fmt.Sprintf("from:%010d", from.Unix()) }

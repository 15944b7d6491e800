package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"devtool.internal/durable"
)

const (
	tryAgain     = 30 * time.Second // from the start of a booking to its first alarm, and between alarms
	maxRooms     = 5
	maxHours     = 24
	pricePerHour = 10 // of each room
)

// States of a booking.
const (
	reserving = "reserving" // paid; some rooms may be reserved
	confirmed = "confirmed" // all rooms are reserved
	releasing = "releasing" // a room refused; some rooms may still be reserved
	released  = "released"  // no room is reserved, and the money is back
)

// A Booking is confirmed for all of its rooms, or for none.
type Booking struct {
	ID    string    `json:"id"`
	Rooms []string  `json:"rooms"`
	From  time.Time `json:"from"`
	Hours int       `json:"hours"`
	State string    `json:"state"`
	busy  bool      // while a handler is taking it further
}

func (b *Booking) open() bool { return b.State == reserving || b.State == releasing }

func (b *Booking) price() int { return len(b.Rooms) * b.Hours * pricePerHour }

// An Account is what a customer sees.
type Account struct {
	Credit   int                 `json:"credit"`
	Bookings map[string]*Booking `json:"bookings"` // by id
}

// A Customer has credit and bookings. While a booking is open an alarm is set, which takes it
// further if the request that began it could not.
type Customer struct {
	http.Handler // routes requests to the methods below
	name         string
	storage      *durable.Storage
	rooms        *durable.Namespace
	account      Account // as it is stored
}

func newCustomer(ctx context.Context, state *durable.State, env *durable.Env) (*Customer, error) {
	c := &Customer{storage: state.Storage, rooms: env.Namespace("ROOMS")}
	c.name, _ = state.ID.Name()
	mux := http.NewServeMux()
	mux.Handle("GET /customers/{name}/", durable.HandlerFunc(c.show))
	mux.Handle("POST /customers/{name}/credit", durable.HandlerFunc(c.pay))
	mux.Handle("PUT /customers/{name}/bookings/{id}", durable.HandlerFunc(c.book))
	c.Handler = mux
	credit, _, err := durable.Get[int](ctx, c.storage, "credit")
	if err != nil {
		return nil, err
	}
	c.account = Account{credit, make(map[string]*Booking)}
	items, err := durable.List[Booking](ctx, c.storage, durable.ListOptions{Prefix: "booking:"})
	for _, item := range items {
		c.account.Bookings[item.Value.ID] = &item.Value
	}
	return c, err
}

func (c *Customer) show(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, c.account)
}

// pay adds to the credit.
func (c *Customer) pay(w http.ResponseWriter, r *http.Request) error {
	var payment struct{ Amount int }
	if err := decode(r, &payment); err != nil {
		return err
	}
	if payment.Amount <= 0 {
		return durable.HTTPError(http.StatusBadRequest, "pay a positive amount")
	}
	credit := c.account.Credit + payment.Amount
	if err := c.storage.Put(r.Context(), "credit", credit); err != nil {
		return err
	}
	c.account.Credit = credit
	return c.show(w, r)
}

// book books rooms. The client chooses the id: if it repeats a request, because the answer was
// lost, it gets the same booking.
func (c *Customer) book(w http.ResponseWriter, r *http.Request) error {
	var wanted Booking
	if err := decode(r, &wanted); err != nil {
		return err
	}
	wanted.ID = r.PathValue("id")
	b, found := c.account.Bookings[wanted.ID]
	if !found {
		b = &wanted
		if err := c.begin(r.Context(), b); err != nil {
			return err
		}
	}
	c.settle(r.Context(), b)
	status := http.StatusCreated
	switch {
	case b.open():
		status = http.StatusAccepted
	case b.State == released:
		status = http.StatusConflict
	case found:
		status = http.StatusOK
	}
	return writeJSON(w, status, b)
}

// begin stores a new booking, its payment and the alarm. These writes are one transaction, because
// the turn is kept meanwhile. It is committed before the first request to a room leaves.
func (c *Customer) begin(ctx context.Context, b *Booking) error {
	slices.Sort(b.Rooms)
	b.Rooms = slices.Compact(b.Rooms) // nobody pays twice for a room
	if len(b.Rooms) == 0 || len(b.Rooms) > maxRooms || b.Hours < 1 || b.Hours > maxHours ||
		!b.From.Equal(b.From.Truncate(time.Hour)) || b.From.Before(durable.Now(ctx)) {
		return durable.HTTPError(http.StatusBadRequest, "book one to five rooms for whole hours, at most a day")
	}
	if c.account.Credit < b.price() {
		return durable.HTTPError(http.StatusPaymentRequired, "the credit is too low")
	}
	b.State = reserving
	if err := c.save(ctx, b, c.account.Credit-b.price()); err != nil {
		return err
	}
	return c.arm(ctx)
}

// Alarm takes the open bookings further. It runs every half minute until none is open.
func (c *Customer) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	open := false
	for _, id := range slices.Sorted(maps.Keys(c.account.Bookings)) {
		b := c.account.Bookings[id]
		c.settle(ctx, b)
		open = open || b.open()
	}
	if !open {
		return nil
	}
	return c.arm(ctx)
}

// arm sets the alarm that takes open bookings further, unless it is set already.
func (c *Customer) arm(ctx context.Context) error {
	if _, set, err := c.storage.GetAlarm(ctx); set || err != nil {
		return err
	}
	return c.storage.SetAlarm(ctx, durable.Now(ctx).Add(tryAgain))
}

// settle takes a booking as far as the rooms answer. The object gives its turn up at each request
// to a room. So busy keeps two handlers from the same booking.
func (c *Customer) settle(ctx context.Context, b *Booking) {
	if b.busy {
		return
	}
	b.busy = true
	defer func() { b.busy = false }()
	if err := c.proceed(ctx, b); err != nil {
		durable.Logger(ctx).Warn("booking stays open", "booking", b.ID, "error", err)
	}
}

// proceed is settle for the only handler of a booking. It stores each step before the next one.
func (c *Customer) proceed(ctx context.Context, b *Booking) error {
	if b.State == reserving {
		refused, err := c.ask(ctx, http.MethodPut, b)
		if err != nil {
			return err
		}
		b.State = confirmed
		if refused {
			b.State = releasing
		}
		if err := c.save(ctx, b, c.account.Credit); err != nil {
			return err
		}
	}
	if b.State == releasing {
		if _, err := c.ask(ctx, http.MethodDelete, b); err != nil {
			return err
		}
		b.State = released
		return c.save(ctx, b, c.account.Credit+b.price())
	}
	return nil
}

// save stores a booking and the credit, and then shows both in the account.
func (c *Customer) save(ctx context.Context, b *Booking, credit int) error {
	if err := c.storage.PutMany(ctx, map[string]any{"booking:" + b.ID: b, "credit": credit}); err != nil {
		return err
	}
	c.account.Credit, c.account.Bookings[b.ID] = credit, b
	return nil
}

// ask sends a booking to one room after the other, and reports whether one refused. An error means
// that a room may have done what was asked or not.
func (c *Customer) ask(ctx context.Context, method string, b *Booking) (refused bool, err error) {
	body, err := json.Marshal(Reservation{ID: c.name + "/" + b.ID, From: b.From, Hours: b.Hours})
	if err != nil {
		return false, err
	}
	for _, room := range b.Rooms {
		r, err := http.NewRequestWithContext(ctx, method, "http://room/reservation", bytes.NewReader(body))
		if err != nil {
			return false, err
		}
		response, err := c.rooms.GetByName(room).Fetch(r)
		if err != nil {
			return false, fmt.Errorf("%s room %s: %w", method, room, err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusConflict {
			return true, nil
		}
		if response.StatusCode != http.StatusOK {
			return false, fmt.Errorf("%s room %s: %s", method, room, response.Status)
		}
	}
	return false, nil
}

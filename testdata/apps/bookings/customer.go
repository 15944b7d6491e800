package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"devtool.internal/durable"
)

const (
	tryAgain  = 30 * time.Second // from the start of a booking to its first alarm, and between alarms
	giveUp    = 10 * time.Minute // from the start of a booking to its release, if a room does not answer
	noCancel  = 24 * time.Hour   // before its start, a booking can't be canceled
	maxRooms  = 5
	maxLength = 24 * time.Hour
)

// A State says how far a booking is.
type State string

const (
	Reserving State = "reserving" // paid; some rooms may be reserved
	Confirmed State = "confirmed" // all rooms are reserved
	Releasing State = "releasing" // given up; some rooms may still be reserved
	Released  State = "released"  // no room is reserved, and the money is back
)

// A Booking of a customer is that of all its rooms.
type Booking struct {
	ID      string    `json:"id"`
	Rooms   []string  `json:"rooms"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Price   int       `json:"price"`
	State   State     `json:"state"`
	Reason  string    `json:"reason,omitempty"` // for giving it up
	Started time.Time `json:"started"`
}

func (b Booking) open() bool { return b.State == Reserving || b.State == Releasing }

// A Customer has credit and bookings. While a booking is open an alarm is set, which takes it
// further if the request that began it could not.
type Customer struct {
	http.Handler // routes requests to the methods below
	name         string
	storage      *durable.Storage
	rooms        *durable.Namespace
	pricePerHour int
	busy         map[string]bool // bookings that a handler is taking further at the moment
}

func newCustomer(_ context.Context, state *durable.State, env *durable.Env) (*Customer, error) {
	c := &Customer{storage: state.Storage, rooms: env.Namespace("ROOMS"), busy: make(map[string]bool)}
	c.name, _ = state.ID.Name()
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", durable.HandlerFunc(c.show))
	mux.Handle("POST /credit", durable.HandlerFunc(c.pay))
	mux.Handle("PUT /bookings/{id}", durable.HandlerFunc(c.book))
	mux.Handle("DELETE /bookings/{id}", durable.HandlerFunc(c.cancel))
	c.Handler = mux
	var err error
	c.pricePerHour, err = strconv.Atoi(env.Var("PRICE_PER_HOUR"))
	return c, err
}

// An Account is what a customer sees.
type Account struct {
	Credit   int       `json:"credit"`
	Bookings []Booking `json:"bookings"`
}

func (c *Customer) show(w http.ResponseWriter, r *http.Request) error {
	credit, _, err := durable.Get[int](r.Context(), c.storage, "credit")
	if err != nil {
		return err
	}
	items, err := durable.List[Booking](r.Context(), c.storage, durable.ListOptions{Prefix: "booking:"})
	if err != nil {
		return err
	}
	account := Account{Credit: credit, Bookings: []Booking{}}
	for _, item := range items {
		account.Bookings = append(account.Bookings, item.Value)
	}
	return writeJSON(w, http.StatusOK, account)
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
	if err := c.addCredit(r.Context(), payment.Amount); err != nil {
		return err
	}
	return c.show(w, r)
}

func (c *Customer) addCredit(ctx context.Context, amount int) error {
	credit, _, err := durable.Get[int](ctx, c.storage, "credit")
	if err != nil {
		return err
	}
	return c.storage.Put(ctx, "credit", credit+amount)
}

// book books rooms. The client chooses the id: if it repeats a request, because the answer was
// lost, it gets the same booking.
func (c *Customer) book(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), r.PathValue("id")
	b, found, err := durable.Get[Booking](ctx, c.storage, "booking:"+id)
	if err != nil {
		return err
	}
	if !found {
		if b, err = c.begin(r, id); err != nil {
			return err
		}
	}
	if err := c.settle(ctx, &b); err != nil {
		durable.Logger(ctx).Warn("booking stays open", "booking", id, "error", err)
	}
	switch {
	case b.open():
		return writeJSON(w, http.StatusAccepted, b)
	case b.State == Released:
		return writeJSON(w, http.StatusConflict, b)
	case found:
		return writeJSON(w, http.StatusOK, b)
	default:
		return writeJSON(w, http.StatusCreated, b)
	}
}

// begin stores a new booking, its payment and the alarm. These writes are one transaction, because
// the turn is kept meanwhile. It is committed before the first request to a room leaves.
func (c *Customer) begin(r *http.Request, id string) (Booking, error) {
	ctx := r.Context()
	var b Booking
	if err := decode(r, &b); err != nil {
		return b, err
	}
	now := durable.Now(ctx)
	slices.Sort(b.Rooms)
	b.Rooms = slices.Compact(b.Rooms) // nobody pays twice for a room
	b.From, b.To = b.From.UTC(), b.To.UTC()
	length := b.To.Sub(b.From)
	if len(b.Rooms) == 0 || len(b.Rooms) > maxRooms || length <= 0 || length > maxLength ||
		length%time.Hour != 0 || !b.From.Equal(b.From.Truncate(time.Hour)) || b.From.Before(now) {
		return b, durable.HTTPError(http.StatusBadRequest, "book one to five rooms for whole hours, at most a day")
	}
	b.ID, b.State, b.Reason, b.Started = id, Reserving, "", now
	b.Price = len(b.Rooms) * int(length/time.Hour) * c.pricePerHour
	credit, _, err := durable.Get[int](ctx, c.storage, "credit")
	if err != nil {
		return b, err
	}
	if credit < b.Price {
		return b, durable.HTTPError(http.StatusPaymentRequired,
			fmt.Sprintf("this costs %d, you have %d", b.Price, credit))
	}
	err = c.storage.PutMany(ctx, map[string]any{"credit": credit - b.Price, "booking:" + id: b})
	if err != nil {
		return b, err
	}
	return b, c.arm(ctx)
}

// arm sets the alarm that takes open bookings further, unless it is set already.
func (c *Customer) arm(ctx context.Context) error {
	if _, set, err := c.storage.GetAlarm(ctx); set || err != nil {
		return err
	}
	return c.storage.SetAlarm(ctx, durable.Now(ctx).Add(tryAgain))
}

// cancel gives a confirmed booking up.
func (c *Customer) cancel(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), r.PathValue("id")
	b, found, err := durable.Get[Booking](ctx, c.storage, "booking:"+id)
	if err != nil {
		return err
	}
	now := durable.Now(ctx)
	switch {
	case !found:
		return durable.HTTPError(http.StatusNotFound, "no such booking")
	case b.State == Reserving:
		return durable.HTTPError(http.StatusConflict, "the booking is not complete yet")
	case b.State == Confirmed && b.From.Sub(now) < noCancel:
		return durable.HTTPError(http.StatusConflict, "it is too late to cancel")
	case b.State == Confirmed:
		if err := c.release(ctx, &b, "canceled"); err != nil {
			return err
		}
		if err := c.arm(ctx); err != nil {
			return err
		}
	}
	if err := c.settle(ctx, &b); err != nil {
		durable.Logger(ctx).Warn("booking stays open", "booking", id, "error", err)
	}
	return writeJSON(w, http.StatusOK, b)
}

// Alarm takes the open bookings further. It runs every half minute until none is open.
func (c *Customer) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	items, err := durable.List[Booking](ctx, c.storage, durable.ListOptions{Prefix: "booking:"})
	if err != nil {
		return err
	}
	open := false
	for _, item := range items {
		// The request to a room for one booking lets other handlers change the next one.
		b, _, err := durable.Get[Booking](ctx, c.storage, item.Key)
		if err != nil {
			return err
		}
		if !b.open() {
			continue
		}
		if b.State == Reserving && durable.Now(ctx).Sub(b.Started) >= giveUp && !c.busy[b.ID] {
			if err := c.release(ctx, &b, "a room does not answer"); err != nil {
				return err
			}
		}
		if err := c.settle(ctx, &b); err != nil {
			durable.Logger(ctx).Warn("booking stays open", "booking", b.ID, "error", err)
		}
		open = open || b.open()
	}
	if !open {
		return nil
	}
	return c.arm(ctx)
}

// settle takes a booking as far as the rooms answer. The object gives its turn up at each request
// to a room. So busy keeps two handlers from the same booking, and each step is stored before the
// next one.
func (c *Customer) settle(ctx context.Context, b *Booking) error {
	if c.busy[b.ID] || !b.open() {
		return nil
	}
	c.busy[b.ID] = true
	defer delete(c.busy, b.ID)
	if b.State == Reserving {
		refused, err := c.reserve(ctx, b)
		switch {
		case err != nil:
			return err
		case refused == "":
			b.State = Confirmed
			return c.storage.Put(ctx, "booking:"+b.ID, b)
		}
		if err := c.release(ctx, b, refused); err != nil {
			return err
		}
	}
	for _, room := range b.Rooms {
		if err := call(ctx, c.rooms.GetByName(room), http.MethodDelete, c.path(b), nil); err != nil {
			return err
		}
	}
	// The credit is read after the last request, because it may have changed meanwhile.
	b.State = Released
	if err := c.addCredit(ctx, b.Price); err != nil {
		return err
	}
	return c.storage.Put(ctx, "booking:"+b.ID, b)
}

// reserve reserves the rooms of a booking, and returns why one of them refused. An error means that
// a room may have reserved or not.
func (c *Customer) reserve(ctx context.Context, b *Booking) (refused string, err error) {
	for _, room := range b.Rooms {
		err := call(ctx, c.rooms.GetByName(room), http.MethodPut, c.path(b), Reservation{From: b.From, To: b.To})
		if refusal, ok := errors.AsType[*Refusal](err); ok {
			return refusal.Reason, nil
		}
		if failed, ok := errors.AsType[*durable.Error](err); ok && failed.Overloaded {
			return failed.Message, nil // its flag says that it has reserved nothing
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// release stores that a booking is given up. settle then releases its rooms.
func (c *Customer) release(ctx context.Context, b *Booking, reason string) error {
	b.State, b.Reason = Releasing, reason
	return c.storage.Put(ctx, "booking:"+b.ID, b)
}

// path returns the path of a booking in each of its rooms.
func (c *Customer) path(b *Booking) string {
	return "/bookings/" + url.PathEscape(c.name) + "/" + url.PathEscape(b.ID)
}

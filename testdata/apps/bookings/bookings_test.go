package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// A desk takes the requests of customers.
type desk struct {
	t   *testing.T
	srv *durabletest.Server
}

func open(t *testing.T) desk {
	t.Helper()
	return desk{t, durabletest.Start(t, worker, durabletest.Options{})}
}

// want fails the test if a request is not answered with status. It returns the answer.
func (d desk) want(status int, method, path, body string) string {
	d.t.Helper()
	got, answer := d.srv.Fetch(method, path, body)
	if got != status {
		d.t.Fatalf("%s %s: got %d %s, want %d", method, path, got, answer, status)
	}
	return answer
}

// get decodes the answer of a GET request.
func (d desk) get(path string, answer any) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.want(http.StatusOK, "GET", path, "")), answer); err != nil {
		d.t.Fatal(err)
	}
}

// times returns the members from and hours of a booking, which begins so many hours from now.
func (d desk) times(from, hours int) string {
	d.t.Helper()
	begin := d.srv.Clock.Now().Truncate(time.Hour).Add(time.Duration(from) * time.Hour)
	return fmt.Sprintf(`"from": %q, "hours": %d`, begin.Format(time.RFC3339), hours)
}

// book books one hour, two days ahead, of rooms, which are JSON strings.
func (d desk) book(status int, customer, id, rooms string) {
	d.t.Helper()
	d.want(status, "PUT", "/customers/"+customer+"/bookings/"+id, `{"rooms": [`+rooms+`], `+d.times(48, 1)+`}`)
}

func (d desk) pay(customer string, amount int) {
	d.t.Helper()
	d.want(http.StatusOK, "POST", "/customers/"+customer+"/credit", fmt.Sprintf(`{"amount": %d}`, amount))
}

// check compares the credit and the bookings of a customer, such as "10 a=confirmed b=released".
func (d desk) check(customer, want string) {
	d.t.Helper()
	var account Account
	d.get("/customers/"+customer+"/", &account)
	got := fmt.Sprint(account.Credit)
	for _, id := range slices.Sorted(maps.Keys(account.Bookings)) {
		got += fmt.Sprintf(" %s=%s", id, account.Bookings[id].State)
	}
	if got != want {
		d.t.Errorf("%s: got %s, want %s", customer, got, want)
	}
}

// checkRoom compares the ids of the reservations of a room.
func (d desk) checkRoom(room, want string) {
	d.t.Helper()
	var all []Reservation
	d.get("/rooms/"+room+"/reservations", &all)
	var ids []string
	for _, r := range all {
		ids = append(ids, r.ID)
	}
	if got := strings.Join(ids, " "); got != want {
		d.t.Errorf("room %s: got %q, want %q", room, got, want)
	}
}

func TestABookingIsPaidAndReserved(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.pay("ada", 50)
	d.book(http.StatusCreated, "ada", "a", `"red", "blue", "red"`)
	d.book(http.StatusOK, "ada", "a", `"red", "blue"`) // repeated, it costs nothing
	d.check("ada", "30 a=confirmed")
	d.checkRoom("red", "ada/a")
	d.checkRoom("blue", "ada/a")
	if fired := d.srv.Clock.Advance(time.Hour); len(fired) != 1 || fired[0].Outcome != durabletest.OutcomeOK {
		t.Errorf("got %v, want one alarm that finds nothing to do", fired)
	}
	d.check("ada", "30 a=confirmed")
	d.srv.Clock.Advance(48 * time.Hour)
	d.checkRoom("red", "") // it is over
}

func TestNoHourIsBookedTwice(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.pay("ada", 1000)
	for i, from := range []int{10, 50, 100} {
		d.want(http.StatusCreated, "PUT", fmt.Sprintf("/customers/ada/bookings/a%d", i),
			`{"rooms": ["red"], `+d.times(from, 3)+`}`)
	}
	for i, test := range []struct {
		from, hours, status int
	}{
		{49, 2, http.StatusConflict},
		{50, 1, http.StatusConflict},
		{51, 1, http.StatusConflict},
		{52, 5, http.StatusConflict},
		{40, 24, http.StatusConflict},
		{48, 2, http.StatusCreated},
		{53, 1, http.StatusCreated},
		{50, 25, http.StatusBadRequest},
		{50, 0, http.StatusBadRequest},
		{50, -1, http.StatusBadRequest},
		{-1, 2, http.StatusBadRequest},
	} {
		d.want(test.status, "PUT", fmt.Sprintf("/customers/ada/bookings/b%d", i),
			`{"rooms": ["red"], `+d.times(test.from, test.hours)+`}`)
	}
	d.want(http.StatusBadRequest, "PUT", "/customers/ada/bookings/c",
		`{"rooms": ["red"], "from": "2030-01-20T10:30:00Z", "hours": 1}`)
	d.checkRoom("red", "ada/a0 ada/b5 ada/a1 ada/b6 ada/a2")
}

// Many customers want the same two rooms at the same moment.
func TestOneOfManyGetsTheRooms(t *testing.T) {
	t.Parallel()
	d := open(t)
	const customers = 12
	var all []*durabletest.Pending
	for i := range customers {
		name := fmt.Sprintf("c%d", i)
		d.pay(name, 20)
		rooms := `"red", "blue"`
		if i%3 == 0 {
			rooms = `"blue"`
		}
		body := `{"rooms": [` + rooms + `], ` + d.times(48, 1) + `}`
		all = append(all, d.srv.Begin("PUT", "/customers/"+name+"/bookings/x", body))
	}
	won := 0
	for _, p := range all {
		switch status, answer := p.Wait(); status {
		case http.StatusCreated:
			won++
		case http.StatusConflict:
		default:
			t.Errorf("got %d %s, want 201 or 409", status, answer)
		}
	}
	paid := 0
	for i := range customers {
		var account Account
		d.get(fmt.Sprintf("/customers/c%d/", i), &account)
		if account.Credit < 20 {
			paid++
		}
	}
	if won != 1 || paid != 1 {
		t.Errorf("%d have a booking and %d have paid, want 1", won, paid)
	}
}

func TestARefusedBookingIsUndone(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.pay("ada", 10)
	d.pay("bob", 20)
	d.book(http.StatusCreated, "ada", "a", `"red"`)
	d.book(http.StatusConflict, "bob", "a", `"blue", "red"`) // blue reserves before red refuses
	d.check("bob", "20 a=released")
	d.checkRoom("blue", "")
	d.checkRoom("red", "ada/a")
	d.book(http.StatusConflict, "bob", "a", `"blue"`) // the id names the first booking
	d.book(http.StatusPaymentRequired, "bob", "b", `"blue", "green", "white"`)
	d.check("bob", "20 a=released")
}

// A room crashes, before or after it has stored the reservation. The customer can't know which.
func TestARoomThatCrashedIsAskedAgain(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{false, true} {
		d := open(t)
		d.pay("ada", 20)
		room := d.srv.Object("Room", "red")
		if stored {
			room.CrashAfterCommit()
		} else {
			room.CrashBeforeCommit()
		}
		d.book(http.StatusAccepted, "ada", "a", `"blue", "red"`)
		d.check("ada", "0 a=reserving")
		d.srv.Clock.Advance(tryAgain)
		d.check("ada", "0 a=confirmed")
		d.checkRoom("red", "ada/a")
		d.checkRoom("blue", "ada/a")
	}
}

// While a request waits for a room, the alarm leaves its booking alone.
func TestABookingIsTakenFurtherByOneHandler(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.pay("ada", 20)
	var booking *durabletest.Pending
	durabletest.Run(t, d.srv.Object("Room", "red"), func(context.Context, *Room, *durable.State) {
		booking = d.srv.Begin("PUT", "/customers/ada/bookings/a", `{"rooms": ["red"], `+d.times(48, 1)+`}`)
		d.srv.Settle()
		d.srv.Clock.Advance(10 * tryAgain)
		d.check("ada", "10 a=reserving")
	})
	if status, answer := booking.Wait(); status != http.StatusCreated {
		t.Errorf("got %d %s, want 201", status, answer)
	}
	d.checkRoom("red", "ada/a")
}

// While the alarm waits for the room of one booking, the customer completes another.
func TestTheAlarmSeesWhatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.pay("ada", 20)
	red, blue := d.srv.Object("Room", "red"), d.srv.Object("Room", "blue")
	red.CrashBeforeCommit()
	d.book(http.StatusAccepted, "ada", "a", `"red"`)
	blue.CrashBeforeCommit()
	d.book(http.StatusAccepted, "ada", "b", `"blue"`)
	advanced := make(chan struct{})
	durabletest.Run(t, red, func(context.Context, *Room, *durable.State) {
		go func() {
			defer close(advanced)
			d.srv.Clock.Advance(tryAgain)
		}()
		for alarm, set := d.srv.Object("Customer", "ada").Alarm(); set && !alarm.Running; {
			alarm, set = d.srv.Object("Customer", "ada").Alarm()
		}
		d.book(http.StatusOK, "ada", "b", `"blue"`)
		d.check("ada", "0 a=reserving b=confirmed")
	})
	<-advanced
	d.check("ada", "0 a=confirmed b=confirmed")
	d.checkRoom("red", "ada/a")
	d.checkRoom("blue", "ada/b")
}

func TestTheAlarmRunsUntilNoBookingIsOpen(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.pay("ada", 30)
	room := d.srv.Object("Room", "red")
	room.CrashBeforeCommit()
	d.book(http.StatusAccepted, "ada", "a", `"blue", "red"`)
	d.book(http.StatusCreated, "ada", "b", `"green"`)
	for range 10 {
		room.CrashBeforeCommit()
		d.srv.Clock.Advance(tryAgain)
	}
	d.check("ada", "0 a=reserving b=confirmed")
	d.checkRoom("blue", "ada/a")
	d.srv.Clock.Advance(tryAgain)
	d.check("ada", "0 a=confirmed b=confirmed")
	if alarm, set := d.srv.Object("Customer", "ada").Alarm(); set {
		t.Errorf("got an alarm although nothing is open: %v", alarm)
	}
}

// The customer crashes when it has paid, so its client gets no answer. Whether the client repeats
// the request or not, the booking is completed and paid once.
func TestACustomerThatCrashedPaysOnce(t *testing.T) {
	t.Parallel()
	for _, repeated := range []bool{false, true} {
		d := open(t)
		d.pay("ada", 20)
		d.srv.Object("Customer", "ada").CrashAfterCommit()
		d.book(http.StatusServiceUnavailable, "ada", "a", `"blue", "red"`)
		d.check("ada", "0 a=reserving")
		if repeated {
			d.book(http.StatusOK, "ada", "a", `"blue", "red"`)
		} else {
			d.srv.Clock.Advance(tryAgain)
		}
		d.check("ada", "0 a=confirmed")
		d.checkRoom("red", "ada/a")
	}
}

func TestACustomerThatCrashedBeforePayingHasNotBooked(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.pay("ada", 20)
	customer := d.srv.Object("Customer", "ada")
	customer.CrashBeforeCommit()
	d.book(http.StatusServiceUnavailable, "ada", "a", `"blue"`)
	d.check("ada", "20")
	d.checkRoom("blue", "")
	if _, set := customer.Alarm(); set {
		t.Error("the alarm was set, but the booking was not stored")
	}
}

// A room crashes when it releases a refused booking.
func TestARefusedBookingIsPaidBackOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.pay("ada", 40)
	d.pay("bob", 10)
	d.book(http.StatusCreated, "bob", "a", `"red"`)
	d.book(http.StatusCreated, "ada", "b", `"green"`)
	var booking *durabletest.Pending
	durabletest.Run(t, d.srv.Object("Room", "red"), func(context.Context, *Room, *durable.State) {
		booking = d.srv.Begin("PUT", "/customers/ada/bookings/a", `{"rooms": ["blue", "red"], `+d.times(48, 1)+`}`)
		d.srv.Settle()
		d.checkRoom("blue", "ada/a")
		d.srv.Object("Room", "blue").CrashBeforeCommit()
	})
	if status, answer := booking.Wait(); status != http.StatusAccepted {
		t.Errorf("got %d %s, want 202", status, answer)
	}
	d.check("ada", "10 a=releasing b=confirmed")
	d.srv.Object("Customer", "ada").FailNextAlarm() // it is tried again two seconds later
	d.srv.Clock.Advance(tryAgain)
	d.check("ada", "10 a=releasing b=confirmed")
	d.srv.Object("Customer", "ada").DuplicateNextAlarm() // and pays back once, although it runs twice
	d.srv.Clock.Advance(5 * time.Second)
	d.check("ada", "30 a=released b=confirmed")
	d.checkRoom("blue", "")
	d.checkRoom("red", "bob/a")
}

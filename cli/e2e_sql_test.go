package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An account is the answer of testdata/handlers/sql for one account.
type account struct {
	ID       int64     `json:"id"`
	Owner    string    `json:"owner"`
	Balance  int64     `json:"balance"`
	Active   bool      `json:"active"`
	OpenedAt time.Time `json:"opened_at"`
}

// TestGeneratedQueriesRunInsideAnObject runs code that sqlc has generated on an object's tables,
// through database/sql.
func TestGeneratedQueriesRunInsideAnObject(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "sql")
	s := p.dev("--frozen")
	accounts := func() (listed []account) {
		t.Helper()
		answer := s.get("/main/accounts")
		if err := json.Unmarshal([]byte(answer), &listed); err != nil {
			t.Fatalf("%v in %s", err, answer)
		}
		return listed
	}
	expect := func(when string, want ...int64) {
		t.Helper()
		var got []int64
		for _, a := range accounts() {
			got = append(got, a.Balance)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got balances %v, want %v", when, got, want)
		}
	}

	conflict := func(what, path, body, code string) {
		t.Helper()
		status, answer := s.fetch(http.MethodPost, path, body)
		if status != http.StatusConflict || answer != code+"\n" {
			t.Errorf("%s: got %d %q, want 409 with SQLite's code %s", what, status, answer, code)
		}
	}

	var opened []account
	answer := s.post("/main/accounts", `[{"owner":"ann","balance":1000000},{"owner":"bob","balance":5}]`)
	if err := json.Unmarshal([]byte(answer), &opened); err != nil {
		t.Fatal(err)
	}
	if len(opened) != 2 || opened[0].ID != 1 || opened[1].ID != 2 || !opened[1].Active ||
		opened[0].OpenedAt != p.time().Now {
		t.Errorf("opened at %s: got %+v", p.time().Now, opened)
	}
	expect("opened", 1000000, 5)
	conflict("a second account of one owner", "/main/accounts",
		`[{"owner":"eve","balance":1},{"owner":"ann","balance":1}]`, "SQLITE_CONSTRAINT_UNIQUE")
	expect("after two accounts of which one failed", 1000000, 5)

	if got := s.post("/main/transfers", `{"from":"ann","to":"bob","amount":400000}`); got != "1\n" {
		t.Errorf("the first transfer has the id %s, want 1", got)
	}
	expect("after a transfer", 600000, 400005)
	conflict("a transfer of too much", "/main/transfers",
		`{"from":"bob","to":"ann","amount":400006}`, "SQLITE_CONSTRAINT_CHECK")
	expect("after a transfer that failed", 600000, 400005)
	s.post("/main/close?owner=bob", "")
	status, answer := s.fetch(http.MethodPost, "/main/transfers", `{"from":"ann","to":"bob","amount":1}`)
	if status != http.StatusInternalServerError || !strings.Contains(answer, "0 accounts have changed") {
		t.Errorf("a transfer to a closed account: got %d %q", status, answer)
	}
	expect("after a transfer to a closed account", 600000, 400005)
	if got := s.get("/main/transfers"); got != "1\n" {
		t.Errorf("got %s transfers, want 1: the others must be rolled back", got)
	}
	balances, want := s.get("/main/balances?owner=bob&owner=nobody"), `[{"owner":"bob","balance":400005}]`+"\n"
	if balances != want {
		t.Errorf("balances: got %s, want %s", balances, want)
	}

	before := accounts()
	p.edit("main.go", `version = "v1"`, `version = "v2"`)
	s.awaitLog("reloaded in ")
	if got := s.get("/version"); got != "v2" {
		t.Errorf("after the reload: got version %q, want v2", got)
	}
	if got := accounts(); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Errorf("after the reload: got %v, want %v", got, before)
	}
	s.kill()
	s = p.dev("--frozen")
	if got := accounts(); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Errorf("after the emulator was killed: got %v, want %v", got, before)
	}
	if got := s.get("/other/accounts"); got != "null\n" {
		t.Errorf("another object: got accounts %s, want none", got)
	}
}

// TestMoreRowsThanFitIntoAPageAreListed reads a result of some hundred KiB, which takes several
// pages.
func TestMoreRowsThanFitIntoAPageAreListed(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "sql").dev()
	const n = 3000
	open := make([]account, n)
	for i := range open {
		open[i] = account{Owner: fmt.Sprintf("owner %050d", i), Balance: int64(i)}
	}
	body, err := json.Marshal(open)
	if err != nil {
		t.Fatal(err)
	}
	s.post("/main/accounts", string(body))
	var listed []account
	if err := json.Unmarshal([]byte(s.get("/main/accounts")), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed) != n {
		t.Fatalf("got %d accounts, want %d", len(listed), n)
	}
	for i, a := range listed {
		if a.Owner != open[i].Owner || a.Balance != open[i].Balance {
			t.Fatalf("account %d: got %+v, want %+v", i, a, open[i])
		}
	}
}

// Command sql is a worker whose objects store accounts in tables, with queries that sqlc has
// generated (see sqlc.yaml). A request to /NAME/DO goes to the bank NAME:
//
//	POST accounts   opens the accounts in the body, all of them or none
//	GET accounts    lists the accounts
//	GET balances    lists the balances of the owners in ?owner=
//	POST transfers  moves money between two accounts, or answers why it can't
//	GET transfers   counts the transfers
//	POST close      closes the account of the owner in ?owner=
package main

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"devtool.internal/durable"
)

// version is what the test edits.
const version = "v1"

//go:embed schema.sql
var schema string

func main() {
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{"Bank": durable.NewClass(newBank)},
	})
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			fmt.Fprint(w, version)
			return
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		env.Namespace("BANK").GetByName(name).ServeHTTP(w, r)
	})
}

// Bank is an object with the accounts of one bank.
type Bank struct {
	storage *durable.Storage
	queries *Queries
}

func newBank(ctx context.Context, state *durable.State, _ *durable.Env) (*Bank, error) {
	db := state.Storage.DB()
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, fmt.Errorf("create tables: %w", err)
	}
	return &Bank{storage: state.Storage, queries: New(db)}, nil
}

func (b *Bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, do, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	answer, err := b.do(r, r.Method+" "+do)
	if failed := (*durable.Error)(nil); errors.As(err, &failed) && failed.Code != "" {
		http.Error(w, failed.Code, http.StatusConflict)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // the client notices
}

func (b *Bank) do(r *http.Request, what string) (any, error) {
	ctx := r.Context()
	switch what {
	case "POST accounts":
		var accounts []CreateAccountParams
		if err := json.NewDecoder(r.Body).Decode(&accounts); err != nil {
			return nil, err
		}
		return b.open(ctx, accounts)
	case "GET accounts":
		return b.queries.ListAccounts(ctx, math.MaxInt32)
	case "GET balances":
		return b.queries.ListBalances(ctx, r.URL.Query()["owner"])
	case "POST transfers":
		var t transfer
		if err := json.NewDecoder(r.Body).Decode(&t); err != nil {
			return nil, err
		}
		return b.move(ctx, t)
	case "GET transfers":
		return b.queries.CountTransfers(ctx)
	case "POST close":
		owner := r.URL.Query().Get("owner")
		return nil, b.queries.CloseAccount(ctx, CloseAccountParams{
			Owner: owner, Note: sql.NullString{String: "closed", Valid: true},
		})
	}
	return nil, fmt.Errorf("unknown request %s", what)
}

// in runs fn in a transaction.
func (b *Bank) in(ctx context.Context, fn func(*Queries) error) error {
	tx, err := b.storage.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it may be committed
	if err := fn(b.queries.WithTx(tx)); err != nil {
		return err
	}
	return tx.Commit()
}

func (b *Bank) open(ctx context.Context, accounts []CreateAccountParams) (opened []Account, err error) {
	err = b.in(ctx, func(q *Queries) error {
		for _, params := range accounts {
			params.Active, params.OpenedAt = true, durable.Now(ctx)
			account, err := q.CreateAccount(ctx, params)
			if err != nil {
				return err
			}
			opened = append(opened, account)
		}
		return nil
	})
	return opened, err
}

type transfer struct {
	From, To string
	Amount   int64
}

// move records the transfer and adds to the target before it takes from the source. So there is
// something to roll back if the balance does not suffice.
func (b *Bank) move(ctx context.Context, t transfer) (id int64, err error) {
	err = b.in(ctx, func(q *Queries) error {
		source, err := q.GetAccount(ctx, t.From)
		if err != nil {
			return err
		}
		target, err := q.GetAccount(ctx, t.To)
		if err != nil {
			return err
		}
		id, err = q.CreateTransfer(ctx, CreateTransferParams{
			Source: source.ID, Target: target.ID, Amount: t.Amount, Fee: 0.5,
		})
		if err != nil {
			return err
		}
		for _, change := range []AddToBalanceParams{{t.Amount, target.ID}, {-t.Amount, source.ID}} {
			changed, err := q.AddToBalance(ctx, change)
			if err != nil {
				return err
			}
			if changed != 1 {
				return fmt.Errorf("%d accounts have changed: one is closed", changed)
			}
		}
		return nil
	})
	return id, err
}

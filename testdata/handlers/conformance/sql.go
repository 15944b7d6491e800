package main

import (
	"context"
	"errors"
	"fmt"

	"devtool.internal/durable"
)

// sqlFailure returns the fact of SQL that fails. It includes the message, which both runtimes
// share.
func sqlFailure(err error) (fact, error) {
	message := err.Error()
	if e := (*durable.Error)(nil); errors.As(err, &e) {
		if e.Reset {
			return nil, err
		}
		message = e.Message // without the prefix of the SDK
	}
	return map[string]any{"error": "sql", "message": message}, nil
}

// query runs SQL and returns all rows of its last statement, or "ok" if that has no columns.
func query(ctx context.Context, at *place, o op) (fact, error) {
	c, err := exec(ctx, at, o)
	if err != nil {
		return sqlFailure(err)
	}
	rows, err := rest(c)
	if err != nil {
		return sqlFailure(err)
	}
	if len(c.ColumnNames()) == 0 {
		return ok, nil
	}
	return rows, nil
}

func exec(ctx context.Context, at *place, o op) (*durable.Cursor, error) {
	args := make([]any, len(o.Args))
	for i := range o.Args {
		args[i] = decode(o.Args[i])
	}
	return at.obj.state.Storage.SQL().Exec(ctx, o.Query, args...)
}

// rest returns the rows that a cursor has left.
func rest(c *durable.Cursor) ([]any, error) {
	rows := []any{}
	for row, err := range c.Raw() {
		if err != nil {
			return nil, err
		}
		rows = append(rows, encode(row))
	}
	return rows, nil
}

// openCursor runs SQL and keeps the cursor under a name.
func openCursor(ctx context.Context, at *place, o op) (fact, error) {
	c, err := exec(ctx, at, o)
	if err != nil {
		return sqlFailure(err)
	}
	if at.cursors == nil {
		at.cursors = make(map[string]*durable.Cursor)
	}
	at.cursors[o.Key] = c
	return c.ColumnNames(), nil
}

func (at *place) cursor(o op) (*durable.Cursor, error) {
	c, found := at.cursors[o.Key]
	if !found {
		return nil, &thrown{fmt.Errorf("no cursor %q", o.Key)}
	}
	return c, nil
}

// nextRow returns the next row of a cursor.
func nextRow(_ context.Context, at *place, o op) (fact, error) {
	c, err := at.cursor(o)
	if err != nil {
		return nil, err
	}
	for row, err := range c.Raw() {
		if err != nil {
			return sqlFailure(err)
		}
		return encode(row), nil
	}
	return "end", nil
}

// otherRows returns the rows that a cursor has left.
func otherRows(_ context.Context, at *place, o op) (fact, error) {
	c, err := at.cursor(o)
	if err != nil {
		return nil, err
	}
	rows, err := rest(c)
	if err != nil {
		return sqlFailure(err)
	}
	return rows, nil
}

// onlyRow returns the row of a cursor that has exactly one left.
func onlyRow(_ context.Context, at *place, o op) (fact, error) {
	c, err := at.cursor(o)
	if err != nil {
		return nil, err
	}
	row := make([]any, len(c.ColumnNames()))
	dest := make([]any, len(row))
	for i := range row {
		dest[i] = &row[i]
	}
	if err := c.One(dest...); err != nil {
		return sqlFailure(err)
	}
	return encode(row), nil
}

// rowCounts returns how many rows a cursor has read and written so far.
func rowCounts(_ context.Context, at *place, o op) (fact, error) {
	c, err := at.cursor(o)
	if err != nil {
		return nil, err
	}
	return map[string]any{"read": c.RowsRead(), "written": c.RowsWritten()}, nil
}

func databaseSize(ctx context.Context, at *place, _ op) (fact, error) {
	size, err := at.obj.state.Storage.SQL().DatabaseSize(ctx)
	if err != nil {
		return sqlFailure(err)
	}
	return size, nil
}

// transaction runs a program in a transaction. What that program throws ends the transaction, but
// not the outer program. The In of operations, which names a transaction, matters to the other
// runtime alone: here all operations are part of the innermost one.
func transaction(ctx context.Context, at *place, o op) (fact, error) {
	var done []fact
	err := at.obj.state.Storage.Transaction(ctx, func(ctx context.Context) error {
		_, err := run(ctx, at, o.Do, func(f fact) { done = append(done, f) })
		return err
	})
	f := map[string]any{"facts": append([]fact{}, done...)}
	if thrown := (*thrown)(nil); errors.As(err, &thrown) {
		f["threw"] = thrown.Error()
	} else if err != nil {
		return nil, err
	}
	return f, nil
}

// rollback undoes the transaction that it is in, and ends its program.
func rollback(context.Context, *place, op) (fact, error) {
	return nil, &thrown{durable.ErrRollback}
}

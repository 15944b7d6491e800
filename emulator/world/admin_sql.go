package world

import (
	"context"
	"errors"
	"fmt"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
)

// maxResult is the approximate limit of the rows that one call of RunSQL returns, in bytes.
const maxResult = 32 << 20

// RunSQL runs SQL on the database of an object, which must exist. It has the rights and limits of
// the object's own SQL. It commits everything or nothing. The end of ctx interrupts it.
func (a Admin) RunSQL(ctx context.Context, which control.Object, q control.SQLRequest) (control.SQLResult, error) {
	if q.Limit < 0 {
		return control.SQLResult{}, badRequest("the limit is %d: it must be positive", q.Limit)
	}
	if q.Limit == 0 {
		q.Limit = control.DefaultRows
	}
	p, err := a.pin(which)
	if err != nil {
		return control.SQLResult{}, err
	}
	defer p.release()
	var answer control.SQLResult
	var failed error
	err = p.read(ctx, func(s *store.Object) error {
		stop := s.InterruptAfter(ctx)
		answer, failed = runSQL(s, q)
		stop()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case s.Dirty():
			return failed
		}
		return nil // an error would roll back, which ends the cursors of waiting handlers
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return control.SQLResult{}, explainSQL(err, len(q.Args))
	}
	return answer, nil
}

func runSQL(s *store.Object, q control.SQLRequest) (control.SQLResult, error) {
	args := make([]any, len(q.Args))
	for i, arg := range q.Args {
		args[i] = arg.V
	}
	cursor, err := s.Exec(q.Query, args)
	if err != nil {
		return control.SQLResult{}, err
	}
	defer cursor.Close()
	answer := control.SQLResult{Columns: append([]string{}, cursor.ColumnNames()...)}
	if answer.Rows, _, err = readRows(cursor, q.Limit, maxResult); err != nil {
		return control.SQLResult{}, err
	}
	answer.More = cursor.More()
	answer.RowsRead, answer.RowsWritten = cursor.RowsRead(), cursor.RowsWritten()
	return answer, nil
}

// readRows reads up to limit rows, stops after about maxBytes bytes, and returns the rows and their
// size in bytes.
func readRows(cursor *store.Cursor, limit, maxBytes int) (rows [][]control.SQLValue, size int, err error) {
	rows = [][]control.SQLValue{}
	for len(rows) < limit && size < maxBytes {
		row, ok, err := cursor.Next()
		if err != nil {
			return nil, 0, err
		}
		if !ok {
			break
		}
		values := make([]control.SQLValue, len(row))
		for i, v := range row {
			values[i].V = v
			size += sizeOf(v)
		}
		rows = append(rows, values)
	}
	return rows, size, nil
}

// explainSQL converts an error in the SQL into a *control.Error for the caller. args is the number
// of arguments.
func explainSQL(err error, args int) error {
	wrong := (*store.SQLError)(nil)
	if !errors.As(err, &wrong) {
		return err
	}
	refused := &control.Error{Code: control.CodeBadRequest, Message: wrong.Error()}
	if wrong.Offset >= 0 {
		at := wrong.Before + wrong.Offset
		refused.Offset = &at
	}
	if wrong.Bindings {
		refused.Hint = fmt.Sprintf("give an argument for each parameter of the last statement: there are %d", args)
	}
	return refused
}

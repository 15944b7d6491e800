package client_test

import (
	"net/http"
	"testing"

	"devtool.internal/emulator/control"
)

func TestAnswersOfSQLAreNeverNil(t *testing.T) {
	client := serve(t, answer(200, "application/json", `{"columns": null}`))
	got, err := client.RunSQL(t.Context(), control.Object{Class: "C", Name: "n"}, control.SQLRequest{Query: "SELECT 1"})
	if err != nil || got.Columns == nil || got.Rows == nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestErrorsOfSQLKeepTheirOffset(t *testing.T) {
	const bad = `{"error": "bad", "code": "bad_request", "offset": 0}`
	client := serve(t, answer(http.StatusBadRequest, "application/json", bad))
	_, err := client.RunSQL(t.Context(), control.Object{Class: "C", Name: "n"}, control.SQLRequest{})
	refused, ok := err.(*control.Error)
	if !ok || refused.Code != control.CodeBadRequest || refused.Offset == nil || *refused.Offset != 0 {
		t.Errorf("got %#v, want offset 0", err)
	}
}

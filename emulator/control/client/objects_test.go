package client_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

func TestClientSendsTheRequestsOfObjects(t *testing.T) {
	id := strings.Repeat("0a", 32)
	plain := control.Object{Class: "Batcher", Name: "a"}
	odd := control.Object{Class: "Batcher", Name: "a/b?c#d%2F ü"}
	ctx := t.Context()
	for _, test := range []struct {
		ask  func(c *client.Client) error
		want string
	}{
		{func(c *client.Client) error { _, err := c.ListObjects(ctx); return err }, "GET objects "},
		{func(c *client.Client) error { _, err := c.ShowObject(ctx, plain); return err }, "GET objects/Batcher/a "},
		{showing(ctx, odd), "GET objects/Batcher/a%2Fb%3Fc%23d%252F%20%C3%BC "},
		{showing(ctx, control.Object{Class: "Batcher", Name: ".."}), "GET objects/Batcher/%2E%2E "},
		{showing(ctx, control.Object{Class: "Batcher", Name: "."}), "GET objects/Batcher/%2E "},
		{showing(ctx, control.Object{Class: "Batcher", Name: "...", ID: id}), "GET objects/Batcher/" + id + " "},
		{
			func(c *client.Client) error { _, err := c.EvictObject(ctx, plain); return err },
			"POST objects/Batcher/a/evict ",
		},
		{
			func(c *client.Client) error { _, err := c.DeleteObject(ctx, plain, true); return err },
			"DELETE objects/Batcher/a?force=true ",
		},
		{listing(ctx, plain, control.EntriesRequest{}), "GET objects/Batcher/a/entries "},
		{
			listing(ctx, plain, control.EntriesRequest{Prefix: "a&b", Limit: 5}),
			"GET objects/Batcher/a/entries?limit=5&prefix=a%26b ",
		},
		{
			func(c *client.Client) error { _, err := c.GetEntry(ctx, plain, ""); return err },
			"GET objects/Batcher/a/entry?key= ",
		},
		{
			func(c *client.Client) error { _, err := c.DeleteEntry(ctx, plain, "a+b c"); return err },
			"DELETE objects/Batcher/a/entry?key=a%2Bb+c ",
		},
		{
			func(c *client.Client) error {
				put := control.PutRequest{Type: control.TypeBytes, Value: json.RawMessage(`"aGk="`)}
				_, err := c.PutEntry(ctx, plain, "k", put)
				return err
			},
			`PUT objects/Batcher/a/entry?key=k {"type":"bytes","value":"aGk="}`,
		},
		{
			func(c *client.Client) error {
				args := []control.SQLValue{{V: int64(1)}, {V: nil}}
				_, err := c.RunSQL(ctx, plain, control.SQLRequest{Query: "SELECT ?, ?", Args: args})
				return err
			},
			`POST objects/Batcher/a/sql {"query":"SELECT ?, ?","args":[1,null]}`,
		},
		{
			func(c *client.Client) error {
				_, err := c.AbortObject(ctx, plain, control.AbortRequest{Reason: "why", DropAlarm: true})
				return err
			},
			`POST objects/Batcher/a/abort {"reason":"why","dropAlarm":true}`,
		},
		{
			func(c *client.Client) error { _, err := c.SnapshotObject(ctx, odd); return err },
			"GET objects/Batcher/a%2Fb%3Fc%23d%252F%20%C3%BC/snapshot ",
		},
		{
			func(c *client.Client) error {
				_, err := c.InjectFault(ctx, control.Fault{Object: plain, Fault: control.FaultFailAlarm})
				return err
			},
			`POST faults {"class":"Batcher","name":"a","fault":"fail-alarm"}`,
		},
		{func(c *client.Client) error { _, err := c.ListFaults(ctx); return err }, "GET faults "},
		{func(c *client.Client) error { _, err := c.DropFaults(ctx); return err }, "DELETE faults "},
	} {
		wantRequest(t, test.ask, test.want)
	}
}

func showing(ctx context.Context, o control.Object) func(*client.Client) error {
	return func(c *client.Client) error { _, err := c.ShowObject(ctx, o); return err }
}

func listing(ctx context.Context, o control.Object, q control.EntriesRequest) func(*client.Client) error {
	return func(c *client.Client) error { _, err := c.ListEntries(ctx, o, q); return err }
}

func TestListsAreNeverNil(t *testing.T) {
	client := serve(t, answer(200, "application/json", `{"objects": null}`))
	objects, err := client.ListObjects(t.Context())
	if err != nil || objects.Objects == nil {
		t.Errorf("objects: got %+v, %v", objects, err)
	}
	entries, err := client.ListEntries(t.Context(), control.Object{Class: "C", Name: "n"}, control.EntriesRequest{})
	if err != nil || entries.Entries == nil {
		t.Errorf("entries: got %+v, %v", entries, err)
	}
	client = serve(t, answer(200, "application/json", `{}`))
	snapshot, err := client.SnapshotObject(t.Context(), control.Object{Class: "C", Name: "n"})
	if err != nil || snapshot.Entries == nil || snapshot.Tables == nil {
		t.Errorf("snapshot: got %+v, %v", snapshot, err)
	}
	for _, list := range []func(context.Context) (control.Faults, error){client.ListFaults, client.DropFaults} {
		if faults, err := list(t.Context()); err != nil || faults.Faults == nil {
			t.Errorf("faults: got %+v, %v", faults, err)
		}
	}
}

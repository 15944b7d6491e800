package emulator

import (
	"net/http"
	"strconv"

	"devtool.internal/emulator/control"
)

// maxPut bounds the body of a put, and of SQL with its arguments, in bytes. Base64 and escapes make
// a body larger than the stored value.
const maxPut = 64 << 20

// objectsAPI adds the requests about objects and their entries.
func (e controlAPI) objectsAPI(handle func(pattern string, f func(*http.Request) (any, error))) {
	a := e.world.Admin()
	handle("GET objects", func(r *http.Request) (any, error) { return a.ListObjects(r.Context()) })
	handle("GET objects/{class}/{object}", func(r *http.Request) (any, error) {
		return a.ShowObject(r.Context(), namedObject(r))
	})
	handle("DELETE objects/{class}/{object}", func(r *http.Request) (any, error) {
		force, err := parseQuery(r, "force", strconv.ParseBool)
		if err != nil {
			return nil, err
		}
		return a.DeleteObject(r.Context(), namedObject(r), force)
	})
	handle("POST objects/{class}/{object}/evict", func(r *http.Request) (any, error) {
		return a.EvictObject(r.Context(), namedObject(r))
	})
	handle("POST objects/{class}/{object}/abort", func(r *http.Request) (any, error) {
		var q control.AbortRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		return a.AbortObject(r.Context(), namedObject(r), q)
	})
	handle("GET objects/{class}/{object}/snapshot", func(r *http.Request) (any, error) {
		return a.SnapshotObject(r.Context(), namedObject(r))
	})
	handle("POST objects/{class}/{object}/sql", func(r *http.Request) (any, error) {
		var q control.SQLRequest
		if err := decodeUpTo(maxPut, r, &q); err != nil {
			return nil, err
		}
		return a.RunSQL(r.Context(), namedObject(r), q)
	})
	handle("GET objects/{class}/{object}/entries", func(r *http.Request) (any, error) {
		limit, err := parseQuery(r, "limit", strconv.Atoi)
		if err != nil {
			return nil, err
		}
		q := control.EntriesRequest{Prefix: r.URL.Query().Get("prefix"), Limit: limit}
		return a.ListEntries(r.Context(), namedObject(r), q)
	})
	handle("GET objects/{class}/{object}/entry", func(r *http.Request) (any, error) {
		key, err := namedKey(r)
		if err != nil {
			return nil, err
		}
		return a.GetEntry(r.Context(), namedObject(r), key)
	})
	handle("PUT objects/{class}/{object}/entry", func(r *http.Request) (any, error) {
		key, err := namedKey(r)
		if err != nil {
			return nil, err
		}
		var q control.PutRequest
		if err := decodeUpTo(maxPut, r, &q); err != nil {
			return nil, err
		}
		return a.PutEntry(r.Context(), namedObject(r), key, q)
	})
	handle("DELETE objects/{class}/{object}/entry", func(r *http.Request) (any, error) {
		key, err := namedKey(r)
		if err != nil {
			return nil, err
		}
		return a.DeleteEntry(r.Context(), namedObject(r), key)
	})
}

// namedObject returns the object that the path names.
func namedObject(r *http.Request) control.Object {
	return control.Written(r.PathValue("class"), r.PathValue("object"))
}

// namedKey returns the key that the query names. The empty key is valid.
func namedKey(r *http.Request) (string, error) {
	if q := r.URL.Query(); q.Has("key") {
		return q.Get("key"), nil
	}
	return "", control.Errorf(control.CodeBadRequest, "%s needs a key: ?key=KEY", r.URL.Path)
}

// parseQuery parses an optional parameter of the query. A missing one is zero.
func parseQuery[T any](r *http.Request, name string, parse func(string) (T, error)) (value T, err error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return value, nil
	}
	if value, err = parse(text); err != nil {
		return value, control.Errorf(control.CodeBadRequest, "%s can't be %q", name, text)
	}
	return value, nil
}

package durable

import (
	"bytes"
	"fmt"
	"maps"
	"sort"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
)

// The configuration that programs are welcomed with.
var configuration = wire.Welcome{
	Version: wire.MaxVersion,
	Vars:    []wire.Var{{Name: "GREETING", Value: "hello"}},
	Bindings: []wire.Binding{
		{Name: "OBJECTS", Class: "Object", UniqueKey: objectid.UniqueKey("worker", "Object")},
		{Name: "OTHERS", Class: "Other", UniqueKey: objectid.UniqueKey("worker", "Other")},
	},
}

var objects = newEnv(&configuration).Namespace("OBJECTS")

// A memory answers a program's operations at once, as an emulator with one object would. All test
// doubles of the emulator share it.
type memory struct {
	// mu guards what follows.
	mu       sync.Mutex
	hello    wire.Hello
	ready    wire.Ready
	values   map[string][]byte   // as they are stored
	saved    []map[string][]byte // values at the beginning of each open transaction
	maxEntry uint64              // that programs are welcomed with; 0 is a program without a cache
	logLevel int64               // that programs are welcomed with
	page     int                 // how many entries an answer to List has at most, if positive
	alarm    wire.AlarmTime
	now      time.Time
	lastList wire.List
	results  []wire.Rows // answers to the next Exec and NextRows, in this order; then empty ones
}

func newMemory() memory {
	return memory{values: make(map[string][]byte), now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// serve answers s.
func (m *memory) serve(s *wire.Stream) {
	answer, err := answerOf(m, s.Method, s.Message)
	if err != nil {
		s.Fail(err)
		return
	}
	s.Answer(answer, true)
}

func answerOf(m *memory, method wire.Method, message []byte) (wire.Message, *wire.Error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	played, known := playedOperations[method]
	if !known {
		return nil, &wire.Error{Message: fmt.Sprintf("the test has no answer to method %d", method)}
	}
	return played.answer(m, message)
}

// A playedOperation is how the tests show and answer an operation of the program.
type playedOperation struct {
	// line describes the question, as a tap writes it down; without end its body goes on.
	line func(message []byte, end bool) string
	// answer carries the operation out. The memory is locked.
	answer func(m *memory, message []byte) (wire.Message, *wire.Error)
}

// playedOperations are all operations of the program that the tests know.
var playedOperations = map[wire.Method]playedOperation{
	wire.MethodHello: playing(
		func(*wire.Hello, bool) string { return "" },
		func(m *memory, q *wire.Hello) (wire.Message, *wire.Error) {
			m.hello = *q
			welcome := configuration
			welcome.MaxEntry = m.maxEntry
			welcome.LogLevel = m.logLevel
			return &welcome, nil
		}),
	wire.MethodReady: playing(
		func(*wire.Ready, bool) string { return "" },
		func(m *memory, q *wire.Ready) (wire.Message, *wire.Error) {
			m.ready = *q
			return &wire.Empty{}, nil
		}),

	wire.MethodGet: playing(
		func(q *wire.Get, _ bool) string { return "get " + q.Key },
		func(m *memory, q *wire.Get) (wire.Message, *wire.Error) {
			v, ok := m.values[q.Key]
			return &wire.Value{Found: ok, Value: v}, nil
		}),
	wire.MethodPut: playing(
		func(q *wire.Put, _ bool) string { return "put " + q.Key },
		func(m *memory, q *wire.Put) (wire.Message, *wire.Error) {
			m.values[q.Key] = bytes.Clone(q.Value)
			return &wire.Empty{}, nil
		}),
	wire.MethodDelete: playing(
		func(q *wire.Delete, _ bool) string { return "delete " + q.Key },
		func(m *memory, q *wire.Delete) (wire.Message, *wire.Error) {
			_, ok := m.values[q.Key]
			delete(m.values, q.Key)
			return &wire.Existed{Existed: ok}, nil
		}),
	wire.MethodGetMany: playing(
		func(q *wire.Keys, _ bool) string { return "get many " + strings.Join(q.Keys, " ") },
		(*memory).getMany),
	wire.MethodPutMany: playing(lineOfEntries("put many"), (*memory).putMany),
	wire.MethodWrite:   playing(lineOfEntries("write"), (*memory).putMany),
	wire.MethodDeleteMany: playing(
		func(q *wire.Keys, _ bool) string { return "delete many " + strings.Join(q.Keys, " ") },
		func(m *memory, q *wire.Keys) (wire.Message, *wire.Error) {
			before := len(m.values)
			for _, key := range q.Keys {
				delete(m.values, key)
			}
			return &wire.Deleted{Deleted: uint64(before - len(m.values))}, nil
		}),
	wire.MethodList: playing(func(*wire.List, bool) string { return "list" }, (*memory).list),
	wire.MethodDeleteAll: simple("delete all", func(m *memory) wire.Message {
		clear(m.values)
		return &wire.Empty{}
	}),
	wire.MethodSync: simple("sync", nil),

	wire.MethodBegin: simple("begin", func(m *memory) wire.Message {
		m.saved = append(m.saved, maps.Clone(m.values))
		return &wire.Empty{}
	}),
	wire.MethodCommit: simple("commit", func(m *memory) wire.Message {
		m.saved = m.saved[:len(m.saved)-1]
		return &wire.Empty{}
	}),
	wire.MethodRollback: simple("rollback", func(m *memory) wire.Message {
		m.values, m.saved = m.saved[len(m.saved)-1], m.saved[:len(m.saved)-1]
		return &wire.Empty{}
	}),

	wire.MethodGetAlarm: simple("get alarm", func(m *memory) wire.Message {
		alarm := m.alarm
		return &alarm
	}),
	wire.MethodSetAlarm: playing(
		func(q *wire.SetAlarm, _ bool) string { return fmt.Sprintf("set alarm %d", q.Time) },
		func(m *memory, q *wire.SetAlarm) (wire.Message, *wire.Error) {
			m.alarm = wire.AlarmTime{Set: true, Time: q.Time}
			return &wire.Empty{}, nil
		}),
	wire.MethodDeleteAlarm: simple("delete alarm", func(m *memory) wire.Message {
		m.alarm = wire.AlarmTime{}
		return &wire.Empty{}
	}),

	wire.MethodNow: simple("now", func(m *memory) wire.Message { return &wire.Time{Time: m.now.UnixMilli()} }),
	wire.MethodSleep: playing(
		func(q *wire.Sleep, _ bool) string { return "sleep " + time.Duration(q.Duration).String() }, empty[wire.Sleep]),
	wire.MethodTimer: playing(
		func(q *wire.Sleep, _ bool) string { return "timer " + time.Duration(q.Duration).String() }, empty[wire.Sleep]),

	wire.MethodWait: playing(func(*wire.Wait, bool) string { return "wait" }, empty[wire.Wait]),
	wire.MethodWake: playing(
		func(q *wire.Wake, _ bool) string { return fmt.Sprintf("wake %d", len(q.Tokens)) }, empty[wire.Wake]),

	wire.MethodLog: playing(
		func(q *wire.Log, _ bool) string { return fmt.Sprintf("log %d %s %s", q.Level, q.Message, q.Attrs) },
		empty[wire.Log]),

	wire.MethodPause:      simple("pause", nil),
	wire.MethodResume:     simple("resume", nil),
	wire.MethodBlock:      simple("block", nil),
	wire.MethodUnblock:    simple("unblock", nil),
	wire.MethodBackground: simple("background", nil),
	wire.MethodReset: playing(
		func(q *wire.Reset, _ bool) string {
			if q.DropAlarm {
				return "reset " + q.Reason + ", drop alarm"
			}
			return "reset " + q.Reason
		}, empty[wire.Reset]),

	wire.MethodExec: playing(
		func(q *wire.Exec, _ bool) string {
			line := "exec " + q.Query
			for _, arg := range q.Args {
				line += fmt.Sprintf(" %T(%v)", arg, arg)
			}
			return line
		},
		func(m *memory, _ *wire.Exec) (wire.Message, *wire.Error) { return m.nextResult(), nil }),
	wire.MethodNextRows: playing(
		func(q *wire.Cursor, _ bool) string { return fmt.Sprintf("next rows %d", q.Cursor) },
		func(m *memory, _ *wire.Cursor) (wire.Message, *wire.Error) { return m.nextResult(), nil }),
	wire.MethodCloseRows: playing(
		func(q *wire.Cursor, _ bool) string { return fmt.Sprintf("close rows %d", q.Cursor) }, empty[wire.Cursor]),
	wire.MethodDatabaseSize: simple("database size", func(*memory) wire.Message { return &wire.Size{Bytes: 4096} }),

	wire.MethodSubrequest: playing(
		func(q *wire.Subrequest, end bool) string {
			line := fmt.Sprintf("subrequest %s %s +%d", q.Request.Method, q.Request.URL, len(q.Request.Body))
			if !end {
				line += " ..."
			}
			return line
		},
		func(*memory, *wire.Subrequest) (wire.Message, *wire.Error) {
			return nil, &wire.Error{Message: "the test has no answer to a subrequest"}
		}),
}

// playing makes a playedOperation of functions that take the decoded message.
func playing[M any, P interface {
	*M
	wire.Message
}](line func(P, bool) string, answer func(*memory, P) (wire.Message, *wire.Error)) playedOperation {
	decode := func(message []byte) P {
		q := P(new(M))
		mustDecode(message, q)
		return q
	}
	return playedOperation{
		line:   func(message []byte, end bool) string { return line(decode(message), end) },
		answer: func(m *memory, message []byte) (wire.Message, *wire.Error) { return answer(m, decode(message)) },
	}
}

// simple is playing for an operation without arguments. Without answer it is answered with Empty.
func simple(line string, answer func(*memory) wire.Message) playedOperation {
	return playing(
		func(*wire.Operation, bool) string { return line },
		func(m *memory, _ *wire.Operation) (wire.Message, *wire.Error) {
			if answer == nil {
				return &wire.Empty{}, nil
			}
			return answer(m), nil
		})
}

// empty answers with Empty.
func empty[M any](*memory, *M) (wire.Message, *wire.Error) { return &wire.Empty{}, nil }

func mustDecode(b []byte, m wire.Message) {
	if err := wire.Decode(b, m); err != nil {
		panic(err)
	}
}

func lineOfEntries(verb string) func(*wire.PutMany, bool) string {
	return func(q *wire.PutMany, _ bool) string {
		line := verb
		for _, entry := range q.Entries {
			line += " " + entry.Key
		}
		return line
	}
}

func (m *memory) getMany(q *wire.Keys) (wire.Message, *wire.Error) {
	answer := &wire.Listed{}
	for _, key := range q.Keys {
		v, ok := m.values[key]
		if m.page > 0 && len(answer.Entries) == m.page {
			answer.More = true
			break
		}
		if ok {
			answer.Entries = append(answer.Entries, wire.Entry{Key: key, Value: v})
		}
	}
	return answer, nil
}

func (m *memory) putMany(q *wire.PutMany) (wire.Message, *wire.Error) {
	for _, entry := range q.Entries {
		m.values[entry.Key] = bytes.Clone(entry.Value)
	}
	return &wire.Empty{}, nil
}

func (m *memory) list(q *wire.List) (wire.Message, *wire.Error) {
	m.lastList = *q
	if q.HasStart && q.HasStartAfter {
		return nil, &wire.Error{Message: "start and startAfter are both given"}
	}
	var all []wire.Entry
	for k, v := range m.values {
		within := (!q.HasStart || k >= q.Start) && (!q.HasStartAfter || k > q.StartAfter) && (!q.HasEnd || k < q.End)
		if within && strings.HasPrefix(k, q.Prefix) {
			all = append(all, wire.Entry{Key: k, Value: v})
		}
	}
	sort.Slice(all, func(i, j int) bool { return (all[i].Key < all[j].Key) != q.Reverse })
	n := len(all)
	if q.Limit > 0 {
		n = min(n, int(q.Limit))
	}
	if m.page > 0 {
		n = min(n, m.page)
	}
	return &wire.Listed{Entries: all[:n], More: n < len(all)}, nil
}

// nextResult returns the next of results, or no rows.
func (m *memory) nextResult() wire.Message {
	if len(m.results) == 0 {
		return &wire.Rows{}
	}
	rows := m.results[0]
	m.results = m.results[1:]
	return &rows
}

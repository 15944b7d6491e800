package wire_test

import (
	"encoding/binary"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/durable/wire"
)

// messages has one value of every type of message.
var messages = []wire.Message{
	new(wire.Hello), new(wire.Welcome), new(wire.Ready),
	new(
		wire.Construct,
	), new(wire.Destroy), new(wire.Fetch), new(wire.Alarm), new(wire.Scheduled), new(wire.Visit), new(wire.Visited),
	new(wire.Request), new(wire.Response),
	new(wire.Operation), new(wire.Get), new(wire.Value), new(wire.Put),
	new(wire.Delete), new(wire.Existed), new(wire.List), new(wire.Listed),
	new(wire.Keys), new(wire.PutMany), new(wire.Deleted), new(wire.Background),
	new(wire.AlarmTime), new(wire.SetAlarm),
	new(wire.Subrequest), new(wire.Sleep), new(wire.Wait), new(wire.Wake), new(wire.Log),
	new(wire.Time), new(wire.Reset),
	new(wire.Stack), new(wire.Forget), new(wire.Exec), new(wire.Rows), new(wire.Cursor), new(wire.Size),
	new(wire.Empty), new(wire.Error),
}

// text lists the strings that have to be UTF-8: names of classes, bindings and
// variables, values of variables, ids, and the name of the SDK. All other
// strings carry any bytes.
var text = []string{
	"Hello.SDK", "Class.Name", "Var.Name", "Var.Value",
	"Binding.Name", "Binding.Class", "Binding.UniqueKey", "UnsupportedBinding.Name", "UnsupportedBinding.Kind",
	"Construct.Class", "Construct.ID", "Construct.Jurisdiction", "Scheduled.Cron",
	"Subrequest.Binding", "Subrequest.ID", "Visit.Class",
	"Error.ObjectID", "Error.Code",
}

// like returns a zero message of m's type.
func like(m wire.Message) wire.Message {
	return reflect.New(reflect.TypeOf(m).Elem()).Interface().(wire.Message)
}

func typeName(m wire.Message) string { return reflect.TypeOf(m).Elem().Name() }

// A filler makes up the contents of a message.
type filler struct {
	number func() uint64
	flag   func() bool
	text   func() string
	bytes  func() []byte
	count  func() int
}

// fill fills v, which is called name, and everything in it.
func (f filler) fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Uint64:
		v.SetUint(f.number())
	case reflect.Int64:
		v.SetInt(int64(f.number()))
	case reflect.Bool:
		v.SetBool(f.flag())
	case reflect.String:
		if slices.Contains(text, name) {
			v.SetString(f.text())
		} else {
			v.SetString(string(f.bytes()))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(f.bytes())
			return
		}
		n := f.count()
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i), name)
		}
	case reflect.Interface: // a value of SQL
		switch n := f.number(); n / 1000 % 5 {
		case 1:
			v.Set(reflect.ValueOf(int64(n)))
		case 2:
			v.Set(reflect.ValueOf(float64(n) / 3))
		case 3:
			v.Set(reflect.ValueOf(string(f.bytes())))
		case 4:
			v.Set(reflect.ValueOf(f.bytes()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), v.Type().Name()+"."+v.Type().Field(i).Name)
		}
	default:
		panic(fmt.Sprintf("%s: the protocol has no %s", name, v.Type()))
	}
}

// full returns a message of m's type. No part of it is empty, and no two are equal.
func full(m wire.Message) wire.Message {
	n := uint64(0)
	next := func() uint64 { n++; return n }
	f := filler{
		number: func() uint64 { return next() * 1000 },
		flag:   func() bool { return true },
		text:   func() string { return fmt.Sprintf("tëxt %d", next()) },
		bytes:  func() []byte { return fmt.Appendf(nil, "\xff\x00 %d", next()) },
		count:  func() int { return 2 },
	}
	m = like(m)
	f.fill(reflect.ValueOf(m).Elem(), "")
	return m
}

// drawn returns an arbitrary message of m's type.
func drawn(t *rapid.T, m wire.Message) wire.Message {
	f := filler{
		number: func() uint64 { return rapid.Uint64().Draw(t, "number") },
		flag:   func() bool { return rapid.Bool().Draw(t, "flag") },
		text:   func() string { return rapid.String().Draw(t, "text") },
		bytes:  func() []byte { return rapid.SliceOf(rapid.Byte()).Draw(t, "bytes") },
		count:  func() int { return rapid.IntRange(0, 3).Draw(t, "count") },
	}
	m = like(m)
	f.fill(reflect.ValueOf(m).Elem(), "")
	return m
}

// appendSpecified appends v as the specification says: the fields one after the
// other as they are listed.
func appendSpecified(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Uint64:
		return binary.AppendUvarint(b, v.Uint())
	case reflect.Int64:
		return binary.AppendVarint(b, v.Int())
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case reflect.String:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		return append(b, v.String()...)
	case reflect.Slice:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return append(b, v.Bytes()...)
		}
		for i := range v.Len() {
			b = appendSpecified(b, v.Index(i))
		}
		return b
	case reflect.Interface:
		switch v := v.Interface().(type) {
		case nil:
			return append(b, 0)
		case int64:
			return binary.AppendVarint(append(b, 1), v)
		case float64:
			return binary.BigEndian.AppendUint64(append(b, 2), math.Float64bits(v))
		case string:
			return append(binary.AppendUvarint(append(b, 3), uint64(len(v))), v...)
		case []byte:
			return append(binary.AppendUvarint(append(b, 4), uint64(len(v))), v...)
		default:
			panic(v)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			b = appendSpecified(b, v.Field(i))
		}
		return b
	}
	panic(fmt.Sprintf("the protocol has no %s", v.Type()))
}

// declarations returns the declarations of message.go and fields.go.
func declarations(t *testing.T) (all []ast.Decl) {
	t.Helper()
	for _, name := range []string{"message.go", "fields.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Decls...)
	}
	return all
}

func TestEveryTypeOfMessageIsTested(t *testing.T) {
	var want []string
	for _, d := range declarations(t) {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "fields" {
			want = append(want, f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name)
		}
	}
	var got []string
	for _, m := range messages {
		got = append(got, typeName(m))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("messages in the table: %v\nmessages in fields.go: %v", got, want)
	}
}

// declaredMethods returns the methods of message.go by number, each with the comment behind it.
func declaredMethods(t *testing.T) (names, comments map[wire.Method]string) {
	t.Helper()
	names, comments = make(map[wire.Method]string), make(map[wire.Method]string)
	for _, d := range declarations(t) {
		consts, ok := d.(*ast.GenDecl)
		if !ok || consts.Tok != token.CONST {
			continue
		}
		for _, spec := range consts.Specs {
			v := spec.(*ast.ValueSpec)
			name := v.Names[0].Name
			n, err := strconv.ParseUint(v.Values[0].(*ast.BasicLit).Value, 10, 8)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			method := wire.Method(n)
			if other, taken := names[method]; taken {
				t.Errorf("%s and %s are both %d", other, name, method)
			}
			names[method], comments[method] = name, v.Comment.Text()
		}
	}
	if len(names) == 0 {
		t.Fatal("found no methods in message.go")
	}
	return names, comments
}

func TestMethodsAreDistinctAndNameTheirMessages(t *testing.T) {
	known := make(map[string]bool)
	for _, m := range messages {
		known[typeName(m)] = true
	}
	names, comments := declaredMethods(t)
	for method, name := range names {
		text, _, _ := strings.Cut(strings.TrimSpace(comments[method]), ":")
		asks, answers, _ := strings.Cut(text, " -> ")
		if !known[asks] || !known[answers] {
			t.Errorf("%s: comment %q does not name its messages", name, text)
		}
	}
}

func TestMessagesNameEachMethodAsItsConstant(t *testing.T) {
	names, _ := declaredMethods(t)
	for method, name := range names {
		if got, want := method.String(), strings.TrimPrefix(name, "Method")+", "; !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want it to begin with %q", got, want)
		}
	}
}

func TestEveryMethodIsServed(t *testing.T) {
	serve, held := hold()
	p := connect(t, unix, ignore, serve)
	names, _ := declaredMethods(t)
	for method, name := range names {
		s, err := p.emulator.Open(method, new(wire.Empty), true)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		select {
		case served := <-held:
			if served.Method != method {
				t.Errorf("%s is served as method %d", name, served.Method)
			}
		case <-p.program.Done():
			t.Fatalf("%s is not served: %v", name, p.program.Err())
		}
		s.Withdraw()
	}
}

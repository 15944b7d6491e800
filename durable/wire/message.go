package wire

// A Method says what an Open frame asks for.
type Method uint8

// The methods, with the message that asks and the one that answers. Empty is a
// message without fields.
const (
	MethodHello Method = 1 // Hello -> Welcome

	// Events, from the emulator.
	MethodConstruct Method = 16 // Construct -> Empty
	MethodFetch     Method = 17 // Fetch -> Response
	MethodAlarm     Method = 18 // Alarm -> Empty
	MethodDestroy   Method = 19 // Destroy -> Empty
	MethodStack     Method = 20 // Operation -> Stack: what the handler of an event is doing
	MethodForget    Method = 21 // Forget -> Empty: a notice
	MethodScheduled Method = 22 // Scheduled -> Empty
	MethodPing      Method = 23 // Empty -> Empty: does the program run, or has a debugger stopped it?
	MethodVisited   Method = 24 // Visited -> Empty: the instance that a Visit asked for

	// Storage, from the program.
	MethodGet         Method = 32 // Get -> Value
	MethodPut         Method = 33 // Put -> Empty
	MethodDelete      Method = 34 // Delete -> Existed
	MethodList        Method = 35 // List -> Listed
	MethodDeleteAll   Method = 36 // Operation -> Empty
	MethodGetAlarm    Method = 37 // Operation -> AlarmTime
	MethodSetAlarm    Method = 38 // SetAlarm -> Empty
	MethodDeleteAlarm Method = 39 // Operation -> Empty
	MethodSync        Method = 40 // Operation -> Empty: what was written is committed
	MethodGetMany     Method = 41 // Keys -> Listed: the entries there are, by key
	MethodPutMany     Method = 42 // PutMany -> Empty
	MethodDeleteMany  Method = 43 // Keys -> Deleted
	MethodWrite       Method = 44 // PutMany -> Empty: as many Puts one after the other, also as a notice

	// Everything else, from the program.
	MethodSubrequest Method = 48 // Subrequest -> Response
	MethodNow        Method = 49 // Operation -> Time
	MethodSleep      Method = 50 // Sleep -> Empty
	MethodPause      Method = 51 // Operation -> Empty: the turn is given up
	MethodResume     Method = 52 // Operation -> Empty: the turn is held again
	MethodBlock      Method = 53 // Operation -> Empty: from here on the turn is not given up
	MethodUnblock    Method = 54 // Operation -> Empty
	MethodReset      Method = 55 // Reset -> Empty: the object is discarded with what it did not commit
	MethodBackground Method = 56 // Operation -> Background: an event that the program has caused itself
	MethodBegin      Method = 57 // Operation -> Empty: a transaction begins, inside the one that may be open
	MethodCommit     Method = 58 // Operation -> Empty: the innermost transaction has ended well
	MethodRollback   Method = 59 // Operation -> Empty: the innermost transaction is undone
	MethodTimer      Method = 60 // Sleep -> Empty: the time has come; then the program says who goes on
	MethodVisit      Method = 61 // Visit -> Empty: an event of an object that only looks into it is over

	// SQL, from the program.
	MethodExec         Method = 64 // Exec -> Rows
	MethodNextRows     Method = 65 // Cursor -> Rows
	MethodCloseRows    Method = 66 // Cursor -> Empty
	MethodDatabaseSize Method = 67 // Operation -> Size
)

// Hello introduces a program.
type Hello struct {
	MinVersion, MaxVersion uint64 // of the protocol
	SDK                    string // for people: what the program was built with
	Fetch                  bool   // the worker takes requests
	Scheduled              bool   // the worker has a handler for its cron triggers
	Classes                []Class
}

// Class is a class that the program has registered, and what its objects handle.
type Class struct {
	Name  string
	Fetch bool
	Alarm bool
}

// Welcome is the emulator's answer to Hello.
type Welcome struct {
	Version  uint64 // of the protocol, for the rest of the connection
	Vars     []Var
	Bindings []Binding
	MaxEntry uint64 // bytes that a key and its value may have together
	Lacking  []Lacking
}

// Var is a variable of the environment. Value is the text itself, or JSON text
// when JSON is set.
type Var struct {
	Name, Value string
	JSON        bool
}

// Binding gives a namespace of objects its name in the environment. UniqueKey
// is what ids are derived from (see IDFromName).
type Binding struct {
	Name, Class, UniqueKey string
}

// Lacking is a binding of the configuration that the emulator does not offer. Kind is what it
// would be, as in "KV namespace".
type Lacking struct {
	Name, Kind string
}

// Construct asks for the instance of an object. Later events name it by Instance.
// It is part of the event that needs the instance, and has the event's number.
type Construct struct {
	Event    uint64
	Instance uint64
	Class    string
	ID       string // 64 hex digits
	Name     string
	HasName  bool // Name is known: the object was reached by name
	// Jurisdiction is that of the id, or empty.
	Jurisdiction string
}

// Destroy tells that the instance gets no further events.
type Destroy struct {
	Instance uint64
}

// Forget tells that the storage of the instance has changed without the program:
// what the program remembers of it may be wrong.
type Forget struct {
	Instance uint64
}

// Fetch is an HTTP request for the worker, instance 0, or for an instance.
type Fetch struct {
	Event    uint64
	Instance uint64
	Request  Request
}

// Alarm is the alarm of an instance.
type Alarm struct {
	Event      uint64
	Instance   uint64
	Scheduled  int64  // the time it was set for
	RetryCount uint64 // counted failures so far
}

// Scheduled is a run of the worker's handler for cron triggers.
type Scheduled struct {
	Event uint64
	Cron  string // the expression, as the configuration has it
	Time  int64  // that it was due
}

// Visit asks for an event of an object, whose class may be named by a binding. It needs not
// exist yet.
type Visit struct {
	Class  string
	Object string // its name or, with HasID, its id in 64 hex digits
	HasID  bool
	Visit  uint64 // the program's number for it
}

// Visited is the event that a Visit has asked for.
type Visited struct {
	Event    uint64
	Instance uint64
	Visit    uint64
}

// Field is one field of an HTTP header.
type Field struct {
	Name, Value string
}

// Request is the head of an HTTP request. Body holds the first bytes of the
// body, all of it if the frame has END.
type Request struct {
	Method        string
	URL           string // absolute
	Host          string
	Header        []Field
	ContentLength int64 // -1 when it is not known
	Body          []byte
}

// Response is the head of an HTTP response. Body is as in Request.
type Response struct {
	Status        uint64
	Header        []Field
	ContentLength int64 // -1 when it is not known
	Body          []byte
}

// Operation is an operation that needs no more than the event it belongs to.
type Operation struct {
	Event uint64
}

// Get asks for the value of a key.
type Get struct {
	Event uint64
	Key   string
}

// Value answers Get.
type Value struct {
	Found bool
	Value []byte
}

// Put stores a value.
type Put struct {
	Event uint64
	Key   string
	Value []byte
}

// Delete removes a key.
type Delete struct {
	Event uint64
	Key   string
}

// Existed answers Delete.
type Existed struct {
	Existed bool
}

// List asks for the entries between two keys. Start is included, StartAfter and
// End are not. A Limit of 0 is none.
type List struct {
	Event         uint64
	Start         string
	HasStart      bool
	StartAfter    string
	HasStartAfter bool
	End           string
	HasEnd        bool
	Prefix        string
	Reverse       bool
	Limit         uint64
}

// Listed answers List with as many entries as fit; More says that there are
// others after the last.
type Listed struct {
	Entries []Entry
	More    bool
}

// Entry is a key with its value.
type Entry struct {
	Key   string
	Value []byte
}

// Keys asks for, or deletes, the values of several keys.
type Keys struct {
	Event uint64
	Keys  []string
}

// PutMany stores several values, all of them or none.
type PutMany struct {
	Event   uint64
	Entries []Entry
}

// Deleted says how many keys had a value.
type Deleted struct {
	Deleted uint64
}

// Background is the number of an event of the object that the question's event belongs
// to. It takes its turn by Resume, and ends with the body of the question.
type Background struct {
	Event uint64
}

// AlarmTime answers a question for the object's alarm.
type AlarmTime struct {
	Set  bool
	Time int64
}

// SetAlarm sets the object's alarm.
type SetAlarm struct {
	Event uint64
	Time  int64
}

// Subrequest is a request that a handler makes: to the object ID of the
// namespace bound as Binding, or to the outside when Binding is empty.
type Subrequest struct {
	Event   uint64
	Binding string
	ID      string // 64 hex digits
	Name    string
	HasName bool
	Request Request
}

// Sleep waits for Duration of the clock. A Timer does, too, and its event goes on meanwhile.
type Sleep struct {
	Event    uint64
	Duration int64
}

// Time answers a question for the time.
type Time struct {
	Time int64
}

// Reset discards the object of the event: every event of it fails with Reason. With
// DropAlarm, an alarm that is running is not tried again.
type Reset struct {
	Event     uint64
	Reason    string
	DropAlarm bool
}

// Stack is what the goroutines of an event's handler are doing, as the Go runtime
// prints it; empty when there is no such event.
type Stack struct {
	Text string
}

// Exec runs SQL. Args are for the parameters of its last statement, one each: nil,
// int64, float64, string or []byte.
type Exec struct {
	Event uint64
	Query string
	Args  []any
}

// Rows are rows of the last statement of an Exec, as many as fit. When More is
// set there are others, for which Cursor stands until it is closed or the event ends.
type Rows struct {
	Cursor uint64
	// Columns are the names of the columns, and Types the types they were declared
	// with, if any. Only the answer to Exec has them.
	Columns, Types []string
	// Values are the rows' values one after the other, of the same types as Args.
	Values []any
	More   bool
	// Read and Written count the rows that the cursor has read and written so far.
	Read, Written uint64
}

// Cursor names what is left of the rows of an Exec of the same event.
type Cursor struct {
	Event  uint64
	Cursor uint64
}

// Size is a number of bytes.
type Size struct {
	Bytes uint64
}

// Empty is the answer that has nothing to say.
type Empty struct{}

// Error is why something failed, in a Fail frame.
type Error struct {
	Message string
	// Canceled is set when the other side withdrew the question.
	Canceled bool
	// Remote is set when the code of the object that was called failed.
	Remote bool
	// Retryable is set when the connection was at fault and the same call may
	// work.
	Retryable bool
	// Overloaded is set when the object has too much to do: do not retry.
	Overloaded bool
	// Reset is set when the object lost its memory over it.
	Reset bool
	// ObjectID is the object that failed, 64 hex digits, or empty.
	ObjectID string
	// Code is SQLite's extended result code, such as SQLITE_CONSTRAINT_UNIQUE, when SQL
	// failed in the database.
	Code string
	// Detail is for the log: a stack, the last output.
	Detail string
}

func (e *Error) Error() string { return e.Message }

func (m *Hello) fields(c *codec) {
	c.uint(&m.MinVersion)
	c.uint(&m.MaxVersion)
	c.string(&m.SDK)
	c.bool(&m.Fetch)
	c.bool(&m.Scheduled)
	list(c, &m.Classes, func(c *codec, k *Class) {
		c.string(&k.Name)
		c.bool(&k.Fetch)
		c.bool(&k.Alarm)
	})
}

func (m *Welcome) fields(c *codec) {
	c.uint(&m.Version)
	list(c, &m.Vars, func(c *codec, v *Var) {
		c.string(&v.Name)
		c.string(&v.Value)
		c.bool(&v.JSON)
	})
	list(c, &m.Bindings, func(c *codec, b *Binding) {
		c.string(&b.Name)
		c.string(&b.Class)
		c.string(&b.UniqueKey)
	})
	c.uint(&m.MaxEntry)
	list(c, &m.Lacking, func(c *codec, l *Lacking) {
		c.string(&l.Name)
		c.string(&l.Kind)
	})
}

func (m *Construct) fields(c *codec) {
	c.uint(&m.Event)
	c.uint(&m.Instance)
	c.string(&m.Class)
	c.string(&m.ID)
	c.rawString(&m.Name)
	c.bool(&m.HasName)
	c.string(&m.Jurisdiction)
}

func (m *Destroy) fields(c *codec) { c.uint(&m.Instance) }

func (m *Forget) fields(c *codec) { c.uint(&m.Instance) }

func (m *Fetch) fields(c *codec) {
	c.uint(&m.Event)
	c.uint(&m.Instance)
	m.Request.fields(c)
}

func (m *Alarm) fields(c *codec) {
	c.uint(&m.Event)
	c.uint(&m.Instance)
	c.int(&m.Scheduled)
	c.uint(&m.RetryCount)
}

func (m *Scheduled) fields(c *codec) {
	c.uint(&m.Event)
	c.string(&m.Cron)
	c.int(&m.Time)
}

func (m *Visit) fields(c *codec) {
	c.string(&m.Class)
	c.rawString(&m.Object)
	c.bool(&m.HasID)
	c.uint(&m.Visit)
}

func (m *Visited) fields(c *codec) {
	c.uint(&m.Event)
	c.uint(&m.Instance)
	c.uint(&m.Visit)
}

// Header values are bytes: HTTP allows more than UTF-8 there.
func headerField(c *codec, f *Field) {
	c.rawString(&f.Name)
	c.rawString(&f.Value)
}

func (m *Request) fields(c *codec) {
	c.rawString(&m.Method)
	c.rawString(&m.URL)
	c.rawString(&m.Host)
	list(c, &m.Header, headerField)
	c.int(&m.ContentLength)
	c.bytes(&m.Body)
}

func (m *Response) fields(c *codec) {
	c.uint(&m.Status)
	list(c, &m.Header, headerField)
	c.int(&m.ContentLength)
	c.bytes(&m.Body)
}

func (m *Operation) fields(c *codec) { c.uint(&m.Event) }

func (m *Get) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Key)
}

func (m *Value) fields(c *codec) {
	c.bool(&m.Found)
	c.bytes(&m.Value)
}

func (m *Put) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Key)
	c.bytes(&m.Value)
}

func (m *Delete) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Key)
}

func (m *Existed) fields(c *codec) { c.bool(&m.Existed) }

func (m *List) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Start)
	c.bool(&m.HasStart)
	c.rawString(&m.StartAfter)
	c.bool(&m.HasStartAfter)
	c.rawString(&m.End)
	c.bool(&m.HasEnd)
	c.rawString(&m.Prefix)
	c.bool(&m.Reverse)
	c.uint(&m.Limit)
}

func (m *Listed) fields(c *codec) {
	list(c, &m.Entries, entry)
	c.bool(&m.More)
}

func entry(c *codec, e *Entry) {
	c.rawString(&e.Key)
	c.bytes(&e.Value)
}

func (m *Keys) fields(c *codec) {
	c.uint(&m.Event)
	list(c, &m.Keys, (*codec).rawString)
}

func (m *PutMany) fields(c *codec) {
	c.uint(&m.Event)
	list(c, &m.Entries, entry)
}

func (m *Deleted) fields(c *codec) { c.uint(&m.Deleted) }

func (m *Background) fields(c *codec) { c.uint(&m.Event) }

func (m *AlarmTime) fields(c *codec) {
	c.bool(&m.Set)
	c.int(&m.Time)
}

func (m *SetAlarm) fields(c *codec) {
	c.uint(&m.Event)
	c.int(&m.Time)
}

func (m *Subrequest) fields(c *codec) {
	c.uint(&m.Event)
	c.string(&m.Binding)
	c.string(&m.ID)
	c.rawString(&m.Name)
	c.bool(&m.HasName)
	m.Request.fields(c)
}

func (m *Sleep) fields(c *codec) {
	c.uint(&m.Event)
	c.int(&m.Duration)
}

func (m *Time) fields(c *codec) { c.int(&m.Time) }

func (m *Reset) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Reason)
	c.bool(&m.DropAlarm)
}

func (m *Stack) fields(c *codec) { c.rawString(&m.Text) }

func (m *Exec) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Query)
	list(c, &m.Args, (*codec).sqlValue)
}

func (m *Rows) fields(c *codec) {
	c.uint(&m.Cursor)
	list(c, &m.Columns, (*codec).rawString)
	list(c, &m.Types, (*codec).rawString)
	list(c, &m.Values, (*codec).sqlValue)
	c.bool(&m.More)
	c.uint(&m.Read)
	c.uint(&m.Written)
}

func (m *Cursor) fields(c *codec) {
	c.uint(&m.Event)
	c.uint(&m.Cursor)
}

func (m *Size) fields(c *codec) { c.uint(&m.Bytes) }

func (m *Empty) fields(*codec) {}

func (m *Error) fields(c *codec) {
	c.rawString(&m.Message)
	c.bool(&m.Canceled)
	c.bool(&m.Remote)
	c.bool(&m.Retryable)
	c.bool(&m.Overloaded)
	c.bool(&m.Reset)
	c.string(&m.ObjectID)
	c.string(&m.Code)
	c.rawString(&m.Detail)
}

package wire

// A Method identifies the question of an Open frame.
type Method uint8

// The methods, with their question and answer messages. Empty is a message without fields.
const (
	MethodHello Method = 1 // Hello -> Welcome
	MethodReady Method = 2 // Ready -> Empty: the program takes events, or can't start

	// Events, from the emulator.
	MethodConstruct Method = 16 // Construct -> Empty
	MethodFetch     Method = 17 // Fetch -> Response
	MethodAlarm     Method = 18 // Alarm -> Empty
	MethodDestroy   Method = 19 // Destroy -> Empty
	MethodStack     Method = 20 // Operation -> Stack: what the handler of an event is doing
	MethodForget    Method = 21 // Forget -> Empty: a notice
	MethodScheduled Method = 22 // Scheduled -> Empty
	MethodPing      Method = 23 // Empty -> Empty: the program runs, and no debugger has stopped it
	MethodVisited   Method = 24 // Visited -> Empty: the event that a Visit asked for

	// Storage, from the program.
	MethodGet         Method = 32 // Get -> Value
	MethodPut         Method = 33 // Put -> Empty
	MethodDelete      Method = 34 // Delete -> Existed
	MethodList        Method = 35 // List -> Listed
	MethodDeleteAll   Method = 36 // Operation -> Empty
	MethodGetAlarm    Method = 37 // Operation -> AlarmTime
	MethodSetAlarm    Method = 38 // SetAlarm -> Empty
	MethodDeleteAlarm Method = 39 // Operation -> Empty
	MethodSync        Method = 40 // Operation -> Empty: earlier writes are committed
	MethodGetMany     Method = 41 // Keys -> Listed: the entries there are, by key
	MethodPutMany     Method = 42 // PutMany -> Empty
	MethodDeleteMany  Method = 43 // Keys -> Deleted
	MethodWrite       Method = 44 // PutMany -> Empty: the same as so many Puts; may be a notice
	MethodPutPart     Method = 45 // PutMany -> Empty: entries of the next PutMany, which has no room for them

	// Everything else, from the program.
	MethodSubrequest Method = 48 // Subrequest -> Response
	MethodNow        Method = 49 // Operation -> Time
	MethodSleep      Method = 50 // Sleep -> Empty
	MethodPause      Method = 51 // Operation -> Empty: the turn is given up
	MethodResume     Method = 52 // Operation -> Empty: the turn is held again
	MethodBlock      Method = 53 // Operation -> Empty: from here on the turn is not given up
	MethodUnblock    Method = 54 // Operation -> Empty
	MethodReset      Method = 55 // Reset -> Empty: the object is discarded with its uncommitted writes
	MethodBackground Method = 56 // Operation -> Background: an event that the program asks for
	MethodBegin      Method = 57 // Operation -> Empty: a transaction begins, inside the one that may be open
	MethodCommit     Method = 58 // Operation -> Empty: the innermost transaction has succeeded
	MethodRollback   Method = 59 // Operation -> Empty: the innermost transaction is undone
	MethodTimer      Method = 60 // Sleep -> Empty: the time has come; then see Timer in the package comment
	MethodVisit      Method = 61 // Visit -> Empty: an event that looks into an object is over
	MethodWait       Method = 62 // Wait -> Empty: a Wake has named the token
	MethodWake       Method = 63 // Wake -> Empty: a notice

	// SQL, from the program.
	MethodExec         Method = 64 // Exec -> Rows
	MethodNextRows     Method = 65 // Cursor -> Rows
	MethodCloseRows    Method = 66 // Cursor -> Empty
	MethodDatabaseSize Method = 67 // Operation -> Size

	// For people, from the program.
	MethodLog Method = 80 // Log -> Empty: a notice
)

// Hello introduces a program.
type Hello struct {
	MinVersion, MaxVersion uint64 // of the protocol
	SDK                    string // for people: the SDK that the program was built with
	Fetch                  bool   // the worker takes requests
	Scheduled              bool   // the worker has a handler for its cron triggers
	Classes                []Class
}

// Class is a class that the program has registered, and the kinds of events that its objects
// handle.
type Class struct {
	Name  string
	Fetch bool
	Alarm bool
}

// Welcome is the emulator's answer to Hello.
type Welcome struct {
	Version     uint64 // of the protocol, for the rest of the connection
	Vars        []Var
	Bindings    []Binding
	MaxEntry    uint64 // bytes that a key and its value may have together
	LogLevel    int64  // the lowest level of a Log that anybody sees
	Unsupported []UnsupportedBinding
}

// Ready follows Welcome. Failure is why the program can't start; it is empty if the program takes
// events from here on. Detail has the stack, if the failure has one.
type Ready struct {
	Failure, Detail string
}

// Var is a variable of the environment. Value is the text itself, or JSON text
// when JSON is set.
type Var struct {
	Name, Value string
	JSON        bool
}

// Binding gives a namespace of objects its name in the environment. Ids are derived from UniqueKey
// (see package objectid).
type Binding struct {
	Name, Class, UniqueKey string
}

// UnsupportedBinding is a binding of the configuration that the emulator does not offer. Kind says
// what it is in production, for example "KV namespace".
type UnsupportedBinding struct {
	Name, Kind string
}

// Construct asks for the instance of an object. Later events refer to it by Instance. Construct is
// part of the event that needs the instance, and has the event's number.
type Construct struct {
	Event    uint64
	Instance uint64
	Class    string
	ID       string // 64 hex digits
	Name     string
	HasName  bool // Name is known: the object was reached by name
	// Jurisdiction is the id's jurisdiction, or empty.
	Jurisdiction string
}

// Destroy says that the instance gets no further events.
type Destroy struct {
	Instance uint64
}

// Forget says that the storage of the instance has changed without the program. The program's cache
// may be wrong.
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
	Scheduled  int64  // the time that the alarm was set to
	RetryCount uint64 // the failures so far that count
}

// Scheduled is a run of the worker's handler for cron triggers.
type Scheduled struct {
	Event uint64
	Cron  string // the expression, as the configuration has it
	Time  int64  // at which it was due
}

// Visit asks for an event of an object, which need not exist yet.
type Visit struct {
	Class  string // or the name of a binding of the class
	Object string // its name or, with HasID, its id in 64 hex digits
	HasID  bool
	Visit  uint64 // the program's number for it
}

// Visited is the event that a Visit asked for.
type Visited struct {
	Event    uint64
	Instance uint64
	Visit    uint64
}

// Field is one field of an HTTP header.
type Field struct {
	Name, Value string
}

// Request is the head of an HTTP request. Body holds the first bytes of the body, or all of it if
// the frame has END.
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

// Operation is an operation without arguments.
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

// List asks for the entries between two keys. Start is included, StartAfter and End are not. A
// Limit of 0 means no limit.
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

// Listed answers List with as many entries as fit. More says that there are others after the last.
type Listed struct {
	Entries []Entry
	More    bool
}

// Entry is a key with its value.
type Entry struct {
	Key   string
	Value []byte
}

// Keys asks for the values of several keys, or deletes them.
type Keys struct {
	Event uint64
	Keys  []string
}

// PutMany stores several values, either all of them or none.
type PutMany struct {
	Event   uint64
	Entries []Entry
}

// Deleted says how many keys had a value.
type Deleted struct {
	Deleted uint64
}

// Background has the number of a new event of the same object, or of the worker, as the question's
// event. The new event takes its turn by Resume, and ends with the body of the question.
type Background struct {
	Event uint64
}

// AlarmTime answers the question for the object's alarm.
type AlarmTime struct {
	Set  bool
	Time int64
}

// SetAlarm sets the object's alarm.
type SetAlarm struct {
	Event uint64
	Time  int64
}

// Subrequest is a request that a handler makes: to the object ID of the namespace bound as Binding,
// or to the outside if Binding is empty.
type Subrequest struct {
	Event   uint64
	Binding string
	ID      string // 64 hex digits
	Name    string
	HasName bool
	Request Request
}

// Sleep waits for Duration of the clock. It is the question of a Timer, too, whose event goes on
// meanwhile.
type Sleep struct {
	Event    uint64
	Duration int64
}

// Wait waits for a Wake that names Token, a number that the program gives each Wait.
type Wait struct {
	Event uint64
	Token uint64
}

// Wake ends the Waits of Tokens, in this order.
type Wake struct {
	Tokens []uint64
}

// Log is a line of the log that the handler of an event has written.
type Log struct {
	Event   uint64
	Level   int64 // as in Go: -4 debug, 0 info, 4 warning, 8 error
	Message string
	Attrs   []byte // a JSON object, or empty
}

// Time answers the question for the time.
type Time struct {
	Time int64
}

// Reset discards the object of the event, and all its events fail with Reason. With DropAlarm, an
// alarm that is running is not tried again. OfBlock says that a block has failed: then the events
// that wait for their turn fail first.
type Reset struct {
	Event     uint64
	Reason    string
	DropAlarm bool
	OfBlock   bool
}

// Stack has the stacks of the goroutines of an event's handler, as the Go runtime prints them. It
// is empty if there is no such event.
type Stack struct {
	Text string
}

// Exec runs SQL. Args are bound to the parameters of the last statement, one each: nil, int64,
// float64, string or []byte.
type Exec struct {
	Event uint64
	Query string
	Args  []any
}

// Rows has rows of the last statement of an Exec, as many as fit. If More is set, there are others,
// which Cursor identifies until it is closed or the event ends.
type Rows struct {
	Cursor  uint64
	Columns []string // the names of the columns; only the answer to Exec has them
	// Values are the values of all rows, one row after the other, of the same types as Args.
	Values []any
	More   bool
	// Read and Written count the rows that the cursor has read and written so far.
	Read, Written uint64
}

// Cursor refers to the remaining rows of an Exec of the same event.
type Cursor struct {
	Event  uint64
	Cursor uint64
}

// Size is a number of bytes.
type Size struct {
	Bytes uint64
}

// Empty is a message without fields.
type Empty struct{}

// Error describes a failure, in a Fail frame.
type Error struct {
	Message string
	// Canceled is set if the other side withdrew the question.
	Canceled bool
	// Remote is set if the code of the called object failed.
	Remote bool
	// Retryable is set if the connection was at fault: the same call may succeed.
	Retryable bool
	// Overloaded is set if the object has too much to do: do not retry.
	Overloaded bool
	// Reset is set if the failure reset the object, so that it lost its memory.
	Reset bool
	// ObjectID is the object that failed, 64 hex digits, or empty.
	ObjectID string
	// Code is SQLite's extended result code, such as SQLITE_CONSTRAINT_UNIQUE, if SQL
	// failed in the database. Otherwise it is empty.
	Code string
	// Detail is for the log: a stack, the last output.
	Detail string
}

func (e *Error) Error() string { return e.Message }

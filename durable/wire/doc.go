// Package wire is the protocol between a handler program (the plugin) and the
// emulator that runs it. This comment is its specification: an SDK in another
// language can be written from it. Both ends of the Go implementation are in
// this package; the frames are in frame.go, the messages in message.go, the
// multiplexing in conn.go and stream.go.
//
// # Connection
//
// The emulator starts the program with a connected stream socket: on Unix the
// descriptor whose number is in the environment variable DEVTOOL_FD, elsewhere
// a Unix socket to dial, whose path is in DEVTOOL_SOCKET. A program that runs
// without either was started by hand, in a debugger perhaps. It dials the socket
// whose path is in the file .devtool/attach of its working folder or the nearest one
// above that has the file; where that leads to no emulator it says so and exits with 2.
// When the connection closes the program ends; it has nobody left to serve.
//
// # Frames
//
// Each direction of the connection is a sequence of frames. Numbers are big
// endian.
//
//	4 bytes  length n of the payload, at most MaxPayload (16 MiB)
//	8 bytes  stream id
//	1 byte   kind
//	1 byte   flags: 1 is END, no other is defined
//	n bytes  payload
//
// # Streams
//
// Everything happens on streams. A stream is one question and its answer, each
// of which may have a body of any length after it. The program opens streams
// with even ids from 2, the emulator with odd ids from 1; ids only grow and are
// not used again. The kinds of frame:
//
//	1 Open    opens a stream. Payload: one byte for the method, then its message.
//	2 Reply   the answer: the method's answer message.
//	3 Data    a piece of body, at most MaxData (64 KiB) long.
//	4 Window  payload: a uvarint, by how many bytes more body the sender of
//	          this frame is willing to take.
//	5 Fail    payload: an Error. From the opener: the question is withdrawn.
//	          From the other side: instead of a Reply, that the question failed;
//	          after it, that the answer's body breaks off here.
//	6 Cancel  from the opener: nobody waits for the answer any more, so it may come
//	          early, but it has to come. No payload.
//	7 Notice  one byte for the method, then its message: what needs no answer. Its
//	          stream id is 0. It is taken note of before whatever comes behind it.
//
// END on an Open, Reply or Data frame says that this side sends no further
// body. A stream is over when the answering side has ended its body or failed,
// or when the opener has withdrawn the question: what the other side still
// has in flight then is ignored, and so are frames for streams that are over.
//
// Each side may send InitialWindow (256 KiB) of body on a stream, and after that
// as much as Window frames allow. What travels inside an Open or Reply message
// does not count. More than the window allows, an Open whose id does not
// grow, and an unknown kind or flag are violations: whoever sees one closes the
// connection. An unknown method and a message that does not decode fail their stream.
//
// # Messages
//
// A message is its fields one after the other, as listed in message.go, with
// nothing between or behind them:
//
//	uint    a uvarint: 7 bits a byte, low ones first, the top bit set on all but the last
//	int     zigzag (0, -1, 1, -2 … are 0, 1, 2, 3 …), then as uint
//	bool    one byte, 0 or 1
//	string  its length in bytes as uint, then the bytes. Names of classes, bindings
//	        and variables, values of variables and ids are UTF-8, and checked
//	bytes   likewise, for contents
//	list    the number of items as uint, then the items
//	sql     a value of SQL: one byte for its type, then the value: 0 NULL, without any;
//	        1 INTEGER, an int; 2 REAL, 8 bytes of IEEE 754; 3 TEXT, a string;
//	        4 BLOB, bytes
//
// Times are milliseconds since 1970 as int; durations are nanoseconds as int.
//
// # Conversation
//
// First the program opens a stream with Hello: the versions of this protocol
// it speaks, and its classes. The emulator answers with Welcome: the version to
// speak from here on, the variables and the bindings; or it fails the stream
// with what does not fit, and the program ends. Nothing else is sent before.
//
// The emulator then delivers events. Each has a number, by which operations say which
// event they belong to.
//
//	Construct  make the instance of an object; it gets a number that later events use
//	Fetch      an HTTP request for the worker (instance 0) or for an instance
//	Alarm      the alarm of an instance
//	Scheduled  a cron trigger of the worker
//	Destroy    forget an instance
//
// About an event that takes long it may ask for the Stack. A program that was started by hand it
// may ask with a Ping whether it runs: what is limited in real time does not go on while a debugger has
// stopped the program.
//
// A program may ask for an event of its own to look into an object, which is how tests do so: it
// sends Visit, and gets Visited as an event of that object. Visit is answered when the event
// is over, and committed.
//
// When the client of an event has gone, the emulator cancels its stream: the handler
// should come to an end, and holds its turn until it has answered. Where
// the emulator withdraws an event, the object was reset: operations of
// that event fail from then on, and nobody waits for its handler.
//
// While it handles an event the program asks for operations: storage (Get, Put,
// Delete, GetMany, PutMany, DeleteMany, List, DeleteAll, GetAlarm, SetAlarm,
// DeleteAlarm, Sync), SQL (Exec, NextRows, CloseRows, DatabaseSize), Subrequest (a
// request to an object or to the outside), Now, Sleep, Timer, what has to do with the turn (Pause, Resume, Block, Unblock, Reset), and Background,
// which makes an event of the object out of work that goes on after its handler.
//
// # Turns
//
// At most one event of an object runs handler code at any time: it holds the
// object's turn, which the emulator grants before it delivers the event and
// takes back when the event's answer has ended. Subrequest and Sleep give the
// turn up while they wait, and are answered when the event has it again. Pause
// gives it up for anything else that the program waits for (a body that has not
// arrived, a client that reads slowly) and Resume, answered when it is granted
// again, takes it back. Whatever gives the turn up first commits what the object
// wrote. Between Block and Unblock the turn is not given up, only the commit happens.
// A program must not run handler code of an event that has given up its turn.
//
// What a handler puts may be sent as a notice (Write), as long as the event holds its
// turn: it takes effect before whatever the event asks for next, and if it fails the object is reset.
// That holds for the Reply of the event, too. A program may remember what it has
// put and got, until it is told to Forget.
//
// Begin, Commit and Rollback come between Block and Unblock. While a transaction is open,
// nothing is committed, whatever the event waits for; the Commit of the outermost one
// commits.
//
// A Timer has nothing to do with the turn: its event goes on, and is answered, with a Reply
// without END, when the time has come. What that ends in the program is the program's business,
// such as to withdraw a Sleep or a Subrequest that takes too long. By the body of its question, one byte,
// it says whether any Sleep or Subrequest of the event is withdrawn for that reason (1) or not (0): if
// so, the clock stands still until the event has come to its end or waits again. A timer that is
// not needed any more is withdrawn.
//
// A response leaves the emulator when the writes before it are committed. One that
// is complete in its Reply frame also ends the event; the emulator commits first.
// One that goes on in Data frames is sent while the event is paused, the Reply
// as well as each Data frame. (Events of the worker have no turn, and need no Pause.)
package wire

// The versions of the protocol that this package speaks.
const (
	MinVersion = 1
	MaxVersion = 1
)

// EnvFD and EnvSocket are the environment variables through which a program
// learns of its connection.
const (
	EnvFD     = "DEVTOOL_FD"
	EnvSocket = "DEVTOOL_SOCKET"
)

// AttachFile is the file, below a project, that leads programs which were started by hand to the
// project's emulator: it holds the path of a socket. It is slash-separated.
const AttachFile = ".devtool/attach"

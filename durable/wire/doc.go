// Package wire is the protocol between a handler program and the emulator that runs it. This
// comment is its specification: an SDK in another language can be written from it. Both ends of the
// Go implementation are in this package. frame.go has the frames, message.go the messages, conn.go
// and stream.go the multiplexing.
//
// # Connection
//
// The emulator starts the program with a connected stream socket. On Unix the environment variable
// DEVTOOL_FD has the number of its descriptor. Elsewhere DEVTOOL_SOCKET has the path of a Unix
// socket to dial. A program without either was started another way, for example by a debugger. It
// dials the socket whose path is in the file .devtool/attach of its working folder, or of the
// nearest folder above that has the file (see AttachFile for its lines). It ignores the file of a
// copied project. If no emulator answers there, the program says so and exits with code 2.
//
// A program marks an inherited descriptor close-on-exec before it starts any process. When the
// connection closes, the program ends. If it leads a process group, as a program does that the
// emulator has started, it kills the group: the emulator may have been killed.
//
// # Frames
//
// Each direction of the connection is a sequence of frames. Numbers are big endian.
//
//	4 bytes  length n of the payload, at most MaxPayload (16 MiB)
//	8 bytes  stream id
//	1 byte   kind
//	1 byte   flags: 1 is END, no other is defined
//	n bytes  payload
//
// # Streams
//
// All frames except notices belong to streams. A stream is one question and its answer. Each of the
// two may be followed by a body of any length. The program opens streams with even ids from 2, the
// emulator with odd ids from 1. Ids only grow, and are not used again. The kinds of frames:
//
//	1 Open    opens a stream. Payload: one byte for the method, then its message.
//	2 Reply   the answer. Payload: the method's answer message.
//	3 Data    a piece of body, at most MaxData (64 KiB) long.
//	4 Window  payload: a uvarint, the number of further bytes of body that the sender of this
//	          frame is willing to take.
//	5 Fail    payload: an Error. From the opener: the question is withdrawn.
//	          From the other side, instead of a Reply: the question has failed.
//	          From the other side, after the Reply: the answer's body breaks off here.
//	6 Cancel  from the opener: nobody waits for the answer any more. It may come early, but it
//	          has to come. No payload.
//	7 Notice  payload: one byte for the method, then its message, which needs no answer. The
//	          stream id is 0. The receiver handles it before the frames behind it.
//
// END on an Open, Reply or Data frame says that this side sends no further body. A stream is over
// when the answering side has ended its body or failed, and when the opener has withdrawn the
// question. Both sides ignore frames for streams that are over: the other side may have sent them
// before it knew.
//
// Each side may send InitialWindow (256 KiB) of body on a stream, and after that as much as Window
// frames allow. The part of a body that an Open or Reply message carries does not count. These are
// violations: more body than the window allows, an Open whose id does not grow, and an unknown kind
// or flag. The side that sees one closes the connection. An unknown method, and a message that does
// not decode, fail their stream.
//
// The emulator bounds what it keeps for a program. To exceed one of these is a violation as well:
//
//	MaxStreams    16,384   questions of the program that are open at a time
//	MaxHeld       256 MiB  of open questions, and of bodies that the emulator has not read
//	MaxNotedPuts  4 MiB    of keys and values that an event puts by notices, between two questions
//	MaxClasses    1,000    classes in Hello; the emulator refuses the program
//
// To exceed one of these fails the question, or shortens the text:
//
//	MaxTimers     10,000   timers of an event
//	MaxCursors    4,096    queries of an event that have rows left
//	MaxLogText    64 KiB   of a line of Log; attributes beyond it are left out
//
// The log of the emulator says which rule a program has broken. It then starts the program again,
// as after a crash.
//
// # Messages
//
// A message is its fields one after the other, in the order of message.go, with nothing between or
// behind them:
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
// Times are milliseconds since 1970 as int. Durations are nanoseconds as int.
//
// # Conversation
//
// First the program opens a stream with Hello: the versions of this protocol that it speaks, and
// its classes. The emulator answers with Welcome: the version to speak from here on, the variables
// and the bindings. If the program does not fit, the emulator fails the stream with the reason, and
// the program ends. Neither side sends anything else before.
//
// With the variables and bindings the program makes the handler of its worker. Then it opens a
// stream with Ready. If Ready says that the program can't start, the emulator fails the stream and
// shows the reason, and the program ends. Else the program takes events from here on.
//
// The emulator then delivers events. Each has a number, which later operations refer to.
//
//	Construct  make the instance of an object, and give it a number that later events use
//	Fetch      an HTTP request for the worker (instance 0) or for an instance
//	Alarm      the alarm of an instance
//	Scheduled  a cron trigger of the worker
//	Destroy    forget an instance
//
// If an event takes long, the emulator may ask for its Stack. It may send a Ping to a program that
// it has not started, to find out whether the program runs: limits in real time do not apply while
// a debugger has stopped it.
//
// A program may ask for an event of its own to look into an object. Tests do so. The program sends
// Visit, and gets Visited as an event of that object. The emulator answers Visit when the event is
// over and committed.
//
// When the client of an event has gone, the emulator cancels its stream: the handler should return,
// and holds its turn until it has answered. When the emulator withdraws an event, its object was
// reset: operations of that event fail from then on, and nobody waits for its handler.
//
// While it handles an event, the program asks for operations:
//
//   - storage: Get, Put, Delete, GetMany, PutMany, PutPart, DeleteMany, List, DeleteAll, GetAlarm,
//     SetAlarm, DeleteAlarm, Sync
//   - SQL: Exec, NextRows, CloseRows, DatabaseSize
//   - Subrequest, a request to an object or to the outside
//   - time: Now, Sleep, Timer
//   - the turn: Pause, Resume, Wait, Block, Unblock, Reset
//   - Background, which makes an event of the object or the worker for work that goes on after its
//     handler
//
// # Turns
//
// At most one event of an object runs handler code at any time: it holds the object's turn. The
// emulator grants the turn before it delivers the event, and takes it back when the event's answer
// has ended. Subrequest and Sleep give the turn up while they wait, and are answered when the event
// has it again. So does Sync, if other events wait for the turn: they go first. Pause gives it up
// when the program waits for something else (a body that has not arrived, a client that reads
// slowly). Resume takes it again, and is answered when it is granted.
// Every operation that gives the turn up first commits the writes of the object. Between Block and
// Unblock the turn is not given up; only the commit happens. An event that Background has made has
// its place in the queue for the turn when it is answered. A program must not run handler code of
// an event that has given up its turn.
//
// The program may send puts as a notice (Write), as long as the event holds its turn. They take
// effect before the next operation of the event, and before the event's Reply. If one fails, the
// object is reset. A program may cache what it has put and got, until the emulator sends Forget.
//
// Wait gives the turn up until another event of the object sends the notice Wake with its token. It
// is answered when the event has its turn again. The emulator knows of a Wait before it looks at
// anything that the program sends later. So a Wake that follows it is never lost, and a token
// without a Wait is ignored. The woken events take their turns in the order of the tokens, and take
// part in the step of the event that has the object's turn when the Wake arrives. Between Block and
// Unblock no other event could send a Wake, so Wait fails there.
//
// Entries of a PutMany that do not fit into one frame are sent before it, by PutPart. All of them
// are stored when the PutMany comes, or none.
//
// Begin, Commit and Rollback come between Block and Unblock. While a transaction is open, nothing
// is committed, whatever the event waits for. The Commit of the outermost transaction commits.
//
// A Timer does not affect the turn: its event goes on. When the time has come, the emulator answers
// with a Reply without END. Then the program does whatever it needs the timer for, such as to
// withdraw a Sleep or a Subrequest that takes too long. The body of its question, one byte, says
// whether it withdraws any Sleep or Subrequest of the event for that reason (1) or not (0). If it
// does, the clock stands still until the event is over or waits again. The program withdraws a
// timer that it no longer needs.
//
// Log, a notice, writes a line of an event's handler to the emulator's log. A program that the
// emulator has started can also mark a line that it prints on its standard error, so that the log
// names its object (see MarkPrinted).
//
// A response leaves the emulator when the writes before it are committed. A response that is
// complete in its Reply frame also ends the event, and the emulator commits first. A response that
// goes on in Data frames is sent while the event is paused, the Reply as well as each Data frame.
// (Events of the worker have no turn, and need no Pause.)
package wire

// The versions of the protocol that this package speaks.
const (
	MinVersion = 2
	MaxVersion = 2
)

// EnvFD and EnvSocket are the environment variables that lead a program to its connection.
const (
	EnvFD     = "DEVTOOL_FD"
	EnvSocket = "DEVTOOL_SOCKET"
)

// Package plugin builds, launches and watches the handler program: the user's Go code, compiled
// into a process of its own.
//
// It has three parts that know nothing of each other. The emulator joins them into reload on save:
//
//  1. [Builder] runs `go build` and turns its output into diagnostics with file, line, column and
//     source line. A build can be cancelled at any moment, as a second save during a build does.
//  2. [Launch] starts the program with a connection that it inherits, and ends it together with
//     every process that it started.
//  3. [Watch] reports which files changed, once the editor has finished saving.
//     [Builder.ExternalSources] lists the sources outside the project's folder.
//
// The package carries bytes only. Package durable/wire speaks the protocol on [Process.Conn], and
// the emulator decides when to build, swap and restart.
//
// Everything here runs on real time, because compilers, processes and editors do not follow the
// virtual clock.
package plugin

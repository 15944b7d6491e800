// Package plugin builds, launches and watches the handler program: the user's
// Go code, compiled into a process of its own.
//
// It has three parts that know nothing of each other, and the emulator joins
// them into reload on save:
//
//  1. [Builder] runs `go build` and turns what it prints into diagnostics with
//     file, line, column and source line. A build can be cancelled at any
//     moment, which is what a second save during a build does.
//  2. [Launch] starts the program with a connection already in its hand, and
//     ends it together with every process it has started.
//  3. [Watch] reports which files changed once the editor has come to rest;
//     [Builder.ExternalSources] says which there are outside of the project's folder.
//
// The package carries bytes only. The protocol spoken on [Process.Conn] is
// durable/wire's, and when to build, swap and restart is the emulator's.
//
// Everything here runs on real time, because compilers, processes and editors
// do not follow the virtual clock.
package plugin

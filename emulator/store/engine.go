package store

import (
	"sync/atomic"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"
)

// The engine was compiled with other options than workerd's, of the same version. This file undoes
// the options that a user's SQL could notice and that can be undone at run time. Others are hidden
// by the rule (authorizer.go), or listed in docs/conformance.md.

// imitateBuild makes the connection behave like one of workerd's build of the engine.
func (d *database) imitateBuild() error {
	d.withoutSamples()
	// The pragma gives the connection a LIKE of its own in place of the shared one, so that
	// matchBlobs can change it.
	if err := d.execOnce("PRAGMA case_sensitive_like = OFF"); err != nil {
		return err
	}
	d.matchBlobs(true)
	return d.replaceGlob()
}

// withoutSamples undoes SQLITE_ENABLE_STAT4: ANALYZE makes no table sqlite_stat4, and the planner
// does not read one.
func (d *database) withoutSamples() {
	tls, conn := d.engine(d.conn, "conn")
	arguments := libc.NewVaList(conn, int32(lib.SQLITE_Stat4))
	defer libc.Xfree(tls, arguments)
	lib.Xsqlite3_test_control(tls, lib.SQLITE_TESTCTRL_OPTIMIZATIONS, arguments)
}

// matchBlobs undoes SQLITE_LIKE_DOESNT_MATCH_BLOBS: LIKE takes a BLOB for the text of its bytes. It
// must be called again after each PRAGMA case_sensitive_like, which replaces LIKE by one that is
// not constant, so that an index must not call it. With constant, it is as in a new connection.
//
// The engine does not use an index for LIKE and GLOB any more: with that option, the range that it
// searches has no BLOBs.
func (d *database) matchBlobs(constant bool) {
	_, conn := d.engine(d.conn, "conn")
	for next := at[lib.Tsqlite3](conn).FaFunc.Ffirst; next != 0; {
		element := at[lib.THashElem](next)
		next = element.Fnext
		if libc.GoString(element.FpKey) != "like" {
			continue
		}
		for overload := element.Fdata; overload != 0; {
			f := at[lib.TFuncDef](overload)
			overload = f.FpNext
			if f.FxSFunc != matchAsText {
				engineMatch.Store(f.FxSFunc)
				f.FxSFunc = matchAsText
			}
			f.FfuncFlags &^= lib.SQLITE_FUNC_LIKE
			if constant {
				f.FfuncFlags |= lib.SQLITE_FUNC_CONSTANT
			}
		}
	}
}

// replaceGlob does the same for GLOB, which no pragma replaces.
func (d *database) replaceGlob() error {
	tls, conn := d.engine(d.conn, "conn")
	const flags = lib.SQLITE_UTF8 | lib.SQLITE_DETERMINISTIC | lib.SQLITE_INNOCUOUS
	result := lib.Xsqlite3_create_function(tls, conn, globName, 2, flags, globWildcards, matchAsText, 0, 0)
	if err := sqlite.ResultCode(result).ToError(); err != nil {
		return explain(d.path, err)
	}
	return nil
}

// These are C memory that is never freed: the name of GLOB, and what makes the engine's function
// match as GLOB does (struct compareInfo).
var (
	globName      = cBytes('g', 'l', 'o', 'b', 0)
	globWildcards = cBytes('*', '?', '[', 0)
)

func cBytes(content ...byte) uintptr {
	tls := libc.NewTLS()
	defer tls.Close()
	address := libc.Xmalloc(tls, libc.Tsize_t(len(content)))
	if address == 0 {
		panic("store: out of memory")
	}
	copy(unsafe.Slice(at[byte](address), len(content)), content)
	return address
}

// engineMatch is the engine's own function for LIKE and GLOB, as a C function pointer. It is the
// same for all connections.
var engineMatch atomic.Uintptr

// matchAsText is a C function pointer to a function that calls engineMatch with BLOBs turned into
// text. Where engineMatch takes BLOBs at all, it does the same.
var matchAsText = functionPointer(func(tls *libc.TLS, context uintptr, count int32, arguments uintptr) {
	for i := range uintptr(count) {
		argument := *at[uintptr](arguments + i*unsafe.Sizeof(arguments))
		if lib.Xsqlite3_value_type(tls, argument) == lib.SQLITE_BLOB {
			lib.Xsqlite3_value_text(tls, argument)
		}
	}
	match := engineMatch.Load()
	(*(*function)(unsafe.Pointer(&struct{ uintptr }{match})))(tls, context, count, arguments)
})

// function is an SQL function as the engine calls it.
type function = func(tls *libc.TLS, context uintptr, count int32, arguments uintptr)

// functionPointer returns a C function pointer to f, which must never be freed.
func functionPointer(f function) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// at returns what is at an address of C memory.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

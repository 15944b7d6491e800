package vet

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/types"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// sdk is the package that makes a program a handler program.
const sdk = "devtool.internal/durable"

// realtime is the comment that permits the machine's clock: on the line of the use, on the line
// above it, or in the comment above the function.
const realtime = "//devtool:realtime"

// HandlerTime reports uses of the machine's clock in handler code.
//
// Handler code is the code of packages that import the SDK, except for main, init, the initial
// values of variables and the function that makes the worker's handler, which run before any event.
// If a helper in another package reads the clock,
// HandlerTime reports the call in handler code.
//
// HandlerTime permits measuring: a local variable that holds time.Now(), if it serves only for
// durations that are not compared with anything. How long something takes on this machine is not a
// question for the virtual clock.
var HandlerTime = &analysis.Analyzer{
	Name: "handlertime",
	Doc: `find uses of the machine's clock in handlers of Durable Objects

Handlers, alarms and storage follow the emulator's clock, which tests and commands move. time.Now,
time.Sleep, context.WithTimeout and the like do not: use durable.Now(ctx), durable.Sleep and
durable.WithTimeout. Where you mean the machine's clock, say so with a comment
//devtool:realtime.`,
	Run:       run,
	FactTypes: []analysis.Fact{(*readsClock)(nil)},
}

// readsClock is the fact about a function outside of handler code that uses the machine's clock,
// directly or through other functions.
type readsClock struct {
	Use string // such as time.Now
	At  string // file and line of the use
}

func (*readsClock) AFact() {}

func (f *readsClock) String() string { return f.Use + " at " + f.At }

// instead maps each function that uses the machine's clock to what handlers use instead.
var instead = map[string]string{
	"time.Now":                  "durable.Now(ctx)",
	"time.Since":                "durable.Now(ctx).Sub(t)",
	"time.Until":                "t.Sub(durable.Now(ctx))",
	"time.Sleep":                "durable.Sleep(ctx, d)",
	"time.After":                "durable.Sleep(ctx, d)",
	"time.NewTimer":             "durable.Sleep(ctx, d)",
	"time.AfterFunc":            "an alarm (Storage.SetAlarm), or State.WaitUntil and durable.Sleep",
	"time.NewTicker":            "an alarm that sets itself again, or durable.Sleep in a loop",
	"time.Tick":                 "an alarm that sets itself again, or durable.Sleep in a loop",
	"context.WithTimeout":       "durable.WithTimeout(ctx, d)",
	"context.WithTimeoutCause":  "durable.WithTimeout(ctx, d)",
	"context.WithDeadline":      "durable.WithDeadline(ctx, t)",
	"context.WithDeadlineCause": "durable.WithDeadline(ctx, t)",
}

// standard is the prefix of file names in the standard library. Check does not load those files,
// but other drivers do.
var standard = filepath.Join(build.Default.GOROOT, "src") + string(filepath.Separator)

func run(pass *analysis.Pass) (any, error) {
	if pass.Pkg.Path() == sdk || strings.HasPrefix(pass.Pkg.Path(), sdk+"/") {
		return nil, nil // the SDK implements the emulator's clock with the machine's
	}
	isSDK := func(p *types.Package) bool { return p.Path() == sdk }
	c := &inspection{pass: pass, handlers: slices.ContainsFunc(pass.Pkg.Imports(), isSDK)}
	for _, file := range pass.Files {
		name := pass.Fset.Position(file.FileStart).Filename
		if strings.HasPrefix(name, standard) {
			return nil, nil // it uses the clock in many places, but its results rarely depend on that
		}
		if strings.HasSuffix(name, "_test.go") || ast.IsGenerated(file) {
			continue
		}
		c.check(file)
	}
	c.exportFacts()
	return nil, nil
}

// inspection is the analysis of one package.
type inspection struct {
	pass     *analysis.Pass
	handlers bool // whether the package imports the SDK, so that its code is handler code

	// Of a package without handlers: the functions that use the clock themselves, and the functions
	// that each function calls.
	reads map[*types.Func]*readsClock
	calls map[*types.Func][]*types.Func
}

// check reports the uses in a file of handler code, and notes those in any other file.
func (c *inspection) check(file *ast.File) {
	watches := c.stopwatches(file)
	silent := c.silentLines(file)
	ast.PreorderStack(file, nil, func(n ast.Node, stack []ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok && hasDirective(f.Doc) {
			return false
		}
		name, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		called, ok := c.pass.TypesInfo.Uses[name].(*types.Func)
		if !ok {
			return true
		}
		u := newUse(name, called, stack)
		if silent[c.line(name)] || watches.has(c.pass.TypesInfo, u) {
			return true
		}
		if c.handlers {
			c.report(u, file)
		} else {
			c.note(u)
		}
		return true
	})
}

// A use is a place where a function is called or used as a value.
type use struct {
	name  *ast.Ident
	fn    *types.Func
	expr  ast.Expr      // the function as written, with its package
	call  *ast.CallExpr // nil if the function is used as a value
	stack []ast.Node    // the nodes around all of it, outermost first
}

func newUse(name *ast.Ident, fn *types.Func, stack []ast.Node) use {
	u := use{name: name, fn: fn, expr: name}
	rest := slices.Clone(stack)
	last := func() ast.Node { return rest[len(rest)-1] } // the file at least
	if selector, ok := last().(*ast.SelectorExpr); ok && selector.Sel == name {
		u.expr, rest = selector, rest[:len(rest)-1]
	}
	if call, ok := last().(*ast.CallExpr); ok && call.Fun == u.expr {
		u.call, rest = call, rest[:len(rest)-1]
	}
	u.stack = rest
	return u
}

// clockName returns the name of fn, such as time.Now, if fn uses the machine's clock.
func clockName(fn *types.Func) (name string, ok bool) {
	if fn.Pkg() == nil || fn.Signature().Recv() != nil {
		return "", false
	}
	name = fn.Pkg().Path() + "." + fn.Name()
	_, ok = instead[name]
	return name, ok
}

// report reports u if it is in handler code and uses the machine's clock.
func (c *inspection) report(u use, file *ast.File) {
	name, own := clockName(u.fn)
	var far readsClock
	switch {
	case !own && (u.fn.Pkg() == c.pass.Pkg || !c.pass.ImportObjectFact(u.fn.Origin(), &far)):
		return
	case !c.inHandler(u):
		return
	case !own:
		c.pass.Report(analysis.Diagnostic{
			Pos: u.expr.Pos(), End: u.expr.End(), Category: far.Use,
			Message: fmt.Sprintf("%s goes by the machine's clock, not by the emulator's (%s): "+
				"let it use %s, or take the time as an argument", written(u.fn), &far, instead[far.Use]),
		})
		return
	}
	c.pass.Report(analysis.Diagnostic{
		Pos: u.expr.Pos(), End: u.expr.End(), Category: name,
		Message: fmt.Sprintf("%s goes by the machine's clock, not by the emulator's: use %s",
			name, instead[name]),
		SuggestedFixes: c.fix(u, name, file),
	})
}

// written returns fn as users of its package write it.
func written(fn *types.Func) string {
	if recv := fn.Signature().Recv(); recv != nil {
		t := recv.Type()
		if p, ok := t.(*types.Pointer); ok {
			t = p.Elem()
		}
		if named, ok := t.(*types.Named); ok {
			return fn.Pkg().Name() + "." + named.Obj().Name() + "." + fn.Name()
		}
	}
	return fn.Pkg().Name() + "." + fn.Name()
}

// inHandler reports whether u can run during an event. Outside of functions, in main and in init,
// only function literals that take an event can. In a function that makes the worker's handler, all
// function literals can.
func (c *inspection) inHandler(u use) bool {
	// A variable that holds a function may be called during an event, but not one of main.
	values, making := true, false
	for _, node := range u.stack {
		switch node := node.(type) {
		case *ast.FuncDecl:
			fn, ok := c.pass.TypesInfo.Defs[node.Name].(*types.Func)
			making = ok && node.Recv == nil && makesHandler(fn.Signature())
			values = making
			if !making && (node.Recv != nil || (node.Name.Name != "main" && node.Name.Name != "init")) {
				return true
			}
		case *ast.FuncLit:
			t, ok := c.pass.TypesInfo.TypeOf(node).(*types.Signature)
			switch {
			case making || ok && takesEvent(t) && !makesHandler(t):
				return true
			case ok && makesHandler(t):
				values, making = true, true
			}
		}
	}
	return values && u.call == nil
}

// makesHandler reports whether a function of that signature can be the Handler of a Worker.
func makesHandler(signature *types.Signature) bool {
	return signature.Params().Len() == 1 && signature.Results().Len() == 1 && takesEvent(signature) &&
		signature.Results().At(0).Type().String() == "net/http.Handler"
}

// takesEvent reports whether a function of that signature takes part of an event: a context, a
// request or a type of the SDK.
func takesEvent(signature *types.Signature) bool {
	for param := range signature.Params().Variables() {
		t := param.Type()
		if p, ok := t.(*types.Pointer); ok {
			t = p.Elem()
		}
		named, ok := types.Unalias(t).(*types.Named)
		if !ok || named.Obj().Pkg() == nil {
			continue
		}
		switch path := named.Obj().Pkg().Path(); path + "." + named.Obj().Name() {
		case "context.Context", "net/http.Request":
			return true
		default:
			if path == sdk {
				return true
			}
		}
	}
	return false
}

// note records what a function outside of handler code uses.
func (c *inspection) note(u use) {
	var caller *types.Func
	for _, node := range u.stack {
		if f, ok := node.(*ast.FuncDecl); ok {
			caller, _ = c.pass.TypesInfo.Defs[f.Name].(*types.Func)
		}
	}
	if caller == nil {
		return
	}
	var far readsClock
	switch name, own := clockName(u.fn); {
	case own:
		if c.reads == nil {
			c.reads = make(map[*types.Func]*readsClock)
		}
		if c.reads[caller] == nil {
			at := c.pass.Fset.Position(u.expr.Pos())
			c.reads[caller] = &readsClock{Use: name, At: fmt.Sprintf("%s:%d", filepath.Base(at.Filename), at.Line)}
		}
	case u.fn.Pkg() == c.pass.Pkg:
		if c.calls == nil {
			c.calls = make(map[*types.Func][]*types.Func)
		}
		c.calls[caller] = append(c.calls[caller], u.fn.Origin())
	case c.pass.ImportObjectFact(u.fn.Origin(), &far):
		if c.reads == nil {
			c.reads = make(map[*types.Func]*readsClock)
		}
		if c.reads[caller] == nil {
			c.reads[caller] = &far
		}
	}
}

// exportFacts exports facts about the functions that note has recorded, and about their callers.
func (c *inspection) exportFacts() {
	for changed := true; changed; {
		changed = false
		for caller, called := range c.calls {
			for _, fn := range called {
				if c.reads[caller] == nil && c.reads[fn] != nil {
					c.reads[caller], changed = c.reads[fn], true
				}
			}
		}
	}
	for fn, fact := range c.reads {
		c.pass.ExportObjectFact(fn, fact)
	}
}

func (c *inspection) line(n ast.Node) int { return c.pass.Fset.Position(n.Pos()).Line }

// silentLines returns the lines of file where a comment permits the machine's clock.
func (c *inspection) silentLines(file *ast.File) map[int]bool {
	lines := make(map[int]bool)
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if isDirective(comment) {
				line := c.line(comment)
				lines[line], lines[line+1] = true, true
			}
		}
	}
	return lines
}

func hasDirective(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, isDirective)
}

func isDirective(comment *ast.Comment) bool {
	rest, ok := strings.CutPrefix(comment.Text, realtime)
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

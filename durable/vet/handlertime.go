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

// realtime is the comment that says that the machine's clock is meant, on the line of the use, on
// the line above it, or in the comment above the function.
const realtime = "//devtool:realtime"

// HandlerTime points at uses of the machine's clock in handler code.
//
// Handler code is what is written in a package that imports the SDK, but for main, init and the initial
// values of variables, which run before any event. A helper in another package that reads the clock is
// reported where handler code calls it.
//
// What measures is left alone: a local variable that holds time.Now() and from which nothing is made but
// durations that are not compared with anything. How long something took on this machine is no
// question to the virtual clock.
var HandlerTime = &analysis.Analyzer{
	Name: "handlertime",
	Doc: `find uses of the machine's clock in handlers of Durable Objects

Handlers, alarms and storage live by the emulator's clock, which is moved by hand. What time.Now,
time.Sleep, context.WithTimeout and the like do does not follow it: use durable.Now(ctx),
durable.Sleep and durable.WithTimeout. Where the machine's clock is meant, say so with a comment
//devtool:realtime.`,
	Run:       run,
	FactTypes: []analysis.Fact{(*readsClock)(nil)},
}

// readsClock is known of a function outside of handler code that uses the machine's clock, itself
// or by way of others.
type readsClock struct {
	Use string // such as time.Now
	At  string // file and line of the use
}

func (*readsClock) AFact() {}

func (f *readsClock) String() string { return f.Use + " at " + f.At }

// instead says what handlers use in place of a function.
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

// standard is what file names of the standard library begin with. Check does not look into it, but other
// drivers do.
var standard = filepath.Join(build.Default.GOROOT, "src") + string(filepath.Separator)

func run(pass *analysis.Pass) (any, error) {
	if pass.Pkg.Path() == sdk || strings.HasPrefix(pass.Pkg.Path(), sdk+"/") {
		return nil, nil // what the SDK does with the clock is the answer, not the question
	}
	c := &inspection{pass: pass, handlers: slices.ContainsFunc(pass.Pkg.Imports(), func(p *types.Package) bool { return p.Path() == sdk })}
	for _, file := range pass.Files {
		name := pass.Fset.Position(file.FileStart).Filename
		if strings.HasPrefix(name, standard) {
			return nil, nil // it uses the clock everywhere, and hardly ever for what it returns
		}
		if strings.HasSuffix(name, "_test.go") || ast.IsGenerated(file) {
			continue
		}
		c.check(file)
	}
	c.exportFacts()
	return nil, nil
}

// inspection goes through one package.
type inspection struct {
	pass     *analysis.Pass
	handlers bool // it imports the SDK, so its code is handler code

	reads map[*types.Func]*readsClock   // functions that use the clock themselves, when it does not
	calls map[*types.Func][]*types.Func // what functions of the package call, when it does not
}

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

// A use is a function that is called, or taken as a value.
type use struct {
	name  *ast.Ident
	fn    *types.Func
	expr  ast.Expr      // the function as written, with its package
	call  *ast.CallExpr // nil if it is not called
	stack []ast.Node    // around the whole, outermost first
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

// clockName is the name of fn, such as time.Now, if it goes by the machine's clock.
func clockName(fn *types.Func) (name string, ok bool) {
	if fn.Pkg() == nil || fn.Signature().Recv() != nil {
		return "", false
	}
	name = fn.Pkg().Path() + "." + fn.Name()
	_, ok = instead[name]
	return name, ok
}

// report reports u if it stands in handler code and goes by the machine's clock.
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
			Message: fmt.Sprintf("%s goes by the machine's clock, not by the emulator's (%s): let it use %s, or take the time as an argument",
				written(u.fn), &far, instead[far.Use]),
		})
		return
	}
	c.pass.Report(analysis.Diagnostic{
		Pos: u.expr.Pos(), End: u.expr.End(), Category: name,
		Message:        fmt.Sprintf("%s goes by the machine's clock, not by the emulator's: use %s", name, instead[name]),
		SuggestedFixes: c.fix(u, name, file),
	})
}

// written is fn as a user of its package writes it.
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

// inHandler reports whether u can run during an event. At the start of the program only
// a function that looks like a handler can.
func (c *inspection) inHandler(u use) bool {
	start := true // outside of functions
	for _, node := range u.stack {
		switch node := node.(type) {
		case *ast.FuncDecl:
			if node.Recv != nil || (node.Name.Name != "main" && node.Name.Name != "init") {
				return true
			}
			start = false
		case *ast.FuncLit:
			if t, ok := c.pass.TypesInfo.TypeOf(node).(*types.Signature); ok && takesEvent(t) {
				return true
			}
		}
	}
	// A variable that holds the function is there to be called later.
	return start && u.call == nil
}

// takesEvent reports whether a function of that signature is called with an event: with its context, its
// request, or something of the SDK's.
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

// note remembers what a function outside of handler code uses.
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

// exportFacts tells the packages above of the functions that were noted, and of those that call them.
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

// silentLines are the lines of file for which a comment says that the machine's clock is meant.
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

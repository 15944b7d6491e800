package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"

	"golang.org/x/tools/go/analysis"
)

// fix returns edits that make u follow the emulator's clock, if that means the same and a context
// is in scope. There are none for a sleep, because durable.Sleep gives up the turn and returns an
// error.
func (c *inspection) fix(u use, name string, file *ast.File) []analysis.SuggestedFix {
	durable := sdkName(file)
	if u.call == nil || durable == "" || u.call.Ellipsis.IsValid() {
		return nil
	}
	call := u.call
	var edits []analysis.TextEdit
	switch ctx := c.contextAt(call.Pos()); name {
	case "time.Now":
		if ctx == "" {
			return nil
		}
		edits = replace(call.Pos(), call.End(), durable+"Now("+ctx+")")
	case "time.Since":
		if ctx == "" {
			return nil
		}
		edits = replace(call.Pos(), call.Args[0].Pos(), durable+"Now("+ctx+").Sub(")
	case "time.Until":
		if ctx == "" {
			return nil
		}
		before, after := "", ""
		if !isPrimary(call.Args[0]) {
			before, after = "(", ")"
		}
		edits = append(replace(call.Pos(), call.Args[0].Pos(), before),
			replace(call.Args[0].End(), call.End(), after+".Sub("+durable+"Now("+ctx+"))")...)
	case "context.WithTimeout", "context.WithDeadline":
		if !c.offers(u.fn.Name()) || isRoot(c.pass.TypesInfo, call.Args[0]) {
			return nil
		}
		edits = replace(u.expr.Pos(), u.expr.End(), durable+u.fn.Name())
	default:
		return nil
	}
	return []analysis.SuggestedFix{{Message: "Go by the emulator's clock", TextEdits: edits}}
}

func replace(pos, end token.Pos, text string) []analysis.TextEdit {
	return []analysis.TextEdit{{Pos: pos, End: end, NewText: []byte(text)}}
}

// sdkName returns the prefix of the SDK's names in file, such as "durable.". It is empty if file
// does not import the SDK.
func sdkName(file *ast.File) string {
	for _, spec := range file.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err != nil || path != sdk {
			continue
		}
		switch {
		case spec.Name == nil:
			return "durable."
		case spec.Name.Name != "_" && spec.Name.Name != ".":
			return spec.Name.Name + "."
		}
	}
	return ""
}

// offers reports whether the package's version of the SDK has a function of that name.
func (c *inspection) offers(name string) bool {
	for _, imported := range c.pass.Pkg.Imports() {
		if imported.Path() == sdk {
			_, ok := imported.Scope().Lookup(name).(*types.Func)
			return ok
		}
	}
	return false
}

// contextAt returns an expression for the event's context at pos: the variable of type
// context.Context or the request in the innermost scope. It is empty if there is none.
func (c *inspection) contextAt(pos token.Pos) string {
	innermost := c.pass.Pkg.Scope().Innermost(pos)
	for scope := innermost; scope != nil && scope != c.pass.Pkg.Scope(); scope = scope.Parent() {
		request := ""
		for _, name := range scope.Names() {
			v, ok := scope.Lookup(name).(*types.Var)
			if _, visible := innermost.LookupParent(name, pos); !ok || visible != v || name == "_" {
				continue
			}
			switch types.TypeString(v.Type(), nil) {
			case "context.Context":
				return name
			case "*net/http.Request":
				request = name + ".Context()"
			}
		}
		if request != "" {
			return request
		}
	}
	return ""
}

// isPrimary reports whether a method can be called on e without parentheses.
func isPrimary(e ast.Expr) bool {
	switch e.(type) {
	case *ast.Ident, *ast.SelectorExpr, *ast.CallExpr, *ast.IndexExpr, *ast.ParenExpr:
		return true
	}
	return false
}

// isRoot reports whether e is context.Background() or TODO(), which belong to no event.
func isRoot(info *types.Info, e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	fn, ok := info.Uses[selector.Sel].(*types.Func)
	return ok && fn.Pkg() != nil && fn.Pkg().Path() == "context" && (fn.Name() == "Background" || fn.Name() == "TODO")
}

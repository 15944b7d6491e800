package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// watches are the local variables of a file that hold time.Now(). The value is true if the variable
// only measures: it is only ever subtracted from another time.
type watches map[types.Object]bool

// stopwatches returns the watches of file.
func (c *inspection) stopwatches(file *ast.File) watches {
	info := c.pass.TypesInfo
	w := make(watches)
	ast.Inspect(file, func(n ast.Node) bool {
		if assign, ok := n.(*ast.AssignStmt); ok && len(assign.Lhs) == len(assign.Rhs) {
			for i, right := range assign.Rhs {
				if name, ok := assign.Lhs[i].(*ast.Ident); ok && isNow(info, right) {
					if v, ok := info.ObjectOf(name).(*types.Var); ok && v.Kind() == types.LocalVar {
						w[v] = true
					}
				}
			}
		}
		return true
	})
	ast.PreorderStack(file, nil, func(n ast.Node, stack []ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok {
			if v := info.ObjectOf(name); v != nil && w[v] {
				w[v] = w.measures(info, name, stack)
			}
		}
		return true
	})
	return w
}

func isNow(info *types.Info, e ast.Node) bool {
	_, ok := isCall(info, e, "time.Now")
	return ok
}

// measures reports whether name, which refers to a variable of w, is set to time.Now() there or is
// subtracted without a comparison.
func (w watches) measures(info *types.Info, name *ast.Ident, stack []ast.Node) bool {
	parent := stack[len(stack)-1]
	if assign, ok := parent.(*ast.AssignStmt); ok && len(assign.Lhs) == len(assign.Rhs) {
		for i, left := range assign.Lhs {
			if left == name {
				return isNow(info, assign.Rhs[i])
			}
		}
		return false
	}
	if call, ok := isCall(info, parent, "time.Since"); ok {
		return call.Args[0] == name && !isCompared(call, stack)
	}
	// It may be part of x.Sub(name) or name.Sub(x).
	if selector, ok := parent.(*ast.SelectorExpr); ok && len(stack) > 1 {
		parent = stack[len(stack)-2]
		stack = stack[:len(stack)-1]
		if call, ok := parent.(*ast.CallExpr); !ok || call.Fun != selector {
			return false
		}
	}
	call, ok := parent.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 || isCompared(call, stack) {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Sub" {
		return false
	}
	return w.isTime(info, selector.X) && w.isTime(info, call.Args[0])
}

// isTime reports whether e is time.Now() or a variable of w.
func (w watches) isTime(info *types.Info, e ast.Expr) bool {
	if name, ok := e.(*ast.Ident); ok {
		_, known := w[info.ObjectOf(name)]
		return known
	}
	return isNow(info, e)
}

// isCompared reports whether the duration that call returns, or a number that the same expression
// makes of it, is compared. The call is the last of stack.
func isCompared(call *ast.CallExpr, stack []ast.Node) bool {
	for i := len(stack) - 1; i >= 0; i-- {
		switch n := stack[i].(type) {
		case *ast.BinaryExpr:
			if compares(n.Op) {
				return true
			}
		case *ast.CallExpr:
			if n != call && len(n.Args) > 0 && !isConversion(n) {
				return false // an argument
			}
		case ast.Stmt:
			return false
		}
	}
	return false
}

// isConversion reports whether call looks like one to a number, such as float64(x).
func isConversion(call *ast.CallExpr) bool {
	_, ok := call.Fun.(*ast.Ident)
	return ok && len(call.Args) == 1
}

// has reports whether u is part of a measurement: the time.Now() that a watch is set to or
// subtracted from, or time.Since of a watch.
func (w watches) has(info *types.Info, u use) bool {
	if u.call == nil || len(u.stack) == 0 {
		return false
	}
	watch := func(e ast.Expr) bool {
		name, ok := e.(*ast.Ident)
		return ok && w[info.ObjectOf(name)]
	}
	if call, ok := isCall(info, u.call, "time.Since"); ok {
		return watch(call.Args[0])
	}
	if !isNow(info, u.call) {
		return false
	}
	switch parent := u.stack[len(u.stack)-1].(type) {
	case *ast.AssignStmt:
		for i, right := range parent.Rhs {
			if right == u.call && len(parent.Lhs) == len(parent.Rhs) {
				return watch(parent.Lhs[i])
			}
		}
	case *ast.CallExpr: // x.Sub(time.Now())
		selector, ok := parent.Fun.(*ast.SelectorExpr)
		return ok && selector.Sel.Name == "Sub" && watch(selector.X)
	case *ast.SelectorExpr: // time.Now().Sub(x)
		if len(u.stack) < 2 || parent.Sel.Name != "Sub" {
			return false
		}
		call, ok := u.stack[len(u.stack)-2].(*ast.CallExpr)
		return ok && call.Fun == parent && len(call.Args) == 1 && watch(call.Args[0])
	}
	return false
}

// isCall returns e as a call, if it calls the function called name, such as time.Now.
func isCall(info *types.Info, e ast.Node, name string) (*ast.CallExpr, bool) {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return nil, false
	}
	var id *ast.Ident
	switch f := call.Fun.(type) {
	case *ast.Ident:
		id = f
	case *ast.SelectorExpr:
		id = f.Sel
	default:
		return nil, false
	}
	fn, ok := info.Uses[id].(*types.Func)
	if !ok {
		return nil, false
	}
	got, ok := clockName(fn)
	return call, ok && got == name
}

// compares reports whether op is a comparison.
func compares(op token.Token) bool {
	return slices.Contains([]token.Token{token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ}, op)
}

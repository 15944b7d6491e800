package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"devtool.internal/config"
)

// sdkPackage is the package that every handler program imports.
const sdkPackage = sdkModule + "/durable"

// planProgram plans the configuration and, if the module has no handler program, the template's
// handlers. A configuration that exists stays as it is.
func (a *addition) planProgram(s Streams) error {
	if found := a.presentConfig(); found != "" {
		a.project = filepath.Dir(found)
		a.remarkConfig(s, found)
		return nil
	}
	files, err := a.goFilesBelow()
	if err != nil {
		return fmt.Errorf("list Go files: %w", err)
	}
	programs := a.handlerPrograms(files)
	switch {
	case slices.Contains(programs, "."):
		return a.planConfigOf(".")
	case len(programs) == 1:
		return a.planConfigOf(programs[0])
	case len(programs) > 1:
		return failure("name the folder of the one to serve: `devtool init --into DIR`",
			"%s has several handler programs, in %s", a.project, strings.Join(programs, ", "))
	case len(files) == 0:
		return a.planTemplate(".")
	}
	folder := "worker"
	if info, err := os.Stat(filepath.Join(a.project, "cmd")); err == nil && info.IsDir() {
		folder = "cmd/worker"
	}
	if _, err := os.Lstat(filepath.Join(a.project, filepath.FromSlash(folder))); !errors.Is(err, fs.ErrNotExist) {
		return failure("nothing was written: name a new folder for the handlers with `devtool init --into DIR`",
			"%s already has %s, and no program in it imports %s", a.project, folder, sdkPackage)
	}
	return a.planTemplate(folder)
}

// presentConfig returns the path of the project's configuration, in its folder or above it within
// the module, or "". A folder that does not exist yet gets one of its own.
func (a *addition) presentConfig() string {
	if _, err := os.Stat(a.project); err != nil {
		return ""
	}
	found, err := config.Find(a.project)
	if err != nil {
		return ""
	}
	if rel, err := filepath.Rel(a.m.dir, found); err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return found
}

// remarkConfig says if the configuration, which init does not change, names no Go program.
func (a *addition) remarkConfig(s Streams, path string) {
	c, _, err := config.Load(path, config.Options{})
	if err != nil || checkMain(c) != nil || filepath.Ext(c.Main) != "" && filepath.Ext(c.Main) != ".go" {
		a.remarks = append(a.remarks, fmt.Sprintf("%s stays as it is. Its \"main\" has to name the folder of the "+
			"Go program: `devtool config check` says what is wrong.", s.short(path)))
	}
}

// goFilesBelow returns the module's Go files in the project's folder and below, relative to the
// project.
func (a *addition) goFilesBelow() ([]string, error) {
	all, err := a.m.goFiles()
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range all {
		if rel, err := filepath.Rel(a.project, filepath.Join(a.m.dir, name)); err == nil && filepath.IsLocal(rel) {
			files = append(files, filepath.ToSlash(rel))
		}
	}
	return files, nil
}

// handlerPrograms returns the folders of files that have a package main which imports the SDK.
func (a *addition) handlerPrograms(files []string) (folders []string) {
	for _, name := range files {
		folder := path.Dir(name)
		if strings.HasSuffix(name, "_test.go") || slices.Contains(folders, folder) {
			continue
		}
		file, err := parseGo(token.NewFileSet(), a.inProject(name), goparser.ImportsOnly)
		if err == nil && file.Name.Name == "main" && importsSDK(file) {
			folders = append(folders, folder)
		}
	}
	return folders
}

func (a *addition) inProject(name string) string {
	return filepath.Join(a.project, filepath.FromSlash(name))
}

func importsSDK(file *ast.File) bool {
	return slices.ContainsFunc(file.Imports, func(spec *ast.ImportSpec) bool {
		imported, err := strconv.Unquote(spec.Path.Value)
		return err == nil && imported == sdkPackage
	})
}

// planTemplate plans the template's handlers in folder, and their configuration.
func (a *addition) planTemplate(folder string) error {
	handlers, err := a.template.Handlers()
	if err != nil {
		return err
	}
	text, err := a.template.Config(a.name, folder, a.schema())
	if err != nil {
		return err
	}
	if err := a.addConfig(text, folder); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(handlers)) {
		change := "from the template " + a.template.Name
		if err := a.add(a.inProject(path.Join(folder, name)), nil, handlers[name], change); err != nil {
			return err
		}
	}
	a.wrote = true
	return nil
}

// schema returns the path of the schema in the SDK's copy, as the configuration names it.
func (a *addition) schema() string {
	rel, err := filepath.Rel(a.project, filepath.Join(a.sdk(), schemaFile))
	if err != nil {
		return schemaFile
	}
	if rel = filepath.ToSlash(rel); !strings.HasPrefix(rel, "../") {
		rel = "./" + rel
	}
	return rel
}

func (a *addition) addConfig(text []byte, main string) error {
	change := "the configuration, with main " + main
	return a.add(filepath.Join(a.project, "wrangler.jsonc"), nil, text, change)
}

// planConfigOf plans the configuration of the program in folder, with a binding for each class that
// it declares.
func (a *addition) planConfigOf(folder string) error {
	classes := a.declaredClasses(folder)
	if err := a.addConfig(configFor(a.name, folder, a.schema(), classes), folder); err != nil {
		return err
	}
	if len(classes) > 0 {
		a.remarks = append(a.remarks, "The bindings in wrangler.jsonc are named after the classes: "+
			"change them where the handlers use other names.")
	}
	return nil
}

// declaredClasses returns the keys of composite literals of durable.Classes in the package in
// folder.
func (a *addition) declaredClasses(folder string) (classes []string) {
	entries, err := os.ReadDir(a.inProject(folder))
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		name := entry.Name()
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		path := filepath.Join(a.inProject(folder), name)
		file, err := parseGo(token.NewFileSet(), path, goparser.SkipObjectResolution)
		if err != nil || !importsSDK(file) {
			continue // the build says what is wrong
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if t, ok := literal.Type.(*ast.SelectorExpr); !ok || t.Sel.Name != "Classes" {
				return true
			}
			for _, element := range literal.Elts {
				if pair, ok := element.(*ast.KeyValueExpr); ok {
					classes = appendText(classes, pair.Key)
				}
			}
			return true
		})
	}
	slices.Sort(classes)
	return slices.Compact(classes)
}

// appendText appends the value of a literal string, unless it is empty.
func appendText(texts []string, e ast.Expr) []string {
	literal, ok := e.(*ast.BasicLit)
	if !ok {
		return texts
	}
	if text, err := strconv.Unquote(literal.Value); err == nil && text != "" {
		texts = append(texts, text)
	}
	return texts
}

// configFor returns the configuration of a program with these classes.
func configFor(name, main, schema string, classes []string) []byte {
	quote := func(text string) string {
		quoted, _ := json.Marshal(text) // a string can always be encoded
		return string(quoted)
	}
	var b strings.Builder
	b.WriteString("// wrangler reads the same file. `devtool dev` reloads the project when it changes.\n{\n")
	fmt.Fprintf(&b, "\t\"$schema\": %s,\n\t\"name\": %s,\n", quote(schema), quote(name))
	fmt.Fprintf(&b, "\t// The folder of the Go program, relative to this file.\n\t\"main\": %s,\n", quote(main))
	fmt.Fprintf(&b, "\t\"compatibility_date\": %s", quote(compatibilityDate))
	if len(classes) > 0 {
		var bindings, created []string
		for _, class := range classes {
			binding := fmt.Sprintf(`{ "name": %s, "class_name": %s }`, quote(bindingOf(class)), quote(class))
			bindings = append(bindings, binding)
			created = append(created, quote(class))
		}
		b.WriteString(",\n\n\t// The worker reaches a class as env.Namespace(NAME).\n\t\"durable_objects\": {\n")
		fmt.Fprintf(&b, "\t\t\"bindings\": [\n\t\t\t%s\n\t\t]\n\t},\n", strings.Join(bindings, ",\n\t\t\t"))
		b.WriteString("\t// Introduces each class. Add a step for every later change, and never edit\n" +
			"\t// a step that has been deployed.\n")
		fmt.Fprintf(&b, "\t\"migrations\": [{ \"tag\": \"v1\", \"new_sqlite_classes\": [%s] }]",
			strings.Join(created, ", "))
	}
	b.WriteString("\n}\n")
	return []byte(b.String())
}

// compatibilityDate is that of new configurations, as in the templates.
const compatibilityDate = "2026-10-01"

// bindingOf returns the usual name for a class's binding: CHAT_ROOM for ChatRoom.
func bindingOf(class string) string {
	var b strings.Builder
	runes := []rune(class)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

package store

import (
	"slices"
	"strconv"
	"strings"
)

// A rule decides what the user's SQL may do, by the actions that the engine finds in a statement
// and never by its text. The store's own statements run without a rule. Source: the authorizer of
// workerd, and the behaviour of its releases.

// userRule decides what the user's SQL may do, and records the effects of the current statement.
type userRule struct{ seen effects }

var _ rule = (*userRule)(nil)

// effects are what a statement does when it runs, as far as preparing it has shown.
type effects struct {
	reads       bool     // it is a query, possibly among other things
	writes      bool     // it changes the file, or a setting that lasts until the transaction ends
	defines     bool     // it changes the schema
	alters      bool     // it changes a table's definition, perhaps its name
	maintains   bool     // it writes statistics or an index, and the engine does not count that as changes
	pragma      bool     // preparing it does part of its work
	configures  bool     // it is a pragma that applies to later SQL, beyond the transaction
	transaction bool     // it begins or ends a transaction
	inserts     string   // the table that it inserts rows into by itself, if any
	changes     []string // the tables whose rows it changes, including the tables that it drops
}

// changesFile reports whether the statement needs a transaction. A statement for which the engine
// reported no action at all, such as VACUUM, needs one too.
func (e *effects) changesFile() bool { return e.writes || !e.reads && !e.pragma }

func (u *userRule) allow(a action) bool {
	switch a.database {
	case "", "main":
	case "temp": // it is empty, but ALTER TABLE searches it for references to the table
		return (a.op == opRead || a.op == opUpdate) && !reserved(a.object)
	default:
		return false
	}
	switch a.op {
	case opSelect:
		u.seen.reads = true
		return true
	case opRead:
		return !reserved(a.object) && !hiddenTables[strings.ToLower(a.object)]
	case opInsert, opUpdate, opDelete:
		u.seen.changed(a)
		return !reserved(a.object) && !hiddenTables[strings.ToLower(a.object)]
	case opDefine:
		u.seen.writes, u.seen.defines = true, true
		return !reserved(a.object) && !reserved(a.other)
	case opReindex:
		u.seen.writes, u.seen.defines, u.seen.maintains = true, true, true
		return !reserved(a.object) && !reserved(a.other)
	case opAlter:
		u.seen.writes, u.seen.defines, u.seen.alters = true, true, true
		return !reserved(a.object)
	case opModule:
		u.seen.writes, u.seen.defines = true, true
		return !reserved(a.object) && allowedModules[strings.ToLower(a.other)]
	case opMaintain: // ANALYZE without a name reads every table, but only counts rows
		u.seen.writes, u.seen.defines, u.seen.maintains = true, true, true
		return true
	case opPragma:
		u.seen.pragma = true
		name := strings.ToLower(a.object)
		if name == "optimize" || name == "defer_foreign_keys" && a.other != "" {
			u.seen.writes = true
		}
		_, configuring := configuringPragmas[name]
		u.seen.configures = a.other != "" && configuring
		argument := allowedPragmas[name]
		return argument != nil && argument(a.other)
	case opFunction:
		return allowedFunctions[strings.ToLower(a.object)]
	case opTransaction:
		u.seen.transaction = true
	}
	return false
}

// changed records a change of rows. A change of the schema's own rows counts only as a write: the
// definition itself is an action of its own.
func (e *effects) changed(a action) {
	e.writes = true
	if strings.HasPrefix(a.object, "sqlite_") {
		return
	}
	if a.op == opInsert && a.trigger == "" && e.inserts == "" {
		e.inserts = a.object
	}
	if !slices.Contains(e.changes, a.object) {
		e.changes = append(e.changes, a.object)
	}
}

// reserved reports whether only the platform may use a name, in any case of letters.
func reserved(name string) bool { return len(name) >= 4 && strings.EqualFold(name[:4], "_cf_") }

// hiddenTables exist in every database of this engine, and show or change its raw pages. workerd's
// engine does not have them.
var hiddenTables = set("dbstat sqlite_dbpage")

// hiddenFunctions are functions that this engine has and workerd's does not.
var hiddenFunctions = set(`
	soundex sqlite_offset
	geopoly_area geopoly_bbox geopoly_blob geopoly_ccw geopoly_contains_point geopoly_debug geopoly_group_bbox
	geopoly_json geopoly_overlap geopoly_regular geopoly_svg geopoly_within geopoly_xform`)

var allowedModules = set("fts5 fts5vocab rtree rtree_i32")

// allowedPragmas maps each pragma to a check of its argument, which is "" for none.
var allowedPragmas = map[string]func(argument string) bool{
	"data_version": noArgument,
	"page_size":    noArgument,

	"case_sensitive_like":       flagArgument,
	"defer_foreign_keys":        flagArgument,
	"foreign_keys":              flagArgument,
	"ignore_check_constraints":  flagArgument,
	"legacy_alter_table":        flagArgument,
	"recursive_triggers":        flagArgument,
	"reverse_unordered_selects": flagArgument,

	"foreign_key_list": nameArgument,
	"index_info":       nameArgument,
	"index_list":       nameArgument,
	"index_xinfo":      nameArgument,
	"table_info":       nameArgument,
	"table_xinfo":      nameArgument,

	"foreign_key_check": optionalNameArgument,
	"quick_check":       optionalNameArgument, // or a number of errors, which is not a reserved name
	"optimize":          optionalNumberArgument,
	"table_list":        func(string) bool { return true }, // it may show the platform's tables
}

// configuringPragmas are the pragmas whose argument changes how later SQL runs. Each has its value
// in a newly opened file.
var configuringPragmas = map[string]string{
	"case_sensitive_like":       "OFF",
	"foreign_keys":              "ON",
	"ignore_check_constraints":  "OFF",
	"legacy_alter_table":        "OFF",
	"recursive_triggers":        "OFF",
	"reverse_unordered_selects": "OFF",
}

func noArgument(argument string) bool           { return argument == "" }
func nameArgument(argument string) bool         { return argument != "" && !reserved(argument) }
func optionalNameArgument(argument string) bool { return !reserved(argument) }

func optionalNumberArgument(argument string) bool {
	_, err := strconv.ParseInt(argument, 0, 32)
	return argument == "" || err == nil
}

func flagArgument(argument string) bool {
	if n := len(argument); n >= 2 && argument[0] == argument[n-1] && (argument[0] == '\'' || argument[0] == '"') {
		argument = argument[1 : n-1]
	}
	switch strings.ToLower(argument) {
	case "", "true", "false", "yes", "no", "on", "off", "1", "0":
		return true
	}
	return false
}

// allowedFunctions leaves out functions that describe the engine's build or reach outside the
// database. As in workerd, it also leaves out some that are merely newer than workerd's list. ALTER
// TABLE calls the functions of the last line, which the engine lets nobody else call.
var allowedFunctions = set(`
	-> ->> abs changes char coalesce concat concat_ws format glob hex ifnull iif instr last_insert_rowid length like
	likelihood likely lower ltrim max min nullif octet_length printf quote random randomblob replace round rtrim sign
	substr substring total_changes trim typeof unhex unicode unlikely upper zeroblob
	current_date current_time current_timestamp date datetime julianday strftime time timediff unixepoch
	avg count group_concat string_agg sum total
	cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
	acos acosh asin asinh atan atan2 atanh ceil cos cosh degrees exp floor ln log log2 mod pi pow radians sin sinh sqrt
	tan tanh trunc
	json json_array json_array_length json_each json_extract json_group_array json_group_object json_insert json_object
	json_patch json_quote json_remove json_replace json_set json_tree json_type json_valid
	jsonb jsonb_array jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch
	jsonb_remove jsonb_replace jsonb_set
	bm25 highlight match snippet rtreecheck
	sqlite_drop_column sqlite_rename_column sqlite_rename_quotefix sqlite_rename_table sqlite_rename_test`)

func set(words string) map[string]bool {
	s := map[string]bool{}
	for _, word := range strings.Fields(words) {
		s[word] = true
	}
	return s
}

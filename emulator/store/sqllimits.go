package store

// Limits bound the user's SQL, where local and deployed objects differ. The constants below apply
// to both.
type Limits struct {
	Length            int // bytes of a string, a blob or a whole row
	FunctionArguments int
}

// ProductionLimits are the limits of the deployed platform, and LocalLimits those of workerd on a
// local disk.
//
// Source: the platform's limits of SQLite storage, and workerd.
var (
	ProductionLimits = Limits{Length: 2 << 20, FunctionArguments: 32}
	LocalLimits      = Limits{Length: 8 << 20, FunctionArguments: 127}
)

// Source: workerd, for local and deployed objects alike.
const (
	maxStatement       = 100_000 // bytes, of all statements in one call
	maxColumns         = 100     // of a table, or of a result
	maxExpressionDepth = 100
	maxCompoundTerms   = 5  // SELECTs joined by UNION and the like
	maxPatternLength   = 50 // bytes of a LIKE or GLOB pattern
	maxParameters      = 100
	maxTriggerDepth    = 10
)

// SetLimits sets the limits of later SQL. A new Object has the ProductionLimits. They do not bound
// key-value storage, whose limits the caller checks.
func (o *Object) SetLimits(l Limits) {
	o.limits = l
	if o.db != nil {
		o.db.limitStatements(l.FunctionArguments)
	}
}

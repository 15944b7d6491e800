package config

// shape says what a value must look like. Shapes are data, which check.go reads.
type shape struct {
	noun   string   // what messages call it, after "must be"
	kinds  kind     // the kinds allowed
	enum   []string // the only strings allowed; nil allows all
	elem   *shape   // for each element of an array, and each member of an object without fields; nil allows all
	fields []field
	open   bool                   // an object may have other fields, too
	exact  bool                   // another field is an error rather than a warning
	valid  func(*node) *complaint // an additional check of a value of the right kind, or nil

	// An object with variants is checked against the one that variant returns.
	variants []*shape
	variant  func(*node) *shape
}

// field is a member that an object may have. An object whose shape has no fields may have any.
type field struct {
	name     string
	shape    *shape
	required bool
}

// complaint says what is wrong with one value. The message continues the value's path: "main" and
// "must be ...".
type complaint struct {
	id, message, hint string
	part              *span  // the wrong part of the value's text; nil for all of it
	member            string // the wrong member of the value, or ""
}

var (
	anything = &shape{
		noun:  "a value",
		kinds: kindObject | kindArray | kindString | kindNumber | kindBool | kindNull | kindDateTime,
	}
	text         = &shape{noun: "a string", kinds: kindString}
	flag         = &shape{noun: "true or false", kinds: kindBool}
	object       = &shape{noun: "an object", kinds: kindObject}
	number       = &shape{noun: "a number", kinds: kindNumber}
	fraction     = &shape{noun: "a number from 0 to 1", kinds: kindNumber, valid: numberUpTo(1, "a number")}
	textMap      = &shape{noun: "an object of strings", kinds: kindObject, elem: text}
	textList     = &shape{noun: "an array of strings", kinds: kindArray, elem: text}
	textOrTexts  = &shape{noun: "a string or an array of strings", kinds: kindString | kindArray, elem: text}
	textOrObject = &shape{noun: "a string or an object", kinds: kindString | kindObject}

	nonEmptyText   = &shape{noun: "a string", kinds: kindString, valid: notEmpty}
	workerName     = &shape{noun: "a string", kinds: kindString, valid: validWorkerName}
	hostName       = &shape{noun: "a string", kinds: kindString, valid: validHost}
	className      = &shape{noun: "a string", kinds: kindString, valid: validClassName}
	mainPath       = &shape{noun: "a string", kinds: kindString, valid: validMain}
	date           = &shape{noun: "a string", kinds: kindString, valid: validDate}
	workflowName   = &shape{noun: "a string", kinds: kindString, valid: validWorkflowName}
	period         = &shape{noun: "10 or 60", kinds: kindNumber, valid: validPeriod}
	cronExpression = &shape{noun: "a string", kinds: kindString, valid: validCron}

	delay = &shape{
		noun: "a number of seconds from 0 to 86400", kinds: kindNumber,
		valid: numberUpTo(86400, "a number of seconds"),
	}
	port = &shape{
		noun: "a whole number from 0 to 65535", kinds: kindNumber,
		valid: integerIn("invalid-port", 0, 65535),
	}

	classNames = arrayOf("strings", className)
)

func arrayOf(nouns string, elem *shape) *shape {
	return &shape{noun: "an array of " + nouns, kinds: kindArray, elem: elem}
}

func objectWith(fields ...field) *shape {
	return &shape{noun: "an object", kinds: kindObject, fields: fields}
}

func oneOf(values ...string) *shape {
	return &shape{noun: "a string", kinds: kindString, enum: values}
}

func required(name string, s *shape) field { return field{name: name, shape: s, required: true} }
func optional(name string, s *shape) field { return field{name: name, shape: s} }

package fault

// Fields gathers what is wrong with the fields of one input.
type Fields []Field

// Add notes what is wrong with a field.
func (f *Fields) Add(field, message string) {
	*f = append(*f, Field{Field: field, Message: message})
}

// Err returns an Invalid fault that names the fields, or nil if nothing is wrong with any.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return InvalidFields(f...)
}

// InvalidField makes the fault for input with one wrong field.
func InvalidField(field, message string) *Error {
	return InvalidFields(Field{Field: field, Message: message})
}

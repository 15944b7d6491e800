package wire

// An Asking is a question that the handler of an event asks.
type Asking interface {
	Message
	// Asker returns the event's number.
	Asker() uint64
}

func (m *Operation) Asker() uint64  { return m.Event }
func (m *Get) Asker() uint64        { return m.Event }
func (m *Put) Asker() uint64        { return m.Event }
func (m *Delete) Asker() uint64     { return m.Event }
func (m *Keys) Asker() uint64       { return m.Event }
func (m *PutMany) Asker() uint64    { return m.Event }
func (m *List) Asker() uint64       { return m.Event }
func (m *SetAlarm) Asker() uint64   { return m.Event }
func (m *Exec) Asker() uint64       { return m.Event }
func (m *Cursor) Asker() uint64     { return m.Event }
func (m *Sleep) Asker() uint64      { return m.Event }
func (m *Wait) Asker() uint64       { return m.Event }
func (m *Reset) Asker() uint64      { return m.Event }
func (m *Subrequest) Asker() uint64 { return m.Event }

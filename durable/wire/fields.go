package wire

// The encoding of the messages, in the order of message.go.

func (m *Hello) fields(c *codec) {
	c.uint(&m.MinVersion)
	c.uint(&m.MaxVersion)
	c.string(&m.SDK)
	c.bool(&m.Fetch)
	c.bool(&m.Scheduled)
	list(c, &m.Classes, func(c *codec, k *Class) {
		c.string(&k.Name)
		c.bool(&k.Fetch)
		c.bool(&k.Alarm)
	})
}

func (m *Welcome) fields(c *codec) {
	c.uint(&m.Version)
	list(c, &m.Vars, func(c *codec, v *Var) {
		c.string(&v.Name)
		c.string(&v.Value)
		c.bool(&v.JSON)
	})
	list(c, &m.Bindings, func(c *codec, b *Binding) {
		c.string(&b.Name)
		c.string(&b.Class)
		c.string(&b.UniqueKey)
	})
	c.uint(&m.MaxEntry)
	c.int(&m.LogLevel)
	list(c, &m.Unsupported, func(c *codec, l *UnsupportedBinding) {
		c.string(&l.Name)
		c.string(&l.Kind)
	})
}

func (m *Ready) fields(c *codec) {
	c.rawString(&m.Failure)
	c.rawString(&m.Detail)
}

func (m *Construct) fields(c *codec) {
	c.uint(&m.Event)
	c.uint(&m.Instance)
	c.string(&m.Class)
	c.string(&m.ID)
	c.rawString(&m.Name)
	c.bool(&m.HasName)
	c.string(&m.Jurisdiction)
}

func (m *Destroy) fields(c *codec) { c.uint(&m.Instance) }

func (m *Forget) fields(c *codec) { c.uint(&m.Instance) }

func (m *Fetch) fields(c *codec) {
	c.uint(&m.Event)
	c.uint(&m.Instance)
	m.Request.fields(c)
}

func (m *Alarm) fields(c *codec) {
	c.uint(&m.Event)
	c.uint(&m.Instance)
	c.int(&m.Scheduled)
	c.uint(&m.RetryCount)
}

func (m *Scheduled) fields(c *codec) {
	c.uint(&m.Event)
	c.string(&m.Cron)
	c.int(&m.Time)
}

func (m *Visit) fields(c *codec) {
	c.string(&m.Class)
	c.rawString(&m.Object)
	c.bool(&m.HasID)
	c.uint(&m.Visit)
}

func (m *Visited) fields(c *codec) {
	c.uint(&m.Event)
	c.uint(&m.Instance)
	c.uint(&m.Visit)
}

// headerField encodes header values as bytes, because HTTP allows more than UTF-8 there.
func headerField(c *codec, f *Field) {
	c.rawString(&f.Name)
	c.rawString(&f.Value)
}

func (m *Request) fields(c *codec) {
	c.rawString(&m.Method)
	c.rawString(&m.URL)
	c.rawString(&m.Host)
	list(c, &m.Header, headerField)
	c.int(&m.ContentLength)
	c.bytes(&m.Body)
}

func (m *Response) fields(c *codec) {
	c.uint(&m.Status)
	list(c, &m.Header, headerField)
	c.int(&m.ContentLength)
	c.bytes(&m.Body)
}

func (m *Operation) fields(c *codec) { c.uint(&m.Event) }

func (m *Get) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Key)
}

func (m *Value) fields(c *codec) {
	c.bool(&m.Found)
	c.bytes(&m.Value)
}

func (m *Put) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Key)
	c.bytes(&m.Value)
}

func (m *Delete) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Key)
}

func (m *Existed) fields(c *codec) { c.bool(&m.Existed) }

func (m *List) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Start)
	c.bool(&m.HasStart)
	c.rawString(&m.StartAfter)
	c.bool(&m.HasStartAfter)
	c.rawString(&m.End)
	c.bool(&m.HasEnd)
	c.rawString(&m.Prefix)
	c.bool(&m.Reverse)
	c.uint(&m.Limit)
}

func (m *Listed) fields(c *codec) {
	list(c, &m.Entries, entry)
	c.bool(&m.More)
}

func entry(c *codec, e *Entry) {
	c.rawString(&e.Key)
	c.bytes(&e.Value)
}

func (m *Keys) fields(c *codec) {
	c.uint(&m.Event)
	list(c, &m.Keys, (*codec).rawString)
}

func (m *PutMany) fields(c *codec) {
	c.uint(&m.Event)
	list(c, &m.Entries, entry)
}

func (m *Deleted) fields(c *codec) { c.uint(&m.Deleted) }

func (m *Background) fields(c *codec) { c.uint(&m.Event) }

func (m *AlarmTime) fields(c *codec) {
	c.bool(&m.Set)
	c.int(&m.Time)
}

func (m *SetAlarm) fields(c *codec) {
	c.uint(&m.Event)
	c.int(&m.Time)
}

func (m *Subrequest) fields(c *codec) {
	c.uint(&m.Event)
	c.string(&m.Binding)
	c.string(&m.ID)
	c.rawString(&m.Name)
	c.bool(&m.HasName)
	m.Request.fields(c)
}

func (m *Sleep) fields(c *codec) {
	c.uint(&m.Event)
	c.int(&m.Duration)
}

func (m *Wait) fields(c *codec) {
	c.uint(&m.Event)
	c.uint(&m.Token)
}

func (m *Wake) fields(c *codec) { list(c, &m.Tokens, (*codec).uint) }

func (m *Log) fields(c *codec) {
	c.uint(&m.Event)
	c.int(&m.Level)
	c.rawString(&m.Message)
	c.bytes(&m.Attrs)
}

func (m *Time) fields(c *codec) { c.int(&m.Time) }

func (m *Reset) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Reason)
	c.bool(&m.DropAlarm)
	c.bool(&m.OfBlock)
}

func (m *Stack) fields(c *codec) { c.rawString(&m.Text) }

func (m *Exec) fields(c *codec) {
	c.uint(&m.Event)
	c.rawString(&m.Query)
	list(c, &m.Args, (*codec).sqlValue)
}

func (m *Rows) fields(c *codec) {
	c.uint(&m.Cursor)
	list(c, &m.Columns, (*codec).rawString)
	list(c, &m.Values, (*codec).sqlValue)
	c.bool(&m.More)
	c.uint(&m.Read)
	c.uint(&m.Written)
}

func (m *Cursor) fields(c *codec) {
	c.uint(&m.Event)
	c.uint(&m.Cursor)
}

func (m *Size) fields(c *codec) { c.uint(&m.Bytes) }

func (m *Empty) fields(*codec) {}

func (m *Error) fields(c *codec) {
	c.rawString(&m.Message)
	c.bool(&m.Canceled)
	c.bool(&m.Remote)
	c.bool(&m.Retryable)
	c.bool(&m.Overloaded)
	c.bool(&m.Reset)
	c.string(&m.ObjectID)
	c.string(&m.Code)
	c.rawString(&m.Detail)
}

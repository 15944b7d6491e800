package config

import "encoding/json"

// MarshalJSON encodes d for programs. Names are stable; later versions may add more.
func (d Diagnostic) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		File       string `json:"file"`
		Line       int    `json:"line"`
		Column     int    `json:"column"`
		Length     int    `json:"length"` // characters from Column on, all in Line
		Severity   string `json:"severity"`
		ID         string `json:"id"`
		Message    string `json:"message"`
		Suggestion string `json:"suggestion,omitempty"`
	}{
		d.Position.File, d.Position.Line, d.Position.Column, d.Length,
		d.Severity.String(), d.ID, d.Message, d.Hint,
	})
}

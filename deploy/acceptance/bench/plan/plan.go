// Package plan says how many calls an app makes of its sidecar: the benchmark measures it, bare
// sidecars repeat it.
package plan

import (
	"encoding/json"
	"os"
)

// Plan is what each app does, by app id.
type Plan map[string]App

// App is what one app's sidecar does per order.
type App struct {
	Triggers float64 `json:"triggers"` // requests and deliveries in which the app makes its calls

	Get       float64            `json:"get"`
	Set       float64            `json:"set"`
	Delete    float64            `json:"delete"`
	BulkGet   float64            `json:"bulk_get"`
	Published float64            `json:"published"` // calls, of which each may carry several events
	Delivered float64            `json:"delivered"`
	Mails     float64            `json:"mails"`
	Invoked   map[string]float64 `json:"invoked"` // by the app that was called

	// Sizes in bytes, of which the first includes the key.
	Document int `json:"document"` // of the mean write
	Event    int `json:"event"`    // of the mean message published
	Mail     int `json:"mail"`     // of the mean mail
	BulkKeys int `json:"bulk_keys"`
}

// Calls is how many calls all apps make of their sidecars for an order, or get from them.
func (p Plan) Calls() (sum float64) {
	for _, a := range p {
		sum += a.Get + a.Set + a.Delete + a.BulkGet + a.Published + a.Delivered + a.Mails
		for _, n := range a.Invoked {
			sum += n
		}
	}
	return sum
}

// Writes is how many of these write to a store.
func (p Plan) Writes() (sum float64) {
	for _, a := range p {
		sum += a.Set + a.Delete
	}
	return sum
}

// Load reads a plan from a file.
func Load(path string) (Plan, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var p Plan
	return p, json.Unmarshal(raw, &p)
}

// Save writes it there.
func (p Plan) Save(path string) error {
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

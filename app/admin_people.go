package app

import (
	"context"
	"encoding/json"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// Erased says what became of a person's data.
type Erased struct {
	Sessions []uuid.UUID `json:"sessions"`
	OnHold   []uuid.UUID `json:"on_hold"` // nothing was touched there
}

// ErasePerson takes the data of whoever has the address away.
func (a *Admin) ErasePerson(address string, erased *Erased) error {
	parsed, err := bridge.ParseAddress(address)
	if err != nil {
		return err
	}
	erasures, err := a.service.Erase(context.Background(), operator, parsed)
	for _, e := range erasures {
		if e.Kept {
			erased.OnHold = append(erased.OnHold, e.Session)
		} else {
			erased.Sessions = append(erased.Sessions, e.Session)
		}
	}
	return err
}

// FinishErasures says how many addresses still wait for their network to take
// out who was erased.
func (a *Admin) FinishErasures(_ None, waiting *int) (err error) {
	*waiting, err = a.store.FinishErasures(context.Background())
	return err
}

// ExportPerson is everything that is kept of whoever has the address, as JSON.
func (a *Admin) ExportPerson(address string, text *string) error {
	parsed, err := bridge.ParseAddress(address)
	if err != nil {
		return err
	}
	data, err := a.service.ExportPerson(context.Background(), operator, parsed)
	if err != nil {
		return err
	}
	indented, err := json.MarshalIndent(data, "", "  ")
	*text = string(indented)
	return err
}

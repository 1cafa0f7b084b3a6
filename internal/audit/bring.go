package audit

import (
	"time"

	"pocketid/internal/db"
	"pocketid/internal/secret"
)

// A Brought is an entry of the log of another house.
type Brought struct {
	ID      string
	At      time.Time
	Event   string // as it was called there; what this house has no words for stays as it is
	Object  Object
	User    string
	Client  string
	Actor   string
	Name    string // of the actor
	Address string
	Country string
	City    string
	Agent   string
	Data    map[string]any
}

// Bring adds an entry of the log of another house, at its time. It is a part.
func Bring(tx *db.Tx, e Brought) {
	if e.ID == "" {
		e.ID = secret.ID()
	}
	var data any
	if len(e.Data) > 0 {
		data = db.JSON(e.Data)
	}
	tx.Do(`INSERT INTO audit (id, at, event, object_kind, object_id, object_name, user_id, client_id, actor_id, actor_name, via,
		address, country, city, user_agent, data) VALUES (`+db.Marks(16)+`)`,
		e.ID, e.At.UnixMicro(), e.Event, e.Object.Kind, e.Object.ID, e.Object.Name, db.Text(&e.User), db.Text(&e.Client), db.Text(&e.Actor), e.Name, "page",
		e.Address, e.Country, e.City, e.Agent, data)
}

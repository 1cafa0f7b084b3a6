package db

import (
	"context"
	"database/sql/driver"

	"modernc.org/sqlite"
)

// connector opens connections to one SQLite file.
type connector struct {
	uri    string
	driver *sqlite.Driver
}

func newConnector(uri string) *connector { return &connector{uri, &sqlite.Driver{}} }

// Connect opens a connection.
func (c *connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.uri) }

// Driver returns the driver beneath.
func (c *connector) Driver() driver.Driver { return c.driver }

package main

import (
	"context"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"pocketid/internal/secret"
)

// schema makes an empty schema on the PostgreSQL of the plan and returns its
// connection string. The end of the run drops it.
func (b *bench) schema(ctx context.Context) (string, error) {
	name := "bench" + strings.ReplaceAll(secret.ID(), "-", "")
	if err := b.command(ctx, "CREATE SCHEMA "+name); err != nil {
		return "", err
	}
	b.schemas = append(b.schemas, name)
	u, err := url.Parse(b.postgres)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func (b *bench) dropSchema(name string) error {
	return b.command(context.Background(), "DROP SCHEMA "+name+" CASCADE")
}

func (b *bench) command(ctx context.Context, sql string) error {
	c, err := pgx.Connect(ctx, b.postgres)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, sql)
	return err
}

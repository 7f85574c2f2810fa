package main

import (
	"database/sql"
	"errors"

	_ "github.com/ncruces/go-sqlite3/driver"
	_ "github.com/ncruces/go-sqlite3/embed"

	postroom "github.com/postroom/postroom/clients/go"
	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

const schema = `
CREATE TABLE IF NOT EXISTS arrivals (account TEXT PRIMARY KEY, messages INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS place (feed TEXT PRIMARY KEY, cursor TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS gaps (scope TEXT NOT NULL, why TEXT NOT NULL);
`

// counts is the database: what was counted, and how far.
type counts struct {
	*sql.DB
	feed string
}

func open(path, feed string) (*counts, error) {
	database, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		return nil, err
	}
	if _, err := database.Exec(schema); err != nil {
		return nil, errors.Join(err, database.Close())
	}
	return &counts{database, feed}, nil
}

// place returns the cursor to go on from; empty at the very beginning.
func (c *counts) place() (cursor string, err error) {
	err = c.QueryRow("SELECT cursor FROM place WHERE feed = ?", c.feed).Scan(&cursor)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return cursor, err
}

// take counts a change and remembers its place, both or neither.
func (c *counts) take(change *v1.Change) error {
	if postroom.KindOf(change) != "MESSAGE_ADDED" {
		return c.write(change.GetCursor(), "")
	}
	return c.write(
		change.GetCursor(),
		"INSERT INTO arrivals VALUES (?, 1) ON CONFLICT DO UPDATE SET messages = messages + 1", change.GetAccount(),
	)
}

// gap notes that changes are missing before the cursor: a program that mirrors mailboxes lists the scope again here.
func (c *counts) gap(scope, why, cursor string) error {
	return c.write(cursor, "INSERT INTO gaps VALUES (?, ?)", scope, why)
}

// write writes an effect and the place behind it in one transaction.
func (c *counts) write(cursor, effect string, arguments ...any) error {
	transaction, err := c.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = transaction.Rollback() }()
	if effect != "" {
		if _, err := transaction.Exec(effect, arguments...); err != nil {
			return err
		}
	}
	if _, err := transaction.Exec("INSERT OR REPLACE INTO place VALUES (?, ?)", c.feed, cursor); err != nil {
		return err
	}
	return transaction.Commit()
}

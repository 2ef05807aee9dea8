package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Desk is where the commands of an operator run.
type Desk struct {
	Load Load
	Log  *slog.Logger
	Out  io.Writer
}

// show asks for something and prints it, as JSON or as a person reads it.
func show[A any](ctx context.Context, d Desk, method string, request any, asJSON bool, read func(io.Writer, A)) error {
	return withOffice(ctx, d.Load, d.Log, func(o office) error {
		var answer A
		if err := o.ask(method, request, &answer); err != nil {
			return err
		}
		if asJSON {
			encoder := json.NewEncoder(d.Out)
			encoder.SetIndent("", "  ")
			return encoder.Encode(answer)
		}
		table := tabwriter.NewWriter(d.Out, 0, 8, 2, ' ', 0)
		read(table, answer)
		return table.Flush()
	})
}

// say asks for something to be done and prints the sentence that comes back.
func (d Desk) say(ctx context.Context, method string, request any) error {
	return askText(ctx, d.Load, d.Log, d.Out, method, request)
}

// AddAccount gives an address an app password and prints it.
func (d Desk) AddAccount(ctx context.Context, address string) error {
	return d.say(ctx, "AddAccount", address)
}

// CreateToken makes an API token and prints it.
func (d Desk) CreateToken(ctx context.Context, r TokenRequest) error {
	return d.say(ctx, "CreateToken", r)
}

// row writes one line of a table. What others wrote must not steer the terminal.
func row(table io.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = plain(fmt.Sprint(c))
	}
	fmt.Fprintln(table, strings.TrimRight(strings.Join(texts, "\t"), "\t"))
}

func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

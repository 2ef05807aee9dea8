package app

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// eraseWait is how long `sessions erase` waits for the networks.
const eraseWait = 30 * time.Second

// ExportPerson prints everything that is kept of a person, as JSON.
func (d Desk) ExportPerson(ctx context.Context, address string) error {
	return d.say(ctx, "ExportPerson", address)
}

// ErasePerson takes a person's data away, says where, and waits until Matrix
// and XMPP have taken the person out.
func (d Desk) ErasePerson(ctx context.Context, address string) error {
	return withOffice(ctx, d.Load, d.Log, func(o office) error {
		var erased Erased
		if err := o.ask("ErasePerson", address, &erased); err != nil {
			return err
		}
		d.tellErased(address, erased)
		return d.awaitErasures(ctx, o)
	})
}

func (d Desk) tellErased(address string, erased Erased) {
	fmt.Fprintf(d.Out, "%s is erased from %s.\n", plain(address), counted(len(erased.Sessions), "session", "sessions"))
	d.list(erased.Sessions)
	if n := len(erased.OnHold); n > 0 {
		fmt.Fprintf(d.Out, "On legal hold, where nothing was touched, and for which the person is still known: %s.\n", counted(n, "session", "sessions"))
		d.list(erased.OnHold)
		fmt.Fprintln(d.Out, "Erase the person again after: mailroom sessions release ID")
	}
}

func (d Desk) list(sessions []uuid.UUID) {
	for _, s := range sessions {
		fmt.Fprintf(d.Out, "  %s\n", s)
	}
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// awaitErasures reports how many addresses the networks still have.
func (d Desk) awaitErasures(ctx context.Context, o office) error {
	end := time.Now().Add(eraseWait)
	for before := 0; ; {
		var waiting int
		if err := o.ask("FinishErasures", None{}, &waiting); err != nil {
			return err
		}
		if waiting == 0 {
			_, err := fmt.Fprintln(d.Out, "Nothing of it is left in the database. Backups that were made before still have it.")
			return err
		}
		left := counted(waiting, "address", "addresses")
		if !o.served {
			_, err := fmt.Fprintf(d.Out, "Matrix and XMPP have yet to take out %s: the server does that when it runs.\n", left)
			return err
		}
		if ctx.Err() != nil || time.Now().After(end) {
			_, err := fmt.Fprintf(d.Out, "Matrix and XMPP have yet to take out %s. The server goes on; `mailroom check` says if they answer.\n", left)
			return err
		}
		if waiting != before {
			fmt.Fprintf(d.Out, "Waiting until Matrix and XMPP have taken out %s.\n", left)
			before = waiting
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

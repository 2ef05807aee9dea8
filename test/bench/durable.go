package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"mailroom/bridge"
	"mailroom/store"

	"github.com/google/uuid"
)

// sentence is what every measured message says: about as long as what people
// write.
const sentence = "Could we move the meeting to Thursday at ten? The room downstairs is free then, and Bob would be back."

// durablePlan is how long part a measures.
type durablePlan struct {
	rounds  int
	warm    time.Duration // of each figure, not counted
	span    time.Duration // of each figure
	writers []int
	spread  []int // over how many sessions the writers are spread
}

func (b *bench) durablePlan() durablePlan {
	if b.quick {
		return durablePlan{1, 50 * time.Millisecond, 250 * time.Millisecond, []int{1, 8, 64}, []int{16, 1}}
	}
	return durablePlan{7, 50 * time.Millisecond, 250 * time.Millisecond, []int{1, 8, 64}, []int{16, 1}}
}

// contender accepts messages durably. accept may be called by many writers at
// once, and returns when the message would outlive a power failure.
type contender struct {
	accept func(ctx context.Context, writer int) error
	close  func() error
}

// durable measures how many messages are accepted each second, beside loops
// that do nothing but insert.
func (b *bench) durable(ctx context.Context) (section, error) {
	s := section{title: "(a) Durable messages per second", intro: durableIntro}
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		t := table{caption: engine, columns: []string{"writers", "sessions", "Mailroom", "bare loop", "of the bare loop", "tightest loop", "of the tightest loop"}}
		for _, spread := range b.durablePlan().spread {
			for _, writers := range b.durablePlan().writers {
				rates, err := b.durableRow(ctx, engine, spread, writers)
				if err != nil {
					return s, fmt.Errorf("%s: %w", engine, err)
				}
				row := rates.row(writers, spread)
				t.add(row...)
				log.Print(engine, " ", row)
			}
		}
		s.tables = append(s.tables, t)
	}
	s.tables[len(s.tables)-1].notes = durableNotes
	return s, nil
}

// rates are those of the contenders in each round: Mailroom, bare, tightest.
type rates [3][]float64

// row has the median of each contender, and of the rounds' ratios: what a round
// meets on a busy machine its neighbours meet too.
func (r rates) row(writers, spread int) []string {
	ratio := func(other []float64) string {
		ratios := make([]float64, len(other))
		for round := range ratios {
			ratios[round] = r[0][round] / other[round]
		}
		return percent(median(ratios), 1)
	}
	return []string{
		fmt.Sprint(writers), fmt.Sprint(spread), perSecond(median(r[0])),
		perSecond(median(r[1])), ratio(r[1]), perSecond(median(r[2])), ratio(r[2]),
	}
}

// durableRow measures all contenders in turn, each round beginning with
// another one.
func (b *bench) durableRow(ctx context.Context, engine string, spread, writers int) (measured rates, err error) {
	plan := b.durablePlan()
	makers := [3]func(context.Context, string, int) (contender, error){newMailroomContender, newBareContender, newTightContender}
	var contenders [3]contender
	for i, make := range makers {
		url, err := b.newDatabase(ctx, engine)
		if err != nil {
			return measured, err
		}
		if contenders[i], err = make(ctx, url, spread); err != nil {
			return measured, err
		}
		defer func() { err = errors.Join(err, contenders[i].close()) }()
	}
	for round := range plan.rounds {
		for n := range contenders {
			i := (round + n) % len(contenders)
			rate, err := pour(ctx, contenders[i], writers, plan.warm, plan.span)
			if err != nil {
				return measured, err
			}
			measured[i] = append(measured[i], rate)
		}
	}
	return measured, nil
}

// pour lets the writers write one message after the other, and returns how
// many were accepted each second.
func pour(ctx context.Context, c contender, writers int, warm, span time.Duration) (perSecond float64, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var accepted atomic.Int64
	var ended atomic.Bool
	var wait sync.WaitGroup
	for writer := range writers {
		wait.Go(func() {
			for !ended.Load() && ctx.Err() == nil {
				if err := c.accept(ctx, writer); err != nil {
					stop(err)
					return
				}
				accepted.Add(1)
			}
		})
	}
	pause(ctx, warm)
	before, began := accepted.Load(), time.Now()
	pause(ctx, span)
	n, took := accepted.Load()-before, time.Since(began)
	ended.Store(true)
	wait.Wait()
	return float64(n) / took.Seconds(), context.Cause(ctx)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// newDatabase makes an empty database on an engine and returns its URL.
func (b *bench) newDatabase(ctx context.Context, engine string) (url string, err error) {
	name := "bench_" + uuid.NewString()[:8]
	if engine == "SQLite" {
		return "sqlite:" + filepath.Join(b.dir, name+".db"), nil
	}
	peers, err := b.peers(ctx)
	if err != nil {
		return "", err
	}
	return peers.createDatabase(name)
}

// core is bridge over a store, as the server has it.
type core struct {
	*bridge.Service
	store *store.Store
	rooms []*bridge.Room
}

// recipients of each session, all of whom have come in.
const recipients = 4

// openCore opens and migrates a database and starts sessions in it.
func openCore(ctx context.Context, url string, sessions int) (*core, error) {
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(ctx, url, log)
	if err != nil {
		return nil, err
	}
	c := &core{store: s}
	if err := c.fill(ctx, sessions, log); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return c, nil
}

func (c *core) fill(ctx context.Context, sessions int, log *slog.Logger) (err error) {
	if _, err := c.store.Migrate(ctx); err != nil {
		return err
	}
	key := make([]byte, 32)
	rand.Read(key) // never fails (Go 1.24)
	c.Service, err = bridge.NewService(bridge.Config{
		Key: key, Allow: bridge.AllowList{"*@example.org"}, MailHost: "in.example.org",
		Networks:  []bridge.Network{bridge.Web, bridge.Mail, bridge.Matrix, bridge.XMPP},
		Directory: bridge.Directory(directory),
	}, c.store, bridge.NewHub(), log)
	for range sessions {
		if err == nil {
			err = c.startSession(ctx)
		}
	}
	return err
}

func (c *core) startSession(ctx context.Context) error {
	request := bridge.StartRequest{
		By:      bridge.Identity{Via: bridge.Mail, Address: bridge.EmailAddress("alice@example.org")},
		Subject: "Thursday", Body: bridge.Body{Text: sentence}, Origin: bridge.Origin{Network: bridge.Mail, ID: uuid.NewString()},
	}
	for i := range recipients {
		request.Invitees = append(request.Invitees, bridge.Invitee{Address: bridge.EmailAddress(fmt.Sprintf("guest%d@example.com", i))})
	}
	room, err := c.Start(ctx, request)
	if err != nil {
		return err
	}
	for _, m := range room.Members[1:] {
		if room, _, err = c.Join(ctx, room.Session.ID, bridge.Identity{Via: bridge.Web, Grant: m.Grant.ID}); err != nil {
			return err
		}
	}
	c.rooms = append(c.rooms, room)
	return nil
}

// newMailroomContender accepts messages as every gateway does: by Post,
// through the gate.
func newMailroomContender(ctx context.Context, url string, sessions int) (contender, error) {
	c, err := openCore(ctx, url, sessions)
	if err != nil {
		return contender{}, err
	}
	accept := func(ctx context.Context, writer int) error {
		room := c.rooms[writer%len(c.rooms)]
		author := room.Members[1+writer/len(c.rooms)%recipients]
		_, err := c.Post(ctx, bridge.PostRequest{
			Session: room.Session.ID, By: bridge.Identity{Via: bridge.Web, Grant: author.Grant.ID},
			Body: bridge.Body{Text: sentence}, Origin: bridge.Origin{Network: bridge.Web, ID: uuid.NewString()},
		})
		return err
	}
	return contender{accept, c.store.Close}, nil
}

const durableIntro = `
Messages that are accepted each second by writers that each wait for the answer before they write the next one. Accepted
means durable: SQLite with ` + "`synchronous=FULL`" + ` in WAL mode, PostgreSQL with ` + "`fsync`" + ` and ` + "`synchronous_commit`" + ` on.
All three contenders run in one process on databases with the same schema, indexes and first rows, with prepared statements
and the same group commit: a writer (one on SQLite, four on PostgreSQL, each session always on the same one) takes all that
waits, at most 256 messages, into one transaction. The aim is 70 % of the bare loop or better.
`

var durableNotes = []string{
	"*writers* wait at the same time; *sessions*: over how many they are spread.",
	"*of the …*: the median of the rounds' ratios, each between neighbours in time.",
	"*Mailroom*: `bridge.Service.Post`, with identity, gate, search for repeats, gapless numbering and hints to readers.",
	"*bare loop*: three statements for each message (next number, record, current state), and nothing else.",
	"*tightest loop*: as few statements as Mailroom itself makes: two for each message, and the number of each session read and written once in a transaction.",
}

package bridge_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/store"
	"mailroom/store/storetest"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// How many sequences run on each engine, and how many at the same time: those
// share a database, so that their writes share transactions. The race detector
// makes a sequence about nine times as dear, so that under it there are as many
// fewer: make test runs the test both ways.
const (
	sqliteSequences   = 7000
	postgresSequences = 3000
	fewerUnderRace    = 10
	together          = 16
)

// TestEverySequenceOfActsLeavesWhatTheModelSays runs random sequences of acts
// through bridge and store, and compares what everybody can do and see with the
// reference model. rapid makes a sequence that fails shorter, prints its steps,
// and says by which seed it can be run again.
func TestEverySequenceOfActsLeavesWhatTheModelSays(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		runSequences(t, storetest.Open(t, "sqlite:"+filepath.Join(fastFolder(t), "model.db")), sqliteSequences)
	})
	t.Run("postgres", func(t *testing.T) {
		runSequences(t, storetest.Open(t, storetest.NewDatabase(t)+"&synchronous_commit=off"), postgresSequences)
	})
}

// fastFolder is in memory, where there is such a place: that writes outlive a
// power failure is not what is tested here.
func fastFolder(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "mailroom-model-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func runSequences(t *testing.T, db *store.Store, sequences int) {
	if underRace {
		sequences /= fewerUnderRace
	}
	if testing.Short() {
		sequences /= 20
	}
	setChecks(t, (sequences+together-1)/together)
	var ran, steps atomic.Int64
	begin := time.Now()
	var all sync.WaitGroup
	for i := range together {
		all.Go(func() {
			t.Run(strconv.Itoa(i), rapid.MakeCheck(func(r *rapid.T) {
				steps.Add(int64(newWorld(r, db).run()))
				ran.Add(1)
			}))
		})
	}
	all.Wait()
	t.Logf("%d sequences, %d steps, %s", ran.Load(), steps.Load(), time.Since(begin).Round(time.Millisecond))
}

// setChecks says how many sequences one rapid.Check runs, unless the command
// line does.
func setChecks(t *testing.T, n int) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	checks := flag.Lookup("rapid.checks")
	if given || checks == nil {
		return
	}
	before := checks.Value.String()
	if testing.Short() {
		n *= 5 // rapid divides by it
	}
	set := func(value string) {
		if err := checks.Value.Set(value); err != nil {
			t.Error(err)
		}
	}
	set(strconv.Itoa(n))
	t.Cleanup(func() { set(before) })
}

// ---- one sequence

// world is what one sequence acts on: the real service over its part of the
// database, and the model of what should be there.
type world struct {
	t        *rapid.T
	db       *store.Store
	island   *island
	service  *bridge.Service
	suffix   string
	nodes    int
	now      time.Time
	said     int
	cast     []*modelPerson
	sessions []*modelSession
	touched  map[*modelSession]bool
}

var worlds atomic.Int64

// begin is when every sequence begins.
var begin = time.UnixMicro(time.Now().UnixMicro()).UTC().Truncate(time.Hour)

func newWorld(t *rapid.T, db *store.Store) *world {
	w := &world{t: t, db: db, suffix: fmt.Sprintf("-%d-", worlds.Add(1)), now: begin, touched: map[*modelSession]bool{}}
	w.island = &island{Store: db, mine: map[uuid.UUID]bool{}}
	inside, outside := "@example.org", "@client.test"
	for _, name := range []string{"alice", "carol"} {
		local := name + w.suffix
		w.cast = append(w.cast, &modelPerson{name: name, starts: true, addresses: []bridge.Address{
			bridge.EmailAddress(local + inside), bridge.MatrixAddress("@" + local + ":example.org"), bridge.JID(local + inside)}})
	}
	for _, name := range []string{"bob", "dora"} {
		w.cast = append(w.cast, &modelPerson{name: name, addresses: []bridge.Address{bridge.EmailAddress(name + w.suffix + outside)}})
	}
	w.cast = append(w.cast, &modelPerson{name: "max", addresses: []bridge.Address{bridge.MatrixAddress("@max" + w.suffix + ":matrix.test")}})
	for _, p := range w.cast {
		p.forget(nil)
	}
	w.restart()
	return w
}

// restart is a new node over what is stored: what the last one had in memory is
// gone.
func (w *world) restart() {
	w.nodes++
	for _, s := range w.sessions {
		if s.options.OffRecord {
			if err := w.db.Memory().Drop(ctx, s.id); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	config := bridge.Config{
		Key:       []byte(strings.Repeat("k", 32)),
		Directory: bridge.Directory{{Email: "*@example.org", Matrix: "@{localpart}:example.org", XMPP: "{localpart}@example.org"}},
		Allow:     bridge.AllowList{"*@example.org"},
		Networks:  []bridge.Network{bridge.Web, bridge.Mail, bridge.Matrix, bridge.XMPP},
		MailHost:  "in.example.org", Node: fmt.Sprintf("node%s%d", w.suffix, w.nodes),
	}
	w.island.forget()
	service, err := bridge.NewService(config, w.island, bridge.NewHub(), slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	service.SetClock(func() time.Time { return w.now })
	w.service = service
}

// run plays a sequence, and says how many steps it had.
func (w *world) run() (steps int) {
	names := make([]string, 0, len(operations))
	for name := range operations {
		names = append(names, name)
	}
	sort.Strings(names)
	if m := w.opStart(); m != nil {
		w.play(m, false)
	}
	for range rapid.IntRange(8, 15).Draw(w.t, "steps") {
		m := w.draw(names)
		if m == nil {
			continue
		}
		torn := !m.whole && rapid.IntRange(0, 23).Draw(w.t, "torn") == 23
		w.play(m, torn)
		w.check(false)
		steps++
	}
	w.check(true)
	w.leaveNothing()
	return steps
}

// draw finds a move that there is something to do for, if it soon does.
func (w *world) draw(names []string) (m *move) {
	for range 3 {
		name := rapid.SampledFrom(names).Draw(w.t, "operation")
		if m = operations[name](w); m != nil {
			break
		}
		clear(w.touched)
	}
	return m
}

// play makes a move. A torn one loses its database in the middle of its
// writing: nothing of it may stay.
func (w *world) play(m *move, torn bool) {
	w.t.Logf("%s", m.what)
	w.island.torn = torn
	err := m.do()
	undone := torn && !w.island.torn
	w.island.torn = false
	switch {
	case undone && !errors.Is(err, errTorn):
		w.t.Fatalf("%s: it was answered as if it had been written (%s)", m.what, plainError(err))
	case undone:
		w.t.Logf("  and its write was lost")
	case bridge.CodeOf(err) != m.want || m.want == "" && err != nil:
		if bridge.CodeOf(err) == "" {
			w.t.Logf("%v", err)
		}
		w.t.Fatalf("%s: should be %q, is %q (%s)", m.what, m.want, bridge.CodeOf(err), plainError(err))
	case m.want == "" && m.then != nil:
		m.then()
	}
}

// check compares what the last step can have changed, or everything.
func (w *world) check(everything bool) {
	for _, s := range w.sessions {
		if everything || w.touched[s] {
			w.checkSession(s, everything)
		}
		for _, m := range s.members {
			if keys := m.keys(); everything || keys != m.checked {
				w.checkKeys(s, m)
				m.checked = keys
			}
		}
	}
	for _, p := range w.cast {
		w.checkPerson(p, everything)
	}
	clear(w.touched)
}

// meet learns the ids that new members were given, and what their mails carry.
func (w *world) meet(s *modelSession, room *bridge.Room) {
	if len(room.Members) != len(s.members) {
		w.t.Fatalf("s%d should have %d members, has %d", s.index, len(s.members), len(room.Members))
	}
	for i, m := range s.members {
		fresh := m.id == uuid.Nil
		m.id, m.grant = room.Members[i].ID, room.Members[i].Grant.ID
		rights := []bridge.Right{bridge.RightJoin, bridge.RightReply, bridge.RightUnsubscribe, bridge.RightBounce}
		if m.initiator {
			rights = append(rights, bridge.RightIcon)
		}
		for _, r := range rights {
			if old := m.tokensOf(r); len(old) > 0 && old[len(old)-1].generation == m.generation {
				continue
			}
			token, err := w.service.Token(ctx, s.id, m.id, r)
			if err != nil {
				w.t.Fatalf("making a token: %s", plainError(err))
			}
			m.tokens = append(m.tokens, &modelToken{right: r, text: token, generation: m.generation, dead: m.who == nil})
		}
		if fresh {
			m.checked = m.keys() // they are compared once something has changed, and in the end
		}
	}
}

// leaveNothing ends what is in memory only, so that no later sequence pays for
// it.
func (w *world) leaveNothing() {
	for _, s := range w.sessions {
		if s.options.OffRecord && s.state != bridge.Over {
			if err := w.service.Close(ctx, s.id, bridge.Identity{Admin: true}); err != nil {
				w.t.Fatalf("ending s%d: %s", s.index, plainError(err))
			}
		}
	}
}

// ---- the database of one sequence

var errTorn = errors.New("the database was lost in the middle of a write")

// island is the store as one sequence sees it: what works on all sessions at
// once is held to its own. What is read twice between two writes is read once,
// since nobody else writes there: that makes comparing everything cheap.
type island struct {
	bridge.Store
	mine map[uuid.UUID]bool
	torn bool // lose the next write

	mu    sync.Mutex
	known map[any]any
}

func (i *island) own(session uuid.UUID) { i.mine[session] = true }

func (i *island) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.known = make(map[any]any)
}

func (i *island) Write(c context.Context, session uuid.UUID, fn func(bridge.Tx) error) error {
	defer i.forget()
	if !i.torn {
		return i.Store.Write(c, session, fn)
	}
	return i.Store.Write(c, session, func(tx bridge.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		i.torn = false
		return errTorn
	})
}

// Scrub costs seconds, and shows in nothing that can be asked for.
func (i *island) Scrub(context.Context) error { return nil }

func (i *island) ListLost(c context.Context, self string, now time.Time) ([]uuid.UUID, error) {
	lost, err := i.Store.ListLost(c, self, now)
	return slices.DeleteFunc(lost, func(id uuid.UUID) bool { return !i.mine[id] }), err
}

func (i *island) ListPastKeeping(c context.Context, now time.Time, keep time.Duration) (map[uuid.UUID]int64, error) {
	due, err := i.Store.ListPastKeeping(c, now, keep)
	for id := range due {
		if !i.mine[id] {
			delete(due, id)
		}
	}
	return due, err
}

type answered[T any] struct {
	value T
	ok    bool
}

// once asks the store a question that was not asked since the last write.
func once[T any](i *island, key any, ask func() (T, bool, error)) (T, bool, error) {
	i.mu.Lock()
	a, ok := i.known[key].(answered[T])
	i.mu.Unlock()
	if ok {
		return a.value, a.ok, nil
	}
	value, found, err := ask()
	if err == nil {
		i.mu.Lock()
		i.known[key] = answered[T]{value, found}
		i.mu.Unlock()
	}
	return value, found, err
}

func list[T any](i *island, key any, ask func() ([]T, error)) ([]T, error) {
	value, _, err := once(i, key, func() ([]T, bool, error) { v, err := ask(); return v, true, err })
	return slices.Clone(value), err
}

func (i *island) GetSession(c context.Context, id uuid.UUID) (bridge.Session, bool, error) {
	return once(i, [2]any{"session", id}, func() (bridge.Session, bool, error) { return i.Store.GetSession(c, id) })
}

func (i *island) ListMembers(c context.Context, id uuid.UUID) ([]bridge.Member, error) {
	return list(i, [2]any{"members", id}, func() ([]bridge.Member, error) { return i.Store.ListMembers(c, id) })
}

func (i *island) ListRecords(c context.Context, id uuid.UUID, after int64, limit int) ([]bridge.Record, error) {
	return list(i, [4]any{"records", id, after, limit}, func() ([]bridge.Record, error) { return i.Store.ListRecords(c, id, after, limit) })
}

func (i *island) ListRecordsBefore(c context.Context, id uuid.UUID, before int64, limit int) ([]bridge.Record, error) {
	return list(i, [4]any{"before", id, before, limit}, func() ([]bridge.Record, error) { return i.Store.ListRecordsBefore(c, id, before, limit) })
}

func (i *island) ListPresences(c context.Context, id uuid.UUID) (map[uuid.UUID]bridge.PresenceSetting, error) {
	settings, _, err := once(i, [2]any{"presences", id}, func() (map[uuid.UUID]bridge.PresenceSetting, bool, error) {
		settings, err := i.Store.ListPresences(c, id)
		return settings, true, err
	})
	return settings, err
}

func (i *island) GetPresence(c context.Context, person uuid.UUID) (bridge.PresenceSetting, error) {
	setting, _, err := once(i, [2]any{"presence", person}, func() (bridge.PresenceSetting, bool, error) {
		setting, err := i.Store.GetPresence(c, person)
		return setting, true, err
	})
	return setting, err
}

func (i *island) ListBlocks(c context.Context, person uuid.UUID) ([]bridge.Blocked, error) {
	return list(i, [2]any{"blocks", person}, func() ([]bridge.Blocked, error) { return i.Store.ListBlocks(c, person) })
}

func (i *island) GetPerson(c context.Context, a bridge.Address) (uuid.UUID, bool, error) {
	return once(i, [2]any{"person", a}, func() (uuid.UUID, bool, error) { return i.Store.GetPerson(c, a) })
}

func (i *island) ListChosen(c context.Context, person uuid.UUID) ([]bridge.Address, error) {
	return list(i, [2]any{"chosen", person}, func() ([]bridge.Address, error) { return i.Store.ListChosen(c, person) })
}

func (i *island) ListMailed(c context.Context, person uuid.UUID) ([]uuid.UUID, error) {
	return list(i, [2]any{"mailed", person}, func() ([]uuid.UUID, error) { return i.Store.ListMailed(c, person) })
}

func (i *island) ListSessionsOf(c context.Context, person uuid.UUID) ([]bridge.Session, error) {
	return list(i, [2]any{"sessions of", person}, func() ([]bridge.Session, error) { return i.Store.ListSessionsOf(c, person) })
}

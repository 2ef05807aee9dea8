package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/bridge/outbox"
	"mailroom/config"
	"mailroom/store/storetest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var offRecord = bridge.Options{OffRecord: true}

// crashingNode is the variable that makes this binary a node: it has the URL of
// the database.
const crashingNode = "MAILROOM_TEST_CRASHING_NODE"

// runCrashingNode begins a session off the record and prints its id; then each
// line that it reads is said there by Alice, and what was said by everybody is
// printed.
func runCrashingNode(database string) {
	if err := crashing(database); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func crashing(database string) error {
	c, err := settings(database)
	if err != nil {
		return err
	}
	defer os.RemoveAll(c.DataDir)
	ctx := context.Background()
	a, err := New(ctx, c, Options{}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	go a.Run(ctx) // ends with the process
	if err := until(readyTime, func() error { return ready(c) }); err != nil {
		return err
	}
	room, err := begin(a.service, "hush", offRecord)
	if err != nil {
		return err
	}
	fmt.Println(room.Session.ID)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := say(a.service, room, alice, lines.Text()); err != nil {
			return err
		}
		texts, err := said(a.service, room, alice)
		if err != nil {
			return err
		}
		fmt.Println(texts)
	}
	return nil
}

// crasher is a node in a process of its own.
type crasher struct {
	command *exec.Cmd
	in      io.Writer
	out     *bufio.Reader
	crashed bool
}

func startCrasher(t *testing.T, database string) *crasher {
	t.Helper()
	c := &crasher{command: exec.Command(os.Args[0])}
	c.command.Env = append(os.Environ(), crashingNode+"="+database)
	c.command.Stderr = t.Output()
	in, err := c.command.StdinPipe()
	require.NoError(t, err)
	out, err := c.command.StdoutPipe()
	require.NoError(t, err)
	c.in, c.out = in, bufio.NewReader(out)
	require.NoError(t, c.command.Start())
	t.Cleanup(func() { c.crash(t) })
	return c
}

func (c *crasher) line(t *testing.T) string {
	t.Helper()
	line, err := c.out.ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line)
}

// crash ends the process as a power failure would.
func (c *crasher) crash(t *testing.T) {
	t.Helper()
	if c.crashed {
		return
	}
	c.crashed = true
	require.NoError(t, c.command.Process.Kill())
	require.ErrorContains(t, c.command.Wait(), "killed")
}

func TestOffTheRecordOverTwoNodesUntilTheKeeperCrashes(t *testing.T) {
	database := storetest.NewDatabase(t)
	b := startNode(t, settingsOf(t, database))
	a := startCrasher(t, database)
	id, err := uuid.Parse(a.line(t))
	require.NoError(t, err)
	room := &bridge.Room{Session: bridge.Session{ID: id}}

	require.NoError(t, say(b.service, room, bob, "from the other node"))
	fmt.Fprintln(a.in, "back again")
	require.Equal(t, "first hush|from the other node|back again", a.line(t))
	texts, err := said(b.service, room, bob)
	require.NoError(t, err)
	require.Equal(t, "first hush|from the other node|back again", texts)
	shown, _, err := b.service.View(t.Context(), id, by(bob))
	require.NoError(t, err)
	require.Equal(t, "about hush", shown.Session.Subject)
	require.Zero(t, b.store.Memory().Count(), "it is in the memory of the other alone")

	a.crash(t)
	asked := time.Now()
	_, err = said(b.service, room, bob)
	require.Equal(t, bridge.Unavailable, bridge.CodeOf(err))
	err = say(b.service, room, bob, "still there?")
	require.Equal(t, bridge.Unavailable, bridge.CodeOf(err))
	require.Contains(t, bridge.SentenceOf(err), "Try again in a few seconds")
	require.Less(t, time.Since(asked), 2*exchangeTime, "nobody waits for it")
	eventually(t, outbox.LeaseTTL+4*overEvery, func() error {
		state, err := stateOf(b.service, room)
		if err == nil && state != bridge.Over {
			err = fmt.Errorf("it is %s", state)
		}
		return err
	})
	require.Equal(t, bridge.Closed, bridge.CodeOf(say(b.service, room, bob, "anybody?")))
}

func TestOffTheRecordEndsWhenItsNodeStopsInOrder(t *testing.T) {
	database := storetest.NewDatabase(t)
	a, b := startNode(t, settingsOf(t, database)), startNode(t, settingsOf(t, database))
	room, err := begin(a.service, "1", offRecord)
	require.NoError(t, err)
	a.stop()
	eventually(t, outbox.LeaseTTL+4*overEvery, func() error {
		state, err := stateOf(b.service, room)
		if err == nil && state != bridge.Over {
			err = fmt.Errorf("it is %s", state)
		}
		return err
	})
}

func TestWhatBeginsOnANewNodeIsLeftAlone(t *testing.T) {
	database := storetest.NewDatabase(t)
	a, b := makeNode(t, settingsOf(t, database)), makeNode(t, settingsOf(t, database))
	early, err := begin(a.service, "1", offRecord)
	require.NoError(t, err)
	require.NoError(t, b.service.EndOver(t.Context()))
	state, err := stateOf(b.service, early)
	require.NoError(t, err)
	require.Equal(t, bridge.Over, state, "who has no lease keeps nothing")

	require.NoError(t, a.enter(t.Context()))
	room, err := begin(a.service, "2", offRecord)
	require.NoError(t, err)
	require.NoError(t, b.service.EndOver(t.Context()))
	require.NoError(t, b.enter(t.Context()))
	url, err := b.store.Node(t.Context(), a.name)
	require.NoError(t, err)
	require.Equal(t, a.config.Node.URL, url, "a newcomer forgets nobody who lives")
	state, err = stateOf(a.service, room)
	require.NoError(t, err)
	require.Equal(t, bridge.Open, state)
}

func TestANodeJudgesOthersOnlyAfterItHasHeldItsOwnLease(t *testing.T) {
	database := storetest.NewDatabase(t)
	a := makeNode(t, settingsOf(t, database)) // its lease was lost with the database
	room, err := begin(a.service, "1", offRecord)
	require.NoError(t, err)
	began := time.Now()
	startNode(t, settingsOf(t, database))
	eventually(t, outbox.LeaseTTL+4*overEvery, func() error {
		state, err := stateOf(a.service, room)
		if err == nil && state != bridge.Over {
			err = fmt.Errorf("it is %s", state)
		}
		return err
	})
	require.Greater(t, time.Since(began), outbox.LeaseTTL, "others have as long to take theirs again")
}

func TestARestartEndsWhatWasOffTheRecordBeforeAnybodyAsks(t *testing.T) {
	c := settingsOf(t, "")
	a := startNode(t, c)
	room, err := begin(a.service, "1", offRecord)
	require.NoError(t, err)
	kept, err := begin(a.service, "2", bridge.Options{})
	require.NoError(t, err)
	a.stop()
	a.Close()
	again := makeNode(t, c)
	require.NoError(t, again.enter(t.Context()))
	state, err := stateOf(again.service, room)
	require.NoError(t, err)
	require.Equal(t, bridge.Over, state)
	state, err = stateOf(again.service, kept)
	require.NoError(t, err)
	require.Equal(t, bridge.Open, state)
}

func TestWhatWasKeptLongEnoughGoesByItself(t *testing.T) {
	c := settingsOf(t, "")
	a := startNode(t, c)
	room, err := begin(a.service, "1", bridge.Options{})
	require.NoError(t, err)
	a.stop()
	a.Close()
	c.Transcripts.KeepFor = config.Period(time.Microsecond) // anything is older than that
	again := startNode(t, c)
	eventually(t, 10*time.Second, func() error {
		texts, err := said(again.service, room, alice)
		if err == nil && texts != "" {
			err = fmt.Errorf("it is still said: %s", texts)
		}
		return err
	})
}

func TestWorkThatFailsIsTriedAgain(t *testing.T) {
	a := newApp(settingsOf(t, ""), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	a.repeat(ctx, time.Millisecond, "a test", func(context.Context) error {
		if tries++; tries == 3 {
			cancel()
		}
		return fmt.Errorf("not yet")
	})
	require.Equal(t, 3, tries)
}

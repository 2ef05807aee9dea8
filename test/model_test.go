package test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// How much of the random sequences there is.
const (
	sequences = 100
	casts     = 6  // sequences that run at the same time
	steps     = 7  // of one sequence, without its end
	crashing  = 12 // so many sequences have one crash among them

	patienceForStep = 40 * time.Second // a crash included
)

// TestRandomSequences lets people do at random what they can do, through real clients and with crashes between, and compares
// after each step what everybody can see and do with a model that is as simple as the promise: who may read, who may write,
// who sees whom.
//
// MAILROOM_TEST_SEED repeats one sequence.
func TestRandomSequences(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t, harness.Request{Engine: harness.SQLite, Accounts: castAccounts()})
	s.Start(t)
	w := &world{site: s, later: make(chan func(*testing.T), sequences)}
	seeds := seedsOf(t)
	var running sync.WaitGroup
	var players []*cast // all are there before anything crashes: a command beside it would own the database
	for i := range min(casts, len(seeds)) {
		players = append(players, newCast(t, w, i))
	}
	for i, c := range players {
		running.Go(func() {
			for n := i; n < len(seeds); n += casts {
				t.Run(fmt.Sprint("seed ", seeds[n]), func(t *testing.T) { c.play(t, seeds[n]) })
			}
		})
	}
	running.Wait()
	close(w.later)
	for check := range w.later {
		check(t)
	}
}

func seedsOf(t *testing.T) (seeds []uint64) {
	t.Helper()
	if text := os.Getenv("MAILROOM_TEST_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		return []uint64{seed}
	}
	for range sequences {
		seeds = append(seeds, rand.Uint64())
	}
	return seeds
}

func castAccounts() (names []string) {
	for i := range casts {
		names = append(names, fmt.Sprint("player-", i))
	}
	return names
}

// world is what all sequences share.
type world struct {
	site  *harness.Site
	crash sync.Mutex
	later chan func(*testing.T) // what can be checked only some seconds later
}

// restart ends the node as a crash does, under everybody's hands.
func (w *world) restart(t *testing.T) {
	t.Helper()
	w.crash.Lock()
	defer w.crash.Unlock()
	w.site.Nodes[0].Kill(t)
	w.site.Nodes[0].Start(t)
	w.site.Nodes[0].AwaitReady(t)
}

// cast is the people of one sequence after the other.
type cast struct {
	world  *world
	number int
	alice  *harness.API // starts the sessions
	writes string       // her address
	matrix *harness.MatrixUser
	prefer *harness.API // of the Matrix user, for what one sets about oneself
	xmpp   *harness.XMPPUser
	// shown says if the Matrix user's setting shows them to Alice; it stays from one sequence to the next.
	shown bool
}

func newCast(t *testing.T, w *world, number int) *cast {
	t.Helper()
	name := castAccounts()[number]
	c := &cast{world: w, number: number, writes: fmt.Sprintf("starter%d@company.test", number)}
	c.alice, c.prefer = w.site.NewAPI(t, c.writes), w.site.NewAPI(t, "@"+name+":"+harness.Domain)
	c.matrix, c.xmpp = w.site.NewMatrixUser(t, name), w.site.NewXMPPUser(t, name)
	return c
}

// Standing of a guest in the model.
type standing string

const (
	unknown  standing = ""
	invited  standing = "invited"
	joined   standing = "joined"
	left     standing = "left"
	revoked  standing = "revoked"
	declined standing = "declined"
)

// may says what one may by one's grant: to read, and to write while the session is open.
func (s standing) may() bool { return s == invited || s == joined || s == left }

// Guests, by the way they come.
const (
	byWeb    = "web"
	byMail   = "mail"
	byMatrix = "matrix"
	byXMPP   = "xmpp"
)

var guests = []string{byWeb, byMail, byMatrix, byXMPP}

// play is one sequence: what it did stands in the log of a test that fails.
func (c *cast) play(t *testing.T, seed uint64) {
	s := &scene{
		cast: c, t: t, random: rand.New(rand.NewPCG(seed, seed)), subject: fmt.Sprint("Sequence ", seed),
		model: model{open: true, guests: make(map[string]standing)},
		web:   c.world.site.NewCorrespondent(t, fmt.Sprintf("web-%d@mailbox.test", seed), "Web"),
		mail:  c.world.site.NewCorrespondent(t, fmt.Sprintf("mail-%d@mailbox.test", seed), "Mail"),
	}
	defer func() {
		if t.Failed() {
			t.Logf("MAILROOM_TEST_SEED=%d\n%s", seed, strings.Join(s.did, "\n"))
		}
	}()
	s.begin()
	s.compare()
	crashAt := s.random.IntN(crashing * steps)
	for i := range steps {
		if i == crashAt {
			s.note("crash and restart")
			c.world.restart(t)
		} else {
			s.step()
		}
		s.compare()
	}
	s.end()
}

// model is all that is known of a session in the reference.
type model struct {
	open   bool
	guests map[string]standing
	said   []string
	// mailed is what the mail guest must read in mails, and withheld what they must not.
	mailed, withheld []string
}

// scene is one sequence under way.
type scene struct {
	*cast
	t       *testing.T
	random  *rand.Rand
	subject string
	model   model
	did     []string

	session   string
	web, mail *harness.Correspondent
	page      *harness.WebUser // of the web guest, once they have opened the link
	pageLives bool             // its grant has not ended since
	room, muc string
	inside    bool // the MUC, until the XMPP guest's client goes
	blocked   bool
	forwarded bool
}

func (s *scene) note(format string, arguments ...any) {
	s.did = append(s.did, fmt.Sprintf("%d. ", len(s.did)+1)+fmt.Sprintf(format, arguments...))
}

func (s *scene) address(guest string) string {
	account := castAccounts()[s.number]
	return map[string]string{
		byWeb: s.web.Address, byMail: s.mail.Address, byMatrix: "@" + account + ":" + harness.Domain, byXMPP: "xmpp:" + account + "@" + harness.Domain,
	}[guest]
}

// begin starts the session with two or more of the guests.
func (s *scene) begin() {
	who := slices.Clone(guests)
	s.random.Shuffle(len(who), func(i, j int) { who[i], who[j] = who[j], who[i] })
	who = who[:2+s.random.IntN(3)]
	var addresses []string
	for _, guest := range who {
		addresses = append(addresses, s.address(guest))
		s.model.guests[guest] = invited
	}
	text := s.next("alice")
	s.note("Alice starts with %v", who)
	// A sequence that failed may have left it.
	s.until(func() error { return s.prefer.Call(s.t.Context(), "DELETE", "/me/blocks/"+s.writes, nil, nil) })
	s.until(func() error {
		started, err := s.alice.Start(s.t.Context(), map[string]any{
			"subject": s.subject, "message": map[string]string{"text": text}, "recipients": addresses, "client_id": s.subject,
		})
		s.session = started.ID
		return err
	})
	s.heard(text, "alice")
}

// next is what somebody says next.
func (s *scene) next(who string) string { return fmt.Sprintf("%s-%d", who, len(s.model.said)+1) }

// heard notes what was said.
func (s *scene) heard(text, by string) {
	s.model.said = append(s.model.said, text)
	switch standing := s.model.guests[byMail]; {
	case by == byMail:
	case standing == joined:
		s.model.mailed = append(s.model.mailed, text)
	case !standing.may():
		s.model.withheld = append(s.model.withheld, text)
	}
}

// until does something again until it is acknowledged: the node may be down for a moment.
func (s *scene) until(do func() error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patienceForStep)
	defer cancel()
	require.NoError(s.t, harness.Poll(ctx, do))
}

// step does one thing, at random of those that mean something now.
func (s *scene) step() {
	for before := len(s.did); len(s.did) == before; {
		s.act()(guests[s.random.IntN(len(guests))])
	}
}

// act is one of the things that can be done.
func (s *scene) act() func(guest string) {
	type act struct {
		weight int
		do     func(string)
	}
	acts := []act{
		{3, s.join}, {4, s.post}, {2, s.revoke}, {2, s.invite}, {1, s.leave}, {1, s.turn}, {1, s.forward}, {1, s.setPresence}, {1, s.block},
		{2, func(string) { s.say("alice") }},
	}
	total := 0
	for _, a := range acts {
		total += a.weight
	}
	pick := s.random.IntN(total)
	for _, a := range acts {
		if pick -= a.weight; pick < 0 {
			return a.do
		}
	}
	return acts[0].do
}

// invite gives a guest a grant, if the session is open: a new one if the old one has ended.
func (s *scene) invite(guest string) {
	s.note("Alice invites %s", guest)
	if !s.model.open {
		s.until(func() error { return inverted(s.alice.Invite(s.t.Context(), s.session, s.address(guest))) })
		return
	}
	who := map[string]*harness.Correspondent{byWeb: s.web, byMail: s.mail}[guest]
	mails := 0
	if who != nil {
		mails = len(who.Mails())
	}
	s.until(func() error { return s.alice.Invite(s.t.Context(), s.session, s.address(guest)) })
	standing := s.model.guests[guest]
	if standing == invited || standing == joined {
		return
	}
	s.model.guests[guest] = invited
	if guest == byMail {
		s.model.withheld = nil // the new invitation shows it
	}
	if who != nil && standing != left {
		who.Mail(s.t, mails)
	}
}

func (s *scene) revoke(guest string) {
	if !s.model.guests[guest].may() {
		return
	}
	s.note("Alice revokes %s", guest)
	s.until(func() error { return s.alice.Revoke(s.t.Context(), s.session, s.address(guest)) })
	s.model.guests[guest] = revoked
	if guest == byXMPP {
		s.inside = false
	}
	if guest == byMail {
		s.model.mailed = nil // what is under way is withdrawn
	}
	if guest == byWeb {
		s.pageLives = false
	}
}

// turn closes the session or opens it again.
func (s *scene) turn(string) {
	how := map[bool]string{true: "close", false: "reopen"}[s.model.open]
	s.note("Alice says %s", how)
	s.until(func() error { return s.alice.Turn(s.t.Context(), s.session, how) })
	s.model.open = !s.model.open
}

// setPresence changes whom the Matrix user shows themselves to.
func (s *scene) setPresence(string) {
	settings := []struct {
		setting string
		chosen  []string
		shown   bool
	}{
		{"nobody", nil, false}, {"chosen", []string{s.writes}, true}, {"chosen", []string{"somebody@company.test"}, false},
		{"mailed", nil, false}, {"shared", nil, true}, {"everyone", nil, true},
	}
	choice := settings[s.random.IntN(len(settings))]
	s.note("the Matrix guest shows themselves to %s %v", choice.setting, choice.chosen)
	s.until(func() error {
		return s.prefer.Call(s.t.Context(), "PUT", "/me/presence", map[string]any{"setting": choice.setting, "chosen": slices.Clone(choice.chosen)}, nil)
	})
	s.shown = choice.shown
}

// block lets the Matrix guest block Alice: what she gave them ends.
func (s *scene) block(string) {
	if s.blocked {
		return
	}
	s.note("the Matrix guest blocks Alice")
	s.until(func() error { return s.prefer.Call(s.t.Context(), "PUT", "/me/blocks/"+s.writes, nil, nil) })
	s.blocked = true
	if s.model.guests[byMatrix].may() {
		s.model.guests[byMatrix] = declined
	}
}

// forward: the web guest's link is opened by somebody else, once the guest has used it.
func (s *scene) forward(string) {
	if s.page == nil || !s.pageLives || s.forwarded {
		return
	}
	s.note("somebody else opens the web guest's link")
	s.forwarded = true
	s.until(func() error {
		_, page, err := s.world.site.NewVisitor(s.t).Do(s.t.Context(), "POST", s.newest(s.web).Link, nil)
		if err == nil && !strings.Contains(page, `name="code"`) {
			err = errors.New("no code is asked for")
		}
		return err
	})
}

// newest waits for the first mail that somebody got, and returns the last: its tokens are those that count.
func (s *scene) newest(who *harness.Correspondent) harness.Mail {
	who.Mail(s.t, 0)
	mails := who.Mails()
	return mails[len(mails)-1]
}

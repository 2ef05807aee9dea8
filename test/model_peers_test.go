package test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// What the guests of a random sequence do in their clients, and what these show.

// join lets a guest come in the way they came to know of it. Whoever only has mail comes in by answering.
func (s *scene) join(guest string) {
	standing := s.model.guests[guest]
	if !standing.may() || guest == byMatrix && (s.blocked || standing == left) {
		return
	}
	s.note("the guest by %s comes in", guest)
	switch guest {
	case byWeb:
		if s.page != nil && s.pageLives {
			s.say(byWeb) // the browser is in already; who left comes back by saying something
			return
		}
		s.page, s.pageLives = s.world.site.NewWebUser(s.t, s.newest(s.web).Link), true
	case byMail:
		s.say(byMail)
		return
	case byMatrix:
		s.room = s.matrix.Accept(s.t, s.subject)
	case byXMPP:
		s.enterMUC()
		s.inside = true
	}
	s.model.guests[guest] = joined
}

func (s *scene) enterMUC() {
	s.muc = s.session + "@rooms." + harness.Domain
	s.until(func() error {
		return s.tryMUC(func(ctx context.Context) error { return s.xmpp.Enter(ctx, s.muc, "xmpp") })
	})
}

// tryMUC gives the room a moment to answer: while the node is down nobody does.
func (s *scene) tryMUC(do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patienceForOne)
	defer cancel()
	return do(ctx)
}

// post lets a guest say something, whether they may or not.
func (s *scene) post(guest string) {
	if s.model.guests[guest] == unknown || guest == byWeb && s.page == nil || guest == byMatrix && s.room == "" || guest == byXMPP && s.muc == "" {
		return
	}
	if guest == byMail && len(s.mail.Mails()) == 0 && !s.model.guests[byMail].may() {
		return // the grant ended before the mail was sent
	}
	s.say(guest)
}

// say says something as Alice or a guest; what may not be said is refused.
func (s *scene) say(who string) {
	text := s.next(who)
	may := s.model.open && (who == "alice" || s.model.guests[who].may())
	switch who {
	case byMatrix:
		may = may && s.model.guests[byMatrix] == joined
		if !s.model.open && s.model.guests[byMatrix] == joined {
			return // the homeserver takes it, and it goes no further
		}
	case byXMPP:
		may = may && s.model.guests[byXMPP] == joined && s.inside
	case byWeb:
		may = may && s.pageLives
	}
	s.note("%s says %s, and may: %v", who, text, may)
	say := s.sayer(who, text)
	if !may && who == byMatrix {
		// What the homeserver takes in the moment of a kick goes no further: the views show that.
		_ = say()
		return
	}
	if !may {
		s.until(func() error { return inverted(say()) })
		return
	}
	s.until(say)
	if who != "alice" {
		s.model.guests[who] = joined
	}
	s.heard(text, who)
}

// inverted is an error unless something was refused: a node that is down refuses nothing.
func inverted(err error) error {
	if err == nil {
		return fmt.Errorf("it was taken")
	}
	for _, down := range []string{"connection re", "EOF", "deadline", "503"} {
		if strings.Contains(err.Error(), down) {
			return err
		}
	}
	return nil
}

func (s *scene) sayer(who, text string) func() error {
	ctx := s.t.Context()
	switch who {
	case "alice":
		return func() error { return s.alice.Say(ctx, s.session, text, text) }
	case byWeb:
		return func() error { return s.page.Say(ctx, "client-"+text, text) }
	case byMatrix:
		return func() error { return s.matrix.Say(ctx, s.room, s.session+text, text) }
	case byXMPP:
		return func() error {
			return s.tryMUC(func(ctx context.Context) error { return s.xmpp.Say(ctx, s.muc, s.session+text, text) })
		}
	}
	letter := s.mail.Answer(s.newest(s.mail), text)
	return func() error { return s.world.site.Send(letter) }
}

func (s *scene) leave(guest string) {
	if s.model.guests[guest] != joined {
		return
	}
	ctx := s.t.Context()
	leave := map[string]func() error{
		byWeb: func() error {
			status, text, err := s.page.Do(ctx, http.MethodPost, "/s/"+s.session+"/leave", url.Values{"me": {s.page.Me()}})
			if err == nil && status >= 400 {
				err = fmt.Errorf("%d %s", status, text)
			}
			return err
		},
		byMatrix: func() error { return s.matrix.Leave(ctx, s.room) },
		byXMPP:   s.leaveMUC,
	}[guest]
	if leave == nil || guest == byWeb && !s.pageLives || guest == byXMPP && !s.inside {
		return
	}
	s.note("the guest by %s leaves", guest)
	s.until(leave)
	if guest == byXMPP {
		s.inside = false // a client that goes offline; the member stays
		return
	}
	s.model.guests[guest] = left
}

// leaveMUC goes out, and says so again until the room knows: while the node is down nobody hears it.
func (s *scene) leaveMUC() error {
	if err := s.xmpp.Write("<presence type='unavailable' to='" + s.muc + "/xmpp'/>"); err != nil {
		return err
	}
	in, err := s.inMUC()
	if err == nil && in {
		err = errors.New("still inside")
	}
	return err
}

// inMUC says if the XMPP guest is inside.
func (s *scene) inMUC() (in bool, err error) {
	err = s.tryMUC(func(ctx context.Context) error {
		in, err = s.xmpp.Inside(ctx, s.muc, "xmpp")
		return err
	})
	return in, err
}

// compare waits until every view is what the model says. It stays so: what may not be seen is looked for in the next views, too.
func (s *scene) compare() {
	s.t.Helper()
	for _, look := range []func() error{s.lookAsAlice, s.lookOnPage, s.lookOnMatrix, s.lookOnXMPP} {
		s.until(look)
	}
}

func (s *scene) lookAsAlice() error {
	session, err := s.alice.Session(s.t.Context(), s.session)
	if err != nil {
		return err
	}
	if want := map[bool]string{true: "open", false: "closed"}[s.model.open]; session.State != want {
		return fmt.Errorf("the session is %s and not %s", session.State, want)
	}
	seen := make(map[string]harness.Member)
	for _, m := range session.Members {
		seen[m.Address] = m
	}
	for _, guest := range guests {
		m := seen[s.address(guest)]
		if m.State != string(s.model.guests[guest]) {
			return fmt.Errorf("Alice sees that the guest by %s is %q and not %q", guest, m.State, s.model.guests[guest])
		}
	}
	if err := s.lookAtPresence(seen[s.address(byMatrix)]); err != nil {
		return err
	}
	said, _, err := s.alice.Said(s.t.Context(), s.session)
	if err != nil {
		return err
	}
	return harness.Same("the transcript", s.model.said, said)
}

// lookAtPresence: how far the Matrix guest has read is shown to Alice if their setting says so.
func (s *scene) lookAtPresence(m harness.Member) error {
	gone := m.State != string(invited) && m.State != string(joined)
	if want := s.shown && !gone; m.ID != "" && (m.ReadSeq != nil) != want {
		return fmt.Errorf("Alice sees how far the Matrix guest has read: %v, and should: %v", m.ReadSeq != nil, want)
	}
	return nil
}

func (s *scene) lookOnPage() error {
	if s.page == nil {
		return nil
	}
	status, text, err := s.page.Page(s.t.Context())
	if err != nil {
		return err
	}
	if reads := status == http.StatusOK; reads != s.pageLives {
		return fmt.Errorf("the page answers %d; it lives: %v", status, s.pageLives)
	}
	if !s.pageLives {
		if strings.Contains(text, s.subject) {
			return fmt.Errorf("the page shows what it may not: %s", text)
		}
		return nil
	}
	return harness.Same("the page", s.model.said, s.page.Seen())
}

func (s *scene) lookOnMatrix() error {
	if s.room == "" {
		return nil
	}
	in, err := s.matrix.Joined(s.t.Context(), s.room)
	if err != nil {
		return err
	}
	if want := s.model.guests[byMatrix] == joined; in != want {
		return fmt.Errorf("the Matrix guest is in the room: %v, and should be: %v", in, want)
	}
	if !in {
		return nil
	}
	seen, _, err := s.matrix.Seen(s.t.Context(), s.room)
	if err != nil {
		return err
	}
	return harness.Same("Matrix", sorted(s.model.said), sorted(seen))
}

func (s *scene) lookOnXMPP() error {
	if s.muc == "" {
		return nil
	}
	in, err := s.inMUC()
	if err != nil {
		return err
	}
	if want := s.model.guests[byXMPP] == joined && s.inside; in != want {
		return fmt.Errorf("the XMPP guest is in the MUC: %v, and should be: %v", in, want)
	}
	if !in {
		return nil
	}
	return harness.Same("XMPP", sorted(s.model.said), sorted(s.xmpp.Seen(s.muc)))
}

// end lets go of what the next sequence of this cast must not meet, and leaves the mails to be read when they are due.
func (s *scene) end() {
	if s.model.guests[byMatrix] == joined {
		s.until(func() error { return s.matrix.Leave(s.t.Context(), s.room) })
	}
	if s.inside {
		s.until(s.leaveMUC)
	}
	mailed, withheld, did := slices.Clone(s.model.mailed), slices.Clone(s.model.withheld), s.did
	if s.model.guests[byMail] != joined {
		mailed = nil // what was under way when the grant ended is withdrawn
	}
	s.world.later <- func(t *testing.T) {
		harness.Eventually(t, func() error {
			for _, text := range mailed {
				if err := contains(s.mail.Seen(), text); err != nil {
					return fmt.Errorf("%s by mail, of %q: %w", text, did, err)
				}
			}
			return nil
		})
		for _, text := range withheld {
			require.NotContains(t, s.mail.Seen(), text, did)
		}
	}
}

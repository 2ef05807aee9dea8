package bridge_test

import (
	"fmt"
	"slices"
	"time"

	"mailroom/bridge"

	"pgregory.net/rapid"
)

// everywhere says that something can change every session, or every one that a
// person was invited to.
func (w *world) everywhere(p *modelPerson) {
	for _, s := range w.sessions {
		if p == nil || slices.ContainsFunc(s.members, func(m *modelMember) bool { return m.was == p }) {
			w.touched[s] = true
		}
	}
}

// self draws a person who acts for themselves by a proved address.
func (w *world) self() actor {
	return pick(w, "way", w.waysOf(pick(w, "person", w.cast), nil))
}

func (w *world) opPresence() *move {
	a := w.self()
	w.everywhere(a.who)
	setting := pick(w, "setting", append(bridge.PresenceSettings[:5:5], bridge.SeenByShared, bridge.SeenByShared))
	chosen := make(map[*modelPerson]bool)
	var addresses []bridge.Address
	m := &move{what: fmt.Sprintf("%s: be seen by %s", a.name, setting)}
	for _, p := range w.cast {
		if w.flip(p.name) {
			chosen[p] = true
			addresses = append(addresses, pick(w, "by", p.addresses))
			m.what += " " + p.name
		}
	}
	m.do = func() error { return w.service.SetPresence(ctx, a.by, setting, addresses) }
	m.then = func() { a.who.known, a.who.presence, a.who.chosen = true, setting, chosen }
	return m
}

func (w *world) opBlock() *move {
	a, whom := w.self(), pick(w, "whom", w.cast)
	w.everywhere(a.who)
	address := pick(w, "by", whom.addresses)
	m := &move{what: fmt.Sprintf("%s: block %s by %s", a.name, whom.name, address.Network)}
	if whom == a.who {
		m.want = bridge.Invalid
	}
	m.do = func() error { return w.service.Block(ctx, a.by, address) }
	m.then = func() {
		a.who.known, a.who.blocked[whom] = true, true
		for _, s := range w.sessions {
			m := s.of(a.who)
			if m == nil || m.initiator || m.revoked || !m.inviter.has(address) && m.inviter.who != whom {
				continue
			}
			s.giveBack(w.now, m)
		}
	}
	return m
}

func (w *world) opUnblock() *move {
	a := w.self()
	var blocked []*modelPerson
	for _, p := range w.cast {
		if a.who.blocked[p] {
			blocked = append(blocked, p)
		}
	}
	if len(blocked) == 0 {
		return nil
	}
	whom := pick(w, "whom", blocked)
	return &move{what: fmt.Sprintf("%s: unblock %s", a.name, whom.name), whole: true, do: func() error {
		blocks, err := w.service.Blocks(ctx, a.by)
		for _, b := range blocks {
			if owner := w.person(b.Address); err == nil && owner == whom {
				err = w.service.Unblock(ctx, a.by, b.Address)
			}
		}
		return err
	}, then: func() { delete(a.who.blocked, whom) }}
}

func (w *world) opErase() *move {
	if !w.flip("erase") {
		return nil
	}
	p := pick(w, "person", w.cast)
	by := bridge.Identity{Admin: true}
	m := &move{what: "the operator: erase " + p.name, whole: true}
	if !p.known {
		m.want = bridge.NotFound
	}
	if w.flip("without power") {
		by, m.want, m.what = bridge.Identity{Via: bridge.Web, Address: p.address()}, bridge.Forbidden, p.name+": erase themselves"
	}
	w.everywhere(nil)
	address := pick(w, "by", p.addresses)
	m.do = func() error { _, err := w.service.Erase(ctx, by, address); return err }
	m.then = func() {
		kept := false
		for _, s := range w.sessions {
			switch m := s.of(p); {
			case m == nil:
			case s.onHold:
				kept = true
			default:
				s.erase(w.now, m)
			}
		}
		if !kept {
			p.forget(w.cast)
		}
	}
	return m
}

// ---- browsers

// opBrowser opens the link in an invitation: in the first browser, or in a
// further one, which is refused without the code that is mailed.
func (w *world) opBrowser() *move {
	s := w.session()
	if s == nil {
		return nil
	}
	who := pick(w, "member", s.members)
	token := who.newest(bridge.RightJoin)
	if old := who.tokensOf(bridge.RightJoin); w.flip("old link") {
		token = old[0]
	}
	used := slices.ContainsFunc(who.browsers, func(b *modelBrowser) bool { return b.generation == who.generation })
	asks := used && who.was.email() // also if the first was signed out: it knows the link
	code := asks && rapid.Bool().Draw(w.t, "with code")
	m := &move{what: fmt.Sprintf("somebody: open the link of %s in s%d, code %v", who.was.name, s.index, code), whole: asks}
	if asks {
		w.now = w.now.Add(15 * time.Minute) // codes are mailed only so often
		w.everywhere(nil)
	}
	switch {
	case !token.live(who):
		m.want = bridge.NotFound
	case asks && !code:
		m.want = bridge.CodeNeeded
	}
	var cookie string
	m.do = func() (err error) {
		h, err := w.service.Holder(ctx, bridge.RightJoin, token.text)
		if err == nil && code {
			err = w.askCode(h)
		}
		if err != nil {
			return err
		}
		digits := ""
		if code {
			if digits, err = w.newestCode(s, who); err != nil {
				return err
			}
		}
		cookie, err = w.service.Bind(ctx, h, "Firefox", digits)
		return err
	}
	m.then = func() {
		who.browsers = append(who.browsers, &modelBrowser{cookie: cookie, generation: who.generation})
		if s.may(who, false, bridge.ActJoin, w.now) == "" {
			s.respond(w.now, who, bridge.Identity{Via: bridge.Web})
		}
	}
	return m
}

func (b *modelBrowser) live(m *modelMember) bool {
	return !b.forgotten && !m.revoked && b.generation == m.generation
}

// askCode opens the link without a code, and with a wrong one.
func (w *world) askCode(h bridge.Holder) error {
	for _, code := range []string{"", "no code"} {
		if _, err := w.service.Bind(ctx, h, "Chrome", code); bridge.CodeOf(err) != bridge.CodeNeeded {
			return fmt.Errorf("a further browser was not asked for a code: %v", err)
		}
	}
	return nil
}

func (w *world) newestCode(s *modelSession, who *modelMember) (string, error) {
	letters, err := w.letters(s, who, bridge.LetterCode)
	if err != nil || len(letters) == 0 {
		return "", fmt.Errorf("no code was mailed: %v", err)
	}
	return letters[len(letters)-1].Code, nil
}

// letters are those that are queued for a member and still needed.
func (w *world) letters(s *modelSession, who *modelMember, kind bridge.LetterKind) (letters []bridge.Letter, err error) {
	mails, err := w.db.ListMails(ctx, s.id, who.id)
	for _, mail := range mails {
		if err != nil || mail.Kind != kind {
			continue
		}
		l, ok, failed := w.service.Letter(ctx, mail)
		if failed == nil && ok {
			letters = append(letters, l)
		}
		err = failed
	}
	return letters, err
}

// browsers are all that somebody opened and that may still count.
func (w *world) liveBrowsers() (members []*modelMember, browsers []*modelBrowser, sessions []*modelSession) {
	for _, s := range w.sessions {
		for _, m := range s.members {
			for _, b := range m.browsers {
				if b.live(m) {
					members, browsers, sessions = append(members, m), append(browsers, b), append(sessions, s)
				}
			}
		}
	}
	return members, browsers, sessions
}

func (w *world) opForget() *move {
	_, browsers, sessions := w.liveBrowsers()
	if len(browsers) == 0 {
		return nil
	}
	i := rapid.IntRange(0, len(browsers)-1).Draw(w.t, "browser")
	s := sessions[i]
	w.touched[s] = true
	return &move{what: fmt.Sprintf("a browser in s%d is signed out", s.index),
		do:   func() error { return w.service.ForgetBrowser(ctx, browsers[i].cookie, s.id) },
		then: func() { browsers[i].forgotten = true }}
}

// opEndBrowsers is the answer to a letter that a browser speaks for somebody.
func (w *world) opEndBrowsers() *move {
	members, _, sessions := w.liveBrowsers()
	if len(members) == 0 {
		return nil
	}
	i := rapid.IntRange(0, len(members)-1).Draw(w.t, "browser")
	s, who := sessions[i], members[i]
	if !who.was.email() {
		return nil
	}
	w.touched[s] = true
	return &move{what: fmt.Sprintf("%s: end all browsers in s%d", who.was.name, s.index), whole: true, do: func() error {
		letters, err := w.letters(s, who, bridge.LetterBound)
		if err != nil || len(letters) == 0 {
			return fmt.Errorf("no letter told of the browser: %v", err)
		}
		return w.service.EndBrowsers(ctx, letters[len(letters)-1].Tokens.Browsers)
	}, then: func() {
		for _, b := range who.browsers {
			b.forgotten = true
		}
	}}
}

// opSignIn asks for the link, and presses the button behind it, twice.
func (w *world) opSignIn() *move {
	p := pick(w, "person", w.cast)
	if !p.email() {
		return nil
	}
	w.now = w.now.Add(15 * time.Minute) // codes are mailed only so often
	w.everywhere(nil)
	m := &move{what: p.name + ": sign in", whole: true, want: bridge.NotFound}
	for _, s := range w.sessions {
		if who := s.of(p); who != nil && !who.revoked {
			m.want = ""
		}
	}
	in := &modelSignIn{live: true}
	m.do = func() (err error) {
		w.service.AskSignIn(ctx, p.address())
		w.service.Wait()
		token, err := w.signInToken(p)
		if err != nil {
			return err
		}
		if in.cookie, err = w.service.SignIn(ctx, token, "Firefox"); err != nil {
			return err
		}
		if _, err = w.service.SignIn(ctx, token, "Chrome"); bridge.CodeOf(err) != bridge.NotFound {
			return fmt.Errorf("a link signed in twice: %v", err)
		}
		return nil
	}
	m.then = func() { p.signIns = append(p.signIns, in) }
	return m
}

func (w *world) signInToken(p *modelPerson) (string, error) {
	for _, s := range w.sessions {
		who := s.of(p)
		if who == nil || who.revoked {
			continue
		}
		letters, err := w.letters(s, who, bridge.LetterSignIn)
		if err != nil {
			return "", err
		}
		for _, l := range letters {
			if l.Mail.CreatedAt.Equal(w.now) {
				return l.Tokens.SignIn, nil
			}
		}
	}
	return "", &bridge.Error{Code: bridge.NotFound, Message: "no link was mailed"}
}

// opSignOut ends one sign-in, or everything that speaks for the person.
func (w *world) opSignOut() *move {
	p := pick(w, "person", w.cast)
	if members, _, _ := w.liveBrowsers(); len(members) > 0 && rapid.Bool().Draw(w.t, "who has a browser") {
		p = pick(w, "member", members).was
	}
	if everywhere := rapid.Bool().Draw(w.t, "everywhere"); !everywhere {
		for _, in := range p.signIns {
			if in.live {
				return &move{what: p.name + ": sign out", do: func() error { return w.service.SignOut(ctx, in.cookie) }, then: func() { in.live = false }}
			}
		}
		return nil
	}
	w.everywhere(nil)
	return &move{what: p.name + ": sign out everywhere", whole: true, do: func() error {
		return w.service.SignOutEverywhere(ctx, bridge.Identity{Via: bridge.Web, Address: p.address()})
	}, then: func() {
		for _, in := range p.signIns {
			in.live = false
		}
		for _, s := range w.sessions {
			if who := s.of(p); who != nil && !who.revoked {
				for _, b := range who.browsers {
					b.forgotten = true
				}
			}
		}
	}}
}

func (w *world) opUnsubscribe() *move {
	s := w.session()
	if s == nil {
		return nil
	}
	who := pick(w, "member", s.members)
	token := who.newest(bridge.RightUnsubscribe)
	m := &move{what: fmt.Sprintf("%s: no more mails of s%d", who.was.name, s.index)}
	if !token.live(who) {
		m.want = bridge.NotFound
	}
	m.do = func() error { return w.service.Unsubscribe(ctx, token.text) }
	m.then = func() { who.noMail = true }
	return m
}

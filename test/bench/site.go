package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// site is one installation with its peers, and a session in which one person
// each is on Matrix and on XMPP, and two are on the page.
type site struct {
	dir      string
	stack    *stack
	mailbox  *mailbox
	mailroom *mailroom
	pushed   *pushed
	link     *proxy // between Mailroom and Prosody

	mia, max   *matrixUser // max only talks
	xena, xavi *xmppUser
	wanda, wes *webUser
	alice      *mailer
	reply      string // alice's address of the session

	room string // on Matrix
	muc  string // on XMPP
}

// accounts exist on both servers.
var accounts = []string{"mia", "max", "xena", "xavi", "relay"}

func newSite(ctx context.Context, dir string) (s *site, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s = &site{dir: dir}
	if err = s.startServers(ctx); err == nil {
		err = s.startSession(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *site) startServers(ctx context.Context) (err error) {
	if s.mailbox, err = startMailbox(filepath.Join(s.dir, "mails")); err != nil {
		return err
	}
	if s.mailroom, err = newMailroom(ctx, s.dir, s.mailbox.address); err != nil {
		return err
	}
	if s.pushed, err = startPushed(s.dir); err != nil {
		return err
	}
	people := make([]map[string]string, len(accounts))
	for i, name := range accounts {
		people[i] = map[string]string{"localpart": name, "password": password}
	}
	dendrite, err := program("MAILROOM_DENDRITE")
	if err != nil {
		return err
	}
	if s.stack, err = startStack(ctx, s.dir, map[string]any{
		"dir": filepath.Join(s.dir, "peers"), "domain": domain, "accounts": people,
		"dendrite": map[string]any{"enabled": true, "bin": dendrite, "registrations": []string{s.mailroom.registration, s.pushed.registration}},
		"prosody": map[string]any{
			"enabled": true, "components": []map[string]string{{"name": componentHost, "secret": componentSecret}},
		},
	}); err != nil {
		return err
	}
	if s.link, err = newProxy(s.stack.Prosody.Component); err != nil {
		return err
	}
	if err := s.mailroom.connect(s.stack.Dendrite.URL, s.link.address); err != nil {
		return err
	}
	_, err = s.mailroom.startReady(ctx)
	return err
}

// startSession lets everybody sign in and come into one session.
func (s *site) startSession(ctx context.Context) (err error) {
	for name, u := range map[string]**matrixUser{"mia": &s.mia, "max": &s.max} {
		if *u, err = newMatrixUser(ctx, s.stack.Dendrite.URL, name); err != nil {
			return err
		}
	}
	if err := s.mia.listen(ctx); err != nil {
		return err
	}
	for name, u := range map[string]**xmppUser{"xena": &s.xena, "xavi": &s.xavi} {
		if *u, err = newXMPPUser(ctx, s.stack.Prosody.Client, name); err != nil {
			return err
		}
	}
	secret, err := s.mailroom.password(ctx)
	if err != nil {
		return err
	}
	if s.alice, err = newMailer(s.mailroom.submission, alice, secret); err != nil {
		return err
	}
	guests := []string{"wanda@mailbox.test", "wes@mailbox.test"}
	if err := s.alice.send("Thursday", sentence, newSession, "mia@"+domain, "xena@"+domain, guests[0], guests[1]); err != nil {
		return err
	}
	return s.enterSession(ctx, guests)
}

func (s *site) enterSession(ctx context.Context, guests []string) (err error) {
	for i, u := range []**webUser{&s.wanda, &s.wes} {
		invitation, err := s.mailbox.await(ctx, guests[i])
		if err != nil {
			return s.mailroom.failed(err)
		}
		if *u, err = newWebUser(ctx, invitation.link); err != nil {
			return s.mailroom.failed(err)
		}
	}
	if s.room, err = s.mia.accept(ctx); err != nil {
		return s.mailroom.failed(err)
	}
	if s.muc, err = s.xena.accept(ctx); err != nil {
		return s.mailroom.failed(err)
	}
	started, err := s.mailbox.await(ctx, alice)
	if err != nil {
		return s.mailroom.failed(err)
	}
	s.reply = started.replyTo
	return s.settle(ctx)
}

// settle waits until a word from the page has reached everybody: all ghosts
// are in their places then.
func (s *site) settle(ctx context.Context) error {
	for _, u := range []*webUser{s.wanda, s.wes} {
		text := fmt.Sprint("Here I am, ", time.Now().UnixNano())
		onMatrix, onXMPP := s.mia.expect(text), s.xena.expect(text)
		if err := u.say(ctx, text); err != nil {
			return err
		}
		for where, c := range map[string]<-chan time.Time{"Matrix": onMatrix, "XMPP": onXMPP} {
			if _, err := await(ctx, text+" on "+where, c); err != nil {
				return s.mailroom.failed(err)
			}
		}
	}
	return nil
}

func (s *site) close() error {
	var err error
	if s.mailroom != nil {
		err = s.mailroom.stop()
	}
	if s.link != nil {
		s.link.cut()
	}
	if s.stack != nil {
		err = errors.Join(err, s.stack.stop())
	}
	if s.pushed != nil {
		err = errors.Join(err, s.pushed.close())
	}
	if s.mailbox != nil {
		err = errors.Join(err, s.mailbox.close())
	}
	return err
}

package test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/test/harness"
)

// answer is what a stranger gets to see of an HTTP answer.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// nowhere is the session of a request that names none.
const nowhere = "no session"

// ask sends a request as a stranger and returns the answer without what names the session that was asked for, and without
// the date.
func ask(t *testing.T, method, address, session string, header http.Header, body string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, strings.ReplaceAll(address, "SESSION", session), strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("X-Forwarded-For", elsewhere())
	maps.Copy(request.Header, header)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	response.Header.Del("Date")
	return answer{response.StatusCode, response.Header, strings.ReplaceAll(string(text), session, "SESSION")}
}

// elsewhere is an address that nobody else has: strangers are elsewhere, and guessing from one place is stopped soon.
func elsewhere() string {
	return netip.AddrFrom16([16]byte(append([]byte{0x20, 0x01, 0x0d, 0xb8}, rand.Text()[:12]...))).String()
}

// TestStrangers holds that strangers get in nowhere and cannot tell whether there is a session.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t, harness.Request{Engine: harness.SQLite})
	s.Start(t)
	p := invite(t, s)
	p.matrixRoom = p.carol.Accept(t, subject)
	p.xmppRoom = p.dave.Accept(t, subject, "dave")
	p.say(t, "dave-1", p.daveTalks)
	invitation := p.bob.Mail(t, 0)

	t.Run("Matrix", func(t *testing.T) { matrixStrangers(t, p) })
	t.Run("XMPP", func(t *testing.T) { xmppStrangers(t, p) })
	t.Run("web", func(t *testing.T) { webStrangers(t, p) })
	t.Run("API", func(t *testing.T) { apiStrangers(t, p) })
	t.Run("icon", func(t *testing.T) { iconTellsNothing(t, p, invitation) })
	t.Run("mail", func(t *testing.T) { mailStrangers(t, p, invitation) })
	t.Run("tokens", func(t *testing.T) { guessedTokens(t, p) })

	p.everybodySaw(t)
	sessions, err := p.transcript.Sessions(t.Context())
	require.NoError(t, err)
	require.Len(t, sessions, 1)
}

// matrixStrangers: somebody with an account there, who was not invited.
func matrixStrangers(t *testing.T, p *party) {
	eve := p.site.NewMatrixUser(t, "eve")
	var refusal *harness.MatrixError
	require.ErrorAs(t, eve.Join(t.Context(), p.matrixRoom), &refusal)
	require.Equal(t, http.StatusForbidden, refusal.Status)
	require.ErrorAs(t, eve.Say(t.Context(), p.matrixRoom, "1", "eve-1"), &refusal)
	events, err := eve.Timeline(t.Context(), p.matrixRoom)
	require.NoError(t, err)
	require.Empty(t, events)
	invite := p.carol.Call(t.Context(), http.MethodPost, "/rooms/"+url.PathEscape(p.matrixRoom)+"/invite", map[string]string{"user_id": eve.ID}, nil)
	require.ErrorAs(t, invite, &refusal, "a member cannot let others in past the session")
	require.Equal(t, http.StatusForbidden, refusal.Status)

	// Names that could be those of a room or a ghost: the answer is the same for what exists and what does not.
	for route, id := range map[string]string{"/directory/room/": "#mailroom_NAME:" + harness.Domain, "/profile/": "@mailroom_NAME:" + harness.Domain} {
		same(t, route+id, func(name string) any {
			path := route + url.PathEscape(strings.ReplaceAll(id, "NAME", name))
			var found json.RawMessage
			err := eve.Call(t.Context(), http.MethodGet, path, nil, &found)
			return strings.ReplaceAll(fmt.Sprint(string(found), err), name, "NAME")
		}, [2]string{p.session, uuid.NewString()}, [2]string{"bob=40mailbox.test", "nobody=40mailbox.test"})
	}
}

// same asks for what exists and for what does not, and wants equal answers.
func same(t *testing.T, what string, ask func(name string) any, pairs ...[2]string) {
	t.Helper()
	for _, pair := range pairs {
		require.Equal(t, ask(pair[1]), ask(pair[0]), "%s tells whether %s exists", what, pair[0])
	}
}

// xmppStrangers: somebody with an account on the same server, and somebody with one elsewhere.
func xmppStrangers(t *testing.T, p *party) {
	for _, eve := range []*harness.XMPPUser{p.site.NewXMPPUser(t, "eve"), p.site.NewForeignXMPPUser(t, "eve")} {
		_, host, _ := strings.Cut(p.xmppRoom, "@")
		pair := [2]string{p.session, uuid.NewString()}
		for _, stanza := range []string{
			`<presence id='%s' to='ROOM/eve'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
			`<presence id='%s' to='ROOM/dave'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
			`<presence id='%s' to='ROOM'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
			`<message id='%s' to='ROOM' type='groupchat'><body>eve-1</body></message>`,
			`<message id='%s' to='ROOM' type='groupchat'><subject>eve-1</subject></message>`,
			`<message id='%s' to='ROOM/dave' type='chat'><body>eve-1</body></message>`,
			`<iq id='%s' to='ROOM' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
			`<iq id='%s' to='ROOM' type='get'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>`,
			`<iq id='%s' to='ROOM/dave' type='get'><ping xmlns='urn:xmpp:ping'/></iq>`,
			`<iq id='%s' to='ROOM/dave' type='get'><vCard xmlns='vcard-temp'/></iq>`,
			`<iq id='%s' to='ROOM' type='get'><vCard xmlns='vcard-temp'/></iq>`,
			`<iq id='%s' to='ROOM' type='set'><query xmlns='urn:xmpp:mam:2'/></iq>`,
			`<iq id='%s' to='ROOM' type='get'><query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='member'/></query></iq>`,
			`<iq id='%s' to='ROOM' type='get'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>`,
		} {
			same(t, eve.JID+": "+stanza, func(name string) any {
				got, err := eve.Ask(t.Context(), strings.ReplaceAll(stanza, "ROOM", name+"@"+host))
				require.NoError(t, err, stanza)
				require.Equal(t, "error", got.Type, "%s is answered with %s", stanza, got.Inner)
				return strings.ReplaceAll(got.From+" "+got.Inner, name, "ROOM")
			}, pair)
		}
		got, err := eve.Ask(t.Context(), `<iq id='%s' to='`+host+`' type='get'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>`)
		require.NoError(t, err)
		require.NotContains(t, got.Inner, "<item ", "no room is listed")
	}
}

// webStrangers: a browser that knows the UUID and has no cookie, or a wrong one.
func webStrangers(t *testing.T, p *party) {
	pair := [2]string{p.session, uuid.NewString()}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, request := range []struct{ method, path, body string }{
		{http.MethodGet, "", ""},
		{http.MethodGet, "?before=5", ""},
		{http.MethodGet, "/events", ""},
		{http.MethodGet, "/events?wait=1", ""},
		{http.MethodGet, "/seen.png?seq=1", ""},
		{http.MethodPost, "/messages", "text=eve-1&client=client-eve-1&me=" + uuid.NewString()},
		{http.MethodPost, "/read", "seq=1"},
		{http.MethodPost, "/leave", ""},
		{http.MethodDelete, "", ""},
	} {
		for _, cookie := range []string{"", "mailroom=SESSION", "mailroom=" + p.session[:8] + strings.ToLower(rand.Text()), "mailroom=" + p.session[:8] + p.session} {
			for _, accept := range []string{"text/html", "application/json"} {
				header := maps.Clone(form)
				header.Set("Accept", accept)
				header.Set("Cookie", cookie)
				same(t, request.method+" "+request.path, func(session string) any {
					got := ask(t, request.method, p.site.URL+"/s/SESSION"+request.path, session, header, request.body)
					require.NotEqual(t, http.StatusOK, got.Status)
					return got
				}, pair)
			}
		}
	}
}

// apiStrangers: no bearer token, a wrong one, and one of somebody who is not in the session.
func apiStrangers(t *testing.T, p *party) {
	eve := p.site.Nodes[0].Run(t, "token", "create", "--as", "eve@"+harness.Domain)
	pair := [2]string{p.session, uuid.NewString()}
	for _, bearer := range []string{"", "Bearer " + rand.Text(), "Bearer " + eve} {
		header := http.Header{"Authorization": {bearer}}
		for _, request := range []struct{ method, path, body string }{
			{http.MethodGet, "", ""},
			{http.MethodGet, "/messages", ""},
			{http.MethodGet, "/events", ""},
			{http.MethodGet, "/transcript.txt", ""},
			{http.MethodGet, "/transcript.json", ""},
			{http.MethodPost, "/messages", `{"text":"eve-1"}`},
			{http.MethodPost, "/recipients", `{"recipients":["eve@example.org"]}`},
			{http.MethodDelete, "/recipients/" + uuid.NewString(), ""},
			{http.MethodPost, "/close", ""},
			{http.MethodPost, "/reopen", ""},
		} {
			same(t, request.method+" "+request.path, func(session string) any {
				got := ask(t, request.method, p.site.URL+"/api/v1/sessions/SESSION"+request.path, session, header, request.body)
				require.Contains(t, []int{http.StatusUnauthorized, http.StatusNotFound}, got.Status)
				return got
			}, pair)
		}
	}
	got := ask(t, http.MethodGet, p.site.URL+"/api/v1/sessions", nowhere, http.Header{"Authorization": {"Bearer " + eve}}, "")
	var list struct{ Sessions []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(got.Body), &list))
	require.Empty(t, list.Sessions)
}

// iconTellsNothing: the picture of a session that is there differs from that of a wrong token in its pixels alone.
func iconTellsNothing(t *testing.T, p *party, m harness.Mail) {
	require.NotEmpty(t, m.Icon)
	right := ask(t, http.MethodGet, m.Icon, nowhere, nil, "")
	wrong := ask(t, http.MethodGet, p.site.URL+"/i/"+guess(m.Icon)+".png", nowhere, nil, "")
	require.Equal(t, http.StatusOK, wrong.Status)
	require.Equal(t, right.Status, wrong.Status)
	require.Equal(t, right.Header, wrong.Header)
	require.Len(t, wrong.Body, len(right.Body))
	for _, path := range []string{"/i/SESSION.png", "/i/SESSION"} {
		same(t, path, func(session string) any { return ask(t, http.MethodGet, p.site.URL+path, session, nil, "") }, [2]string{p.session, uuid.NewString()})
	}
}

// guess is a token of the right form that is nobody's: the last one in the text, with another ending.
func guess(text string) string {
	fields := strings.FieldsFunc(text, func(c rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz234567", c) })
	slices.SortFunc(fields, func(a, b string) int { return len(b) - len(a) })
	token := []byte(fields[0])
	for i := len(token) - 8; i < len(token); i++ {
		token[i] = "abcdefghijklmnopqrstuvwxyz234567"[(int(token[i])*7+3)%32]
	}
	return string(token)
}

// mailStrangers: mail that nobody signed, from somebody who may not start sessions, to a token that is nobody's, and to
// Bob's own from somebody else.
func mailStrangers(t *testing.T, p *party, invitation harness.Mail) {
	eve := p.site.NewCorrespondent(t, "eve@elsewhere.test", "Eve")
	forged := p.alice.Write("Forged", "eve-1", harness.NewSession, harness.Bob).Unsigned()
	refusedMail(t, p.site.Send(forged))
	refusedMail(t, p.site.Send(eve.Write("Not allowed", "eve-1", harness.NewSession, harness.Bob)))

	guessed := invitation
	guessed.ReplyTo = "r-" + guess(invitation.ReplyTo) + "@" + harness.MailDomain
	refusedMail(t, p.site.Send(p.bob.Answer(guessed, "bob-9")))
	guessed.ReplyTo = "s-" + p.session + "@" + harness.MailDomain
	refusedMail(t, p.site.Send(p.bob.Answer(guessed, "bob-9")))

	// A forged answer to Bob's address is refused by his domain's policy; one from another address waits for Bob's word.
	refusedMail(t, p.site.Send(p.bob.Answer(invitation, "bob-9").Unsigned()))
	require.NoError(t, p.site.Send(eve.Answer(invitation, "eve-1")))
	question := p.bob.Mail(t, 1)
	require.Contains(t, question.Text, "eve@elsewhere.test")
	require.Contains(t, question.Link, "/c/")
	require.Empty(t, eve.Mails(), "who writes to an address that leaked gets no answer")
}

func refusedMail(t *testing.T, err error) {
	t.Helper()
	var refusal *textproto.Error
	require.ErrorAs(t, err, &refusal)
	require.GreaterOrEqual(t, refusal.Code, 550, refusal.Msg)
}

// guessedTokens: every address with a token in it answers all wrong ones alike, and stops answering who tries too many.
func guessedTokens(t *testing.T, p *party) {
	link := p.bob.Mail(t, 0).Link
	token := guess(link)
	for _, path := range []string{"/j/", "/c/", "/u/"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			got := ask(t, method, p.site.URL+path+token, token, nil, "")
			require.Contains(t, []int{http.StatusNotFound, http.StatusForbidden}, got.Status, path)
			require.NotContains(t, got.Body, subject)
		}
	}
	guesser := http.Header{"X-Forwarded-For": {elsewhere()}}
	harness.Eventually(t, func() error {
		if got := ask(t, http.MethodGet, p.site.URL+"/j/"+token, token, guesser, ""); got.Status != http.StatusTooManyRequests {
			return fmt.Errorf("a guess is answered with %d", got.Status)
		}
		return nil
	})
}

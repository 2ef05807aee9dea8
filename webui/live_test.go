package webui

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

func TestInvitedPersonJoinsAndTalks(t *testing.T) {
	fake := newFake()
	room, alice, bob, _, _ := plan(fake)
	fake.say(room, alice, bridge.Mail, text("Shall we meet at ten?"))
	site := newSite(t, fake)
	p := newProfile(t)
	p.join(site, "bob")
	require.Equal(t, sessionURL(site, room.Session.ID), eval[string](p, "location.href"), "the token must leave the address bar")
	p.sees("Shall we meet at ten?")
	p.say("Ten is fine.\nI bring cake.")
	p.sees("Shall we meet at ten?", "Ten is fine.I bring cake.")
	p.shows(".own[data-seq]")
	log := fake.records(room.Session.ID)
	last := log[len(log)-1]
	require.Equal(t, "Ten is fine.\nI bring cake.", last.Body.Text)
	require.Equal(t, bob.ID, last.Member)
}

func TestTwoBrowsersSeeEachOther(t *testing.T) {
	fake := newFake()
	plan(fake)
	site := newSite(t, fake)
	bob, carol := newProfile(t).join(site, "bob"), newProfile(t).join(site, "carol")
	bob.say("Hello Carol")
	carol.sees("Hello Carol")
	carol.say("Hello Bob")
	bob.sees("Hello Carol", "Hello Bob")
	require.Equal(t, []string{"Carol"}, bob.texts(".message:not(.own) .name"))
	bob.eventually(func() bool { return len(bob.texts("#people .person:not(.waiting)")) == 3 }, "Alice, Bob and Carol are here")
}

func TestPageWorksWithoutScript(t *testing.T) {
	fake := newFake()
	room, alice, bob, _, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).withoutScript()
	p.join(site, "bob")
	p.say("No script here")
	p.sees("No script here")
	fake.say(room, alice, bridge.Mail, text("Welcome"))
	p.click("noscript a")
	p.sees("No script here", "Welcome")
	p.eventually(func() bool { return fake.readSeq(room.Session.ID, bob.ID) == int64(len(fake.records(room.Session.ID))) }, "what was shown is read")
	p.click(".menu summary")
	p.click(".menu .leave summary")
	p.click(".menu .leave button")
	p.eventually(func() bool { return equal(p.texts("h1"), []string{"You left"}) }, "the goodbye page")
}

func TestStreamComesBackAfterARestart(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	fake.say(room, alice, bridge.Mail, text("one"))
	p.sees("one")
	site.stop()
	fake.say(room, alice, bridge.Mail, text("two"))
	site.start()
	fake.say(room, alice, bridge.Mail, text("three"))
	p.sees("one", "two", "three")
}

// between is a site behind something that meddles with the streams; meddle says if it has answered.
func between(t *testing.T, fake *fakeService, meddle func(w http.ResponseWriter, r *http.Request) bool) *site {
	t.Helper()
	next := handler(t, fake, func(c *Config) { c.PublicURL = "http://127.0.0.1" })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isStream := strings.HasSuffix(r.URL.Path, "/events") && !r.URL.Query().Has("wait")
		if !isStream || !meddle(w, r) {
			next.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.CloseClientConnections)
	return &site{t: t, fake: fake, url: server.URL}
}

// A browser's own EventSource gives up for ever after one 503.
func TestStreamSurvivesA503(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	var refused atomic.Int32
	site := between(t, fake, func(w http.ResponseWriter, _ *http.Request) bool {
		if refused.Add(1) > 2 {
			return false
		}
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return true
	})
	p := newProfile(t).join(site, "bob")
	p.eventually(func() bool { return refused.Load() > 2 }, "the page tries again")
	fake.say(room, alice, bridge.Mail, text("through"))
	p.sees("through")
}

func TestPageFallsBackToLongPollsWhereNoStreamGetsThrough(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	site := between(t, fake, func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done() // a proxy that keeps everything until the end
		return true
	})
	p := newProfile(t).join(site, "bob")
	fake.say(room, alice, bridge.Mail, text("one"))
	p.sees("one")
	fake.say(room, alice, bridge.Mail, text("two"))
	p.sees("one", "two")
}

func TestMessageIsSentAfterA503(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	fake.fail(errDatabase)
	p.say("Do not lose me")
	p.shows(".failed .state button")
	p.say("Nor me")
	fake.fail(nil)
	// The page tries again by itself, too: then there is no button any more.
	eval[bool](p, `(document.querySelector(".failed .state button")?.click(), true)`)
	p.eventually(func() bool { return len(p.texts(".own[data-seq]")) == 2 }, "both are sent")
	p.sees("Do not lose me", "Nor me")
	var said []string
	for _, r := range fake.records(room.Session.ID) {
		if r.Kind == bridge.KindMessage {
			said = append(said, r.Body.Text)
		}
	}
	require.Equal(t, []string{"Do not lose me", "Nor me"}, said)
}

// HTTP/1.1 gives a browser six connections: without one stream for all tabs, the eighth could not send.
func TestEightTabsCanSend(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	site := newSite(t, fake)
	first := newProfile(t).join(site, "bob")
	tabs := []*profile{first}
	for range 7 {
		tab := first.tab()
		tab.visit(sessionURL(site, room.Session.ID))
		tabs = append(tabs, tab)
	}
	tabs[7].say("from the last tab")
	for _, tab := range tabs {
		tab.sees("from the last tab")
	}
}

func TestScrolledUpReaderStaysWhereTheyAre(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	for range 40 {
		fake.say(room, alice, bridge.Mail, text("A line to fill the window"))
	}
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	p.eventually(func() bool { return eval[float64](p, `document.getElementById("log").scrollTop`) == 0 }, "the page begins at its end")
	const topOfTenth = `document.querySelectorAll(".message")[20].getBoundingClientRect().top`
	eval[float64](p, `document.getElementById("log").scrollTop = -600`)
	before := eval[float64](p, topOfTenth)
	fake.say(room, alice, bridge.Mail, text("Something new"))
	p.shows("#jump")
	require.InDelta(t, before, eval[float64](p, topOfTenth), 1)
	p.click("#jump")
	p.eventually(func() bool { return eval[float64](p, `document.getElementById("log").scrollTop`) == 0 }, "back at the end")
}

func TestEarlierMessagesAreBehindALink(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	fake.say(room, alice, bridge.Mail, text("the very first"))
	for range pageWindow {
		fake.say(room, alice, bridge.Mail, text("later"))
	}
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	require.NotContains(t, p.texts(".message .text"), "the very first")
	p.click("#earlier")
	p.eventually(func() bool { m := p.texts(".message .text"); return len(m) > 0 && m[0] == "the very first" }, "the older page")
	p.click("#newest a")
	p.shows("#composer")
}

func TestPageKeepsAtMostTwoHundredEntries(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	for range 250 {
		fake.say(room, alice, bridge.Mail, text("many"))
	}
	fake.say(room, alice, bridge.Mail, text("the last"))
	p.eventually(func() bool { m := p.texts(".message .text"); return len(m) > 0 && m[len(m)-1] == "the last" }, "the last message")
	require.Equal(t, 200, eval[int](p, `document.querySelectorAll("[data-seq]").length`))
	p.click("#earlier")
	p.shows("#newest a")
}

func TestRevokedReaderIsToldAndCannotWrite(t *testing.T) {
	fake := newFake()
	room, alice, bob, _, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	require.NoError(t, fake.Revoke(t.Context(), room.Session.ID, bridge.Identity{Grant: alice.Grant.ID}, bob.ID, false))
	p.eventually(func() bool { return len(p.texts("#composer")) == 0 }, "no box any more")
	require.Contains(t, p.texts("#status")[0], "no longer open")
}

func TestDraftOutlivesTheEndOfTheSession(t *testing.T) {
	fake := newFake()
	room, alice, bob, _, _ := plan(fake)
	site := newSite(t, fake)
	initiator := bridge.Identity{Grant: alice.Grant.ID}
	p := newProfile(t).join(site, "bob")
	p.fill("#text", "half a thought")
	draft := func() string { return eval[string](p, `document.getElementById("text")?.value ?? ""`) }
	status := func(part string) func() bool {
		return func() bool { s := p.texts("#status"); return len(s) == 1 && strings.Contains(s[0], part) }
	}

	require.NoError(t, fake.Close(t.Context(), room.Session.ID, initiator))
	p.eventually(status("This session is closed."), "the page says why")
	p.eventually(status("What you have not sent is still here"), "and that nothing is lost")
	require.Equal(t, "half a thought", draft())
	require.True(t, eval[bool](p, `document.getElementById("text").readOnly && document.getElementById("send").disabled`))
	eval[bool](p, `(document.getElementById("composer").requestSubmit(), true)`)
	require.Empty(t, p.texts(".own"))

	require.NoError(t, fake.Reopen(t.Context(), room.Session.ID, initiator))
	p.eventually(func() bool { return !eval[bool](p, `document.getElementById("text").readOnly`) }, "writing goes on")
	p.fill("#text", ", finished")
	require.NoError(t, fake.Revoke(t.Context(), room.Session.ID, initiator, bob.ID, false))
	p.eventually(status("no longer open to you"), "the page says why")
	require.Equal(t, "half a thought, finished", draft())
}

func TestMessageInTheQueueOutlivesTheEndOfTheSession(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	fake.fail(errDatabase)
	p.say("too late")
	p.shows(".failed")
	fake.fail(nil)
	require.NoError(t, fake.Close(t.Context(), room.Session.ID, bridge.Identity{Grant: alice.Grant.ID}))
	p.eventually(func() bool { return eval[bool](p, `document.getElementById("text")?.readOnly ?? false`) }, "writing has ended")
	p.sees("too late")
}

func TestPageWithoutADraftTurnsIntoAClosedOne(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	require.NoError(t, fake.Close(t.Context(), room.Session.ID, bridge.Identity{Grant: alice.Grant.ID}))
	p.eventually(func() bool { return len(p.texts("#log")) == 1 && len(p.texts("#composer")) == 0 }, "the box is gone")
}

func TestTooLongAMessageIsToldBeforeItIsSent(t *testing.T) {
	fake := newFake()
	room, _, _, _, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	write := func(script string) string { // pastes, and returns what the page says of it
		return eval[string](p, `((box) => { box.value = `+script+`; box.dispatchEvent(new Event("input")); return box.validationMessage; })(document.getElementById("text"))`)
	}
	require.Contains(t, write(`"語".repeat(30_000)`), "at most 64 KB")
	p.click("#send")
	require.Empty(t, p.texts(".own"), "nothing goes")
	require.Equal(t, 30_000, eval[int](p, `document.getElementById("text").value.length`), "and nothing is cut")
	require.Empty(t, write(`"x".repeat(60_000)`))
	p.click("#send")
	p.shows(".own[data-seq]")
	log := fake.records(room.Session.ID)
	require.Len(t, log[len(log)-1].Body.Text, 60_000)
}

// hear keeps in window.said what the page tells a screen reader.
func hear(p *profile) {
	p.t.Helper()
	eval[bool](p, `(window.said = [], new MutationObserver((list) => { for (const m of list) for (const n of m.addedNodes) window.said.push(n.textContent); })
		.observe(document.getElementById("announcer"), { childList: true }), true)`)
}

func TestFailedMessageIsHeardAndHoldsThePage(t *testing.T) {
	fake := newFake()
	plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	hear(p)
	asks := func() bool { // if leaving the page asks first
		return eval[bool](p, `!dispatchEvent(new Event("beforeunload", { cancelable: true }))`)
	}
	require.False(t, asks())
	fake.fail(errDatabase)
	p.say("Do not lose me")
	p.shows(".failed")
	require.Equal(t, []string{"Not sent."}, eval[[]string](p, "window.said"))
	require.True(t, asks(), "the message is nowhere but here")
	fake.fail(nil)
	eval[bool](p, `(document.querySelector(".failed .state button")?.click(), true)`)
	p.shows(".own[data-seq]")
	p.eventually(func() bool { return !asks() }, "nothing is held any more")
}

func TestOthersMessagesAreAnnouncedOnce(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	hear(p)
	fake.say(room, alice, bridge.Mail, text("Listen"))
	p.sees("Listen")
	p.say("I do")
	p.shows(".own[data-seq]")
	require.Equal(t, []string{"Alice: Listen"}, eval[[]string](p, "window.said"))
}

func TestMessageHTMLIsShownAndCannotRun(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	fake.say(room, alice, bridge.Mail, bridge.Body{Text: "bold", HTML: "<p>so <strong>bold</strong></p>"})
	p.shows(".message strong")
	fake.say(room, alice, bridge.Mail, text(`<img src=x onerror="document.title='owned'">`))
	p.sees("so bold", `<img src=x onerror="document.title='owned'">`)
	require.Equal(t, "Friday plan", eval[string](p, "document.title.replace(/^\\(\\d+\\) /, '')"))
}

func TestOtherPersonsLinkInTheSameBrowserIsNoticed(t *testing.T) {
	fake := newFake()
	room, _, _, carol, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	second := p.tab()
	second.visit(site.url + "/j/join-carol")
	require.Contains(t, second.texts(".note")[0], "as Bob")
	second.click("form .button")
	second.shows("#composer")
	p.say("Who am I?")
	p.shows(".failed, #composer")
	for _, r := range fake.records(room.Session.ID) {
		require.False(t, r.Kind == bridge.KindMessage && r.Member == carol.ID, "nothing is said in a wrong name")
	}
}

func TestOnlyAPageThatIsLookedAtMarksAsRead(t *testing.T) {
	fake := newFake()
	room, alice, bob, _, _ := plan(fake)
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	seen := fake.say(room, alice, bridge.Mail, text("looked at"))
	p.eventually(func() bool { return fake.readSeq(room.Session.ID, bob.ID) == seen.Seq }, "the mark follows")
	eval[bool](p, `(Object.defineProperty(document, "hidden", { configurable: true, get: () => true }), true)`)
	fake.say(room, alice, bridge.Mail, text("in a hidden tab"))
	p.eventually(func() bool { return eval[string](p, "document.title") == "(1) Friday plan" }, "the title counts it")
	require.Equal(t, seen.Seq, fake.readSeq(room.Session.ID, bob.ID))
	eval[bool](p, `(delete document.hidden, document.dispatchEvent(new Event("visibilitychange")), true)`)
	p.eventually(func() bool { return fake.readSeq(room.Session.ID, bob.ID) == seen.Seq+1 }, "back again, it is read")
	require.Equal(t, "Friday plan", eval[string](p, "document.title"))
}

func TestFirstLoadIsSmall(t *testing.T) {
	fake := newFake()
	room, alice, _, _, _ := plan(fake)
	for range pageWindow {
		fake.say(room, alice, bridge.Mail, text("A message of the usual length, of which there are as many as a page shows."))
	}
	site := newSite(t, fake)
	p := newProfile(t).join(site, "bob")
	const files = `[performance.getEntriesByType("navigation")[0], ...performance.getEntriesByType("resource").filter((e) => e.name.includes("/static/"))]`
	require.LessOrEqual(t, eval[int](p, `new Set(`+files+`.map((e) => e.name)).size`), 6)
	require.LessOrEqual(t, eval[int](p, files+`.reduce((sum, e) => sum + e.encodedBodySize, 0)`), 40<<10)
}

package webui

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

// shown waits until an element's text has a part.
func (p *profile) shown(css, part string) {
	p.t.Helper()
	p.eventually(func() bool { return strings.Contains(strings.Join(p.texts(css), "\n"), part) }, "%s must say %q", css, part)
}

func TestTypingAndBeingHereAreShownToWhomThePersonLets(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"), guest(dora, "Dora"))
	require.NoError(t, core.SetPresence(t.Context(), as(bob), bridge.SeenByChosen, []bridge.Address{dora}))
	site := core.serve()
	bobs, doras, alices := core.browser(site, id, bob), core.browser(site, id, dora), core.browser(site, id, alice)
	bobs.fill("#text", "I am thinking")
	doras.shown("#typing", "Bob is typing…")
	doras.shows("#people .dot:not([hidden])")
	require.Equal(t, "off", eval[string](doras, `document.getElementById("typing").ariaLive`))
	bobs.click("#send")
	doras.shown(".message .text", "I am thinking")
	doras.eventually(func() bool { return equal(doras.texts("#typing"), []string{""}) }, "what was sent is not typed any more")
	alices.shown(".message .text", "I am thinking")
	require.Equal(t, []string{""}, alices.texts("#typing"))
	require.Empty(t, alices.texts("#people .dot:not([hidden])"), "she is not among the chosen")
	bobs.fill("#text", "and again")
	doras.shown("#typing", "Bob is typing…")
	doras.eventually(func() bool { return equal(doras.texts("#typing"), []string{""}) }, "without input it ends by itself")
}

// Being here is a gesture: an open page, a script, a message that comes are none.
func TestOnlyARealGestureSaysThatSomebodyIsHere(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	core.sees(bridge.SeenByEveryone, bob)
	site := core.serve()
	p := newProfile(t)
	p.visit(site + core.link(id, bob))
	eval[bool](p, `(document.querySelector("form .button").form.submit(), true)`)
	p.shows("#composer")
	for range 3 {
		core.say(id, alice, "Hello?")
	}
	eval[bool](p, `(dispatchEvent(new PointerEvent("pointerdown")), dispatchEvent(new KeyboardEvent("keydown")), document.getElementById("log").scrollTop = -50, true)`)
	p.eventually(func() bool { return len(p.texts(".message")) == 4 }, "the messages are there")
	signs := func() []bridge.Signs {
		t.Helper()
		signs, err := core.Signals(context.Background(), id, as(alice))
		require.NoError(t, err)
		return signs
	}
	require.Empty(t, signs())
	p.do(chromedp.MouseClickXY(600, 400))
	p.eventually(func() bool { s := signs(); return len(s) == 1 && s[0].Here }, "a click is a gesture")
	p.visit("about:blank")
	p.eventually(func() bool { return len(signs()) == 0 }, "who leaves the page is not here")
}

func TestWhatIsTakenAwayLeavesTheOpenPage(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"), guest(dora, "Dora"))
	core.say(id, bob, "rude words")
	site := core.serve()
	p := core.browser(site, id, dora)
	core.say(id, bob, "more of it")
	p.shown(".message .text", "more of it")
	require.NoError(t, core.Revoke(t.Context(), id, as(alice), core.member(id, bob).ID, true))
	p.sees("first words of Friday plan", "This message was taken away", "This message was taken away")
	p.shown(".quiet-line", "Alice took away what Bob said")
	require.NotContains(t, eval[string](p, "document.documentElement.outerHTML"), "rude words")
	_, err := core.Erase(t.Context(), bridge.Identity{Admin: true}, alice)
	require.NoError(t, err)
	p.sees("This message was taken away", "This message was taken away", "This message was taken away")
	p.eventually(func() bool { n := p.texts(".message .name"); return len(n) == 3 && !strings.Contains(n[0], "Alice") }, "the name is erased, too")
}

func TestARevokedReaderIsToldAndSeesNothingMore(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	p := core.browser(core.serve(), id, bob)
	p.shown(".message .text", "first words")
	began := time.Now()
	require.NoError(t, core.Revoke(t.Context(), id, as(alice), core.member(id, bob).ID, false))
	p.shown("#status", "Your invitation to this session was taken back")
	require.Less(t, time.Since(began), 3*time.Second)
	require.Empty(t, p.texts("#composer"))
	require.Empty(t, p.texts(".message"), "revocation ends reading")
	require.Empty(t, p.texts(".person"))
}

func TestOffTheRecordTheOpenPageForgetsWhenItIsOver(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{OffRecord: true}, guest(bob, "Bob"))
	p := core.browser(core.serve(), id, bob)
	p.shown("#notices", "Off the record")
	p.fill("#text", "half a thought")
	require.NoError(t, core.Close(t.Context(), id, as(alice)))
	p.shown("#status", "This session was off the record and has ended.")
	require.NotContains(t, eval[string](p, "document.body.outerHTML"), "first words")
	require.Equal(t, "half a thought", eval[string](p, `document.getElementById("text").value`), "it was never sent")
}

func TestTheInitiatorManagesWhileTheDraftStays(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	site := core.serve()
	p, bobs := core.browser(site, id, alice), core.browser(site, id, bob)
	p.fill("#text", "half a thought")
	p.click(".menu > summary")
	p.click(".invite summary")
	p.fill(".invite [name=address]", "nobody")
	p.click(".invite button")
	p.shown(".invite [role=status]", "That is not an address.")
	p.fill(".invite [name=address]", "@example.test")
	p.click(".invite button")
	p.shown("#people", "nobody@example.test")
	p.click(".menu > summary")
	p.click(".options summary")
	p.click(".options [name=members_invite]")
	p.click(".options button")
	p.shown(".options [role=status]", "Saved.")
	bobs.shown(".quiet-line", "Alice changed what this session allows")
	bobs.eventually(func() bool { return !eval[bool](bobs, `document.querySelector(".menu .invite").hidden`) }, "he may invite now")
	p.do(chromedp.KeyEvent("\u001b")) // Escape closes the menu
	p.click(`[data-member="` + core.member(id, bob).ID.String() + `"] .person-menu summary`)
	p.click(".person-menu[open] [value=away]")
	p.click(".person-menu[open] button")
	p.eventually(func() bool { return len(p.texts("#people .person")) == 2 }, "Bob is gone")
	require.Equal(t, "half a thought", eval[string](p, `document.getElementById("text").value`))
	bobs.shown("#status", "taken back")
}

func TestManagingWorksWithoutScript(t *testing.T) {
	core := newCore(t)
	id := core.plan(bridge.Options{}, guest(bob, "Bob"))
	core.say(id, bob, "rude words")
	p := newProfile(t).withoutScript()
	p.visit(core.serve() + core.link(id, alice))
	p.click("form .button")
	p.shows("#composer")
	p.click("#people .person-menu:not([hidden]) summary")
	p.click(".person-menu[open] [value=away]")
	p.click(".person-menu[open] button")
	p.shown(".message .text", "This message was taken away")
	p.click(".menu > summary")
	p.click(".menu .close summary")
	p.click(".menu .close button")
	p.shown(".foot", "This session is closed.")
}

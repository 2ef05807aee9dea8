package webui

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

var screenshots = flag.String("screenshots", "", "write the pictures of the pages into this folder, as docs/screenshots")

// maxPicture is the most bytes that a picture in the documentation has.
const maxPicture = 150_000

// Every page must fit the window that it is shown in; with -screenshots the pictures are kept.
func TestPagesFitEveryWindow(t *testing.T) {
	fake := newFake()
	talk(fake)
	site := newSite(t, fake)
	for _, shot := range []struct {
		name, path    string
		width, height int64
		dark          bool
	}{
		{"join", "", 1100, 760, false},
		{"session", "session", 1200, 800, false},
		{"session-dark", "session", 1200, 800, true},
		{"session-phone", "session", 390, 780, false},
	} {
		t.Run(shot.name, func(t *testing.T) {
			p := newProfile(t)
			p.do(chromedp.EmulateViewport(shot.width, shot.height))
			if shot.dark {
				dark(p)
			}
			if shot.path == "session" {
				p.join(site, "bob")
				p.shows(".own")
			} else {
				p.visit(site.url + "/j/join-bob")
			}
			require.LessOrEqual(t, eval[int](p, "document.documentElement.scrollWidth"), int(shot.width))
			keep(t, p, shot.name)
		})
	}
}

func dark(p *profile) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	require.NoError(p.t, err)
}

func keep(t *testing.T, p *profile, name string) {
	t.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	require.Less(t, len(picture), maxPicture)
	if *screenshots != "" {
		require.NoError(t, os.WriteFile(filepath.Join(*screenshots, name+".png"), picture, 0o644))
	}
}

// talk is a conversation that is worth showing.
func talk(fake *fakeService) *bridge.Room {
	today := time.Now().Truncate(24 * time.Hour)
	fake.now = today.Add(-6*time.Hour - 48*time.Minute)
	room := fake.open("Summer fair: who brings what?", someone("Alice Berger", "alice@example.org"), someone("Bob", "bob@client.test"),
		someone("Chidi Okafor", "@chidi:example.org"), someone("Dalia", "xmpp:dalia@school.test"), someone("Emil", "emil@bakery.test"))
	alice, bob, chidi, dalia := room.Members[0], room.Members[1], room.Members[2], room.Members[3]
	at := func(d time.Duration) { fake.mu.Lock(); fake.now = today.Add(d); fake.mu.Unlock() }
	in := func(m bridge.Member) {
		if _, _, err := fake.Join(context.Background(), room.Session.ID, bridge.Identity{Grant: m.Grant.ID}); err != nil {
			panic(err)
		}
	}
	fake.say(room, alice, bridge.Mail, text("Hello everybody,\n\nthe fair is on Saturday at ten. Who brings what? I have the tables and the big tent."))
	at(-5*time.Hour - 41*time.Minute)
	in(chidi)
	fake.say(room, chidi, bridge.Matrix, text("I bring the coffee machine ☕ and my brother."))
	fake.say(room, chidi, bridge.Matrix, text("He says he can carry things."))
	at(-3*time.Hour - 20*time.Minute)
	in(dalia)
	fake.say(room, dalia, bridge.XMPP, text("سأحضر العصير والأكواب من المدرسة."))
	at(9*time.Hour + 12*time.Minute)
	in(bob)
	fake.say(room, bob, bridge.Web, text("I can do two trays of cake, one of them without nuts."))
	fake.say(room, bob, bridge.Web, text("What time may we set up?"))
	at(9*time.Hour + 31*time.Minute)
	fake.say(room, alice, bridge.Mail, bridge.Body{Text: "From eight on.", HTML: "<p>From <strong>eight</strong> on. The plan of the square is here: " +
		`<a href="https://fair.example.org/plan" target="_blank" rel="noopener nofollow noreferrer">fair.example.org/plan</a></p>`})
	at(9*time.Hour + 34*time.Minute)
	fake.say(room, chidi, bridge.Matrix, text("Eight is fine. I will be there with the van."))
	fake.say(room, bob, bridge.Web, text("Perfect, see you on Saturday!"))
	return room
}

// The pages of privacy, over the real core: as the initiator and as a guest, on and off the record.
func TestPagesOfPrivacyFitEveryWindow(t *testing.T) {
	for _, shot := range []struct {
		name          string
		options       bridge.Options
		who           bridge.Address
		width, height int64
		dark          bool
		open          []string
	}{
		{"session-off-record", bridge.Options{OffRecord: true}, bob, 1200, 800, false, nil},
		{"session-off-record-phone", bridge.Options{OffRecord: true, HideAddresses: true}, bob, 390, 780, true, nil},
		{"session-manage", bridge.Options{}, alice, 1200, 800, false, []string{".menu > summary", ".options summary"}},
		{"session-manage-phone", bridge.Options{}, alice, 390, 780, false, []string{"#people .person:nth-child(2) .person-menu summary"}},
		{"session-remove", bridge.Options{KeepFor: 72 * time.Hour, HideAddresses: true}, alice, 1200, 800, true, []string{"#people .person:nth-child(2) .person-menu summary"}},
	} {
		t.Run(shot.name, func(t *testing.T) {
			core := newCore(t)
			id := core.plan(shot.options, guest(bob, "Bob"), guest(dora, "Dora"), bridge.Invitee{Address: bridge.EmailAddress("emil@bakery.test"), Name: "Emil", Blind: true})
			core.say(id, bob, "Ten is fine. I bring cake.")
			core.say(id, dora, "And I the coffee.")
			core.sees(bridge.SeenByEveryone, dora)
			p := newProfile(t)
			p.do(chromedp.EmulateViewport(shot.width, shot.height))
			if shot.dark {
				dark(p)
			}
			p.visit(core.serve() + core.link(id, shot.who))
			p.click("form .button")
			p.shows("#composer")
			require.NoError(t, core.Signal(t.Context(), id, as(dora), bridge.Here, true))
			require.NoError(t, core.Signal(t.Context(), id, as(dora), bridge.Typing, true))
			p.shown("#typing", "Dora is typing…")
			for _, css := range shot.open {
				p.click(css)
			}
			require.LessOrEqual(t, eval[int](p, "document.documentElement.scrollWidth"), int(shot.width))
			keep(t, p, shot.name)
		})
	}
}

package harness

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// chromium is one running browser for all tests of a package; each Browser has a profile of its own in it.
var chromium struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

func startChromium() {
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.NoSandbox)...)
	ctx, end := chromedp.NewContext(allocator)
	chromium.ctx, chromium.stop = ctx, func() { end(); stop() }
	chromium.err = chromedp.Do(ctx)
}

func closeChromium() {
	if chromium.stop != nil {
		chromium.stop()
	}
}

// Browser is a person who has the page open in Chromium.
type Browser struct {
	t   *testing.T
	ctx context.Context
}

// NewBrowser opens the link of a mail, presses the button, and types the code if one was mailed.
func (s *Site) NewBrowser(t *testing.T, link string) *Browser {
	t.Helper()
	chromium.once.Do(startChromium)
	require.NoError(t, chromium.err, "chromium does not start: apt-get install chromium")
	ctx, cancel := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	b := &Browser{t, ctx}
	// The first step opens the tab, which ends with the context of that step: it must be the tab's own.
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1200, 800)))
	b.do(chromedp.Navigate(link), chromedp.Click(chromedp.CSS("form .button")), chromedp.WaitVisible(chromedp.CSS("#composer, "+codeBox)))
	if b.count(codeBox) > 0 {
		b.do(chromedp.SendKeys(chromedp.CSS(codeBox), s.code(t, link)), chromedp.Click(chromedp.CSS("form .button")),
			chromedp.WaitVisible(chromedp.CSS("#composer")))
	}
	return b
}

// codeBox is where a code is typed.
const codeBox = "input[name=code]"

// count is how many elements there are.
func (b *Browser) count(selector string) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	n, err := chromedp.Run(ctx, chromedp.Evaluate[int]("document.querySelectorAll("+strconv.Quote(selector)+").length"))
	require.NoError(b.t, err)
	return n
}

func (b *Browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, steps...))
}

// Say types a text and presses the button.
func (b *Browser) Say(text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS("#text"), text), chromedp.Click(chromedp.CSS("#send")))
}

// Ended says that the page offers nothing to write in any more.
func (b *Browser) Ended() bool {
	b.t.Helper()
	return b.count("#composer:not([hidden]) #text:not([disabled])") == 0
}

// Seen is what was said, as the page shows it: without what the server has not confirmed yet.
func (b *Browser) Seen() []string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	texts, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](
		`[...document.querySelectorAll("#entries > .message[data-seq] .text")].map((e) => e.textContent.trim())`))
	require.NoError(b.t, err)
	return texts
}

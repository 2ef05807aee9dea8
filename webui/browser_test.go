package webui

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for something to appear.
const patience = 20 * time.Second

// chromium is one running browser for all tests; each test opens profiles of its own in it.
var chromium context.Context

func TestMain(m *testing.M) {
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.NoSandbox)...)
	var end context.CancelFunc
	chromium, end = chromedp.NewContext(allocator)
	code := m.Run()
	end()
	stop()
	os.Exit(code)
}

// profile is a browser with cookies of its own and one tab.
type profile struct {
	t   *testing.T
	ctx context.Context
}

func newProfile(t *testing.T) *profile {
	t.Helper()
	require.NoError(t, chromedp.Do(chromium), "chromium must start: apt-get install chromium")
	return open(t, chromium, chromedp.WithNewBrowserContext())
}

func open(t *testing.T, parent context.Context, options ...chromedp.ContextOption) *profile {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx)) // without a deadline: the tab lives as long as the context of its first call
	p := &profile{t, ctx}
	p.do(chromedp.EmulateViewport(1200, 800))
	return p
}

// tab opens one more tab with the same cookies.
func (p *profile) tab() *profile {
	p.t.Helper()
	return open(p.t, p.ctx)
}

// withoutScript switches scripts off.
func (p *profile) withoutScript() *profile {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(p.t, err)
	return p
}

func (p *profile) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, steps...))
}

func (p *profile) visit(url string) { p.t.Helper(); p.do(chromedp.Navigate(url)) }

func (p *profile) click(css string) { p.t.Helper(); p.do(chromedp.Click(chromedp.CSS(css))) }

func (p *profile) fill(css, text string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS(css), text))
}

// join opens the link in somebody's mail and presses the button.
func (p *profile) join(s *site, name string) *profile {
	p.t.Helper()
	p.visit(s.url + "/j/join-" + name)
	p.click("form .button")
	p.shows("#composer")
	return p
}

// say writes into the box and presses Send.
func (p *profile) say(text string) {
	p.t.Helper()
	p.fill("#text", text)
	p.click("#send")
}

func (p *profile) shows(css string) { p.t.Helper(); p.do(chromedp.WaitVisible(chromedp.CSS(css))) }

// texts is the text of every element that the selector finds; none while the page is between two documents.
func (p *profile) texts(css string) []string {
	p.t.Helper()
	texts, err := try[[]string](p, `[...document.querySelectorAll("`+css+`")].map((e) => e.textContent.trim())`)
	if err != nil {
		return nil
	}
	return texts
}

// sees waits until the messages of the page are these, in this order.
func (p *profile) sees(messages ...string) {
	p.t.Helper()
	p.eventually(func() bool { return equal(p.texts(".message .text"), messages) }, "messages: %q", messages)
}

func (p *profile) eventually(condition func() bool, what string, args ...any) {
	p.t.Helper()
	// Not require.Eventually: it runs the condition on another goroutine, where no test may fail.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-tick.C {
		require.Truef(p.t, time.Now().Before(deadline), what, args...)
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func eval[T any](p *profile, script string) T {
	p.t.Helper()
	value, err := try[T](p, script)
	require.NoError(p.t, err)
	return value
}

func try[T any](p *profile, script string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

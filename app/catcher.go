package app

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mailroom/bridge"
	"mailroom/mailout"
	"mailroom/webui"

	"github.com/jhillyerd/enmime/v2"
)

// catcher keeps outgoing mail in a folder instead of sending it, for people
// who try Mailroom on their own machine.
type catcher struct {
	dir    string
	render *mailout.Sender
}

func newCatcher(dir string, render *mailout.Sender) (*catcher, error) {
	return &catcher{dir, render}, os.MkdirAll(dir, 0o700)
}

// Send implements outbox.Sender. A repeat overwrites the same file.
func (c *catcher) Send(_ context.Context, l bridge.Letter) error {
	mail, err := c.render.Render(l)
	if err != nil {
		return err
	}
	file := filepath.Join(c.dir, l.Mail.ID.String()+".eml")
	return os.WriteFile(file, mail.Raw, 0o600)
}

var link = regexp.MustCompile(`https?://[^\s<>"]+`)

// list reads the caught mails, the newest first.
func (c *catcher) list() []webui.DevMail {
	files, err := filepath.Glob(filepath.Join(c.dir, "*.eml"))
	if err != nil {
		return nil
	}
	slices.Sort(files)
	slices.Reverse(files)
	mails := []webui.DevMail{}
	for _, file := range files {
		if mail, err := readCaught(file); err == nil {
			mails = append(mails, mail)
		}
	}
	return mails
}

func readCaught(file string) (webui.DevMail, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return webui.DevMail{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return webui.DevMail{}, err
	}
	parsed, err := enmime.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return webui.DevMail{}, fmt.Errorf("%s: %w", file, err)
	}
	return webui.DevMail{
		At: info.ModTime(), To: parsed.GetHeader("To"), From: parsed.GetHeader("From"), Subject: parsed.GetHeader("Subject"),
		Text: strings.TrimSpace(parsed.Text), HTML: parsed.HTML, Raw: raw, Links: link.FindAllString(parsed.Text, -1),
	}, nil
}

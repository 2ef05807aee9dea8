package webui

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DevMail is a mail that was caught instead of sent.
type DevMail struct {
	At                time.Time
	To, From, Subject string
	Text, HTML        string
	Raw               []byte
	Links             []string // the addresses in Text
}

// DevOutbox shows caught mails to somebody who tries Mailroom on their own machine: a list, each mail as its reader would
// see it, and all of it as JSON. list returns the newest first. A mail's number counts from the oldest, so that its
// address stays when more arrive. Everybody who reaches it reads everybody's mail: serve it on loopback only.
func DevOutbox(list func() []DevMail) http.Handler {
	o := &devOutbox{list, embeddedStatic().base()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /dev/outbox", o.index)
	mux.HandleFunc("GET /dev/outbox.json", o.json)
	mux.HandleFunc("GET /dev/outbox/{number}", o.show)
	return mux
}

// onlyHere refuses requests for a host that is neither our public one nor this machine by its own name. A page elsewhere
// can let its own name lead to 127.0.0.1 (DNS rebinding), and would read all mails; the Host still tells that name.
func (s *Server) onlyHere(outbox http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if !strings.EqualFold(host, s.config.host) && !isLoopback(host) {
			http.Error(w, "The outbox is shown only under this server's own name. Open "+s.config.origin+"/dev/outbox.", http.StatusMisdirectedRequest)
			return
		}
		outbox.ServeHTTP(w, r)
	})
}

type devOutbox struct {
	list   func() []DevMail
	static string
}

// outboxView is the page of the outbox, with one mail open or none.
type outboxView struct {
	Static string
	Mails  []outboxMail
	Open   *outboxMail
}

type outboxMail struct {
	DevMail
	Number int
	// Document is the HTML part for an iframe that runs nothing; its links open beside the outbox.
	Document string
}

func (o *devOutbox) mails() []outboxMail {
	list := o.list()
	mails := make([]outboxMail, len(list))
	for i, m := range list {
		mails[i] = outboxMail{m, len(list) - i, `<base target="_blank">` + m.HTML}
	}
	return mails
}

func (o *devOutbox) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Refresh", "5") // somebody waits here for the mail that they just caused
	o.render(w, http.StatusOK, outboxView{Static: o.static, Mails: o.mails()})
}

func (o *devOutbox) show(w http.ResponseWriter, r *http.Request) {
	view := outboxView{Static: o.static, Mails: o.mails()}
	for i, m := range view.Mails {
		if strconv.Itoa(m.Number) == r.PathValue("number") {
			view.Open = &view.Mails[i]
		}
	}
	if view.Open == nil {
		o.render(w, http.StatusNotFound, view)
		return
	}
	o.render(w, http.StatusOK, view)
}

// outboxPolicy is the policy of the pages, but lets mails have the styles that mails have; the frame inherits it. The
// sandbox of the frame keeps scripts, forms and our own origin from a mail.
const outboxPolicy = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (o *devOutbox) render(w http.ResponseWriter, status int, view outboxView) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "outbox.html", view); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError) // on the machine of who reads it
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", outboxPolicy)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // who went away needs no page
}

// outboxJSON is a mail for scripts.
type outboxJSON struct {
	Number  int       `json:"number"`
	At      time.Time `json:"at"`
	To      string    `json:"to"`
	From    string    `json:"from"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html"`
	Raw     string    `json:"raw"`
	Links   []string  `json:"links"`
}

func (o *devOutbox) json(w http.ResponseWriter, _ *http.Request) {
	list := []outboxJSON{}
	for _, m := range o.mails() {
		list = append(list, outboxJSON{m.Number, m.At, m.To, m.From, m.Subject, m.Text, m.HTML, string(m.Raw), m.Links})
	}
	writeJSON(w, http.StatusOK, list)
}

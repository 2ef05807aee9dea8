package mailin

import (
	"regexp"
	"strings"
)

// class is what a mail is, whoever it is for.
type class string

const (
	personal  class = "personal"
	automatic class = "automatic" // an auto-responder, or another machine
	list      class = "list"      // sent through a mailing list, or in bulk
	report    class = "report"    // about the delivery of another mail
)

// classify says what a mail is and which sign told. Machines and lists never
// start or post anything (RFC 3834 §2 is about not answering them either). Most
// signs are weak: a person may have written the mail, and must hear of it.
func classify(env envelope, h header) (class, string) {
	for _, sign := range []func(envelope, header) (class, string){
		reportSign, listSign, automaticSign, robotName, robotSubject,
	} {
		if c, why := sign(env, h); c != "" {
			return c, why
		}
	}
	return personal, ""
}

const multipartReport = "multipart/report"

func reportSign(_ envelope, h header) (class, string) {
	kind, _, _ := strings.Cut(strings.ToLower(h.get("Content-Type")), ";")
	if strings.TrimSpace(kind) == multipartReport {
		return report, multipartReport
	}
	if h.has("X-Failed-Recipients") {
		return report, "X-Failed-Recipients"
	}
	return "", ""
}

func listSign(_ envelope, h header) (class, string) {
	for _, name := range []string{"List-Id", "List-Post", "List-Unsubscribe"} {
		if h.has(name) {
			return list, name
		}
	}
	switch precedence := strings.ToLower(h.get("Precedence")); precedence {
	case "bulk", "list", "junk":
		return list, "Precedence: " + precedence
	}
	return "", ""
}

// surelyMachine says if nobody wrote a mail: then it may be dropped in silence.
func surelyMachine(env envelope, h header) bool {
	_, why := reportSign(env, h)
	return autoSubmitted(h) || env.From == "" || why == multipartReport
}

// autoSubmitted reads the sign that RFC 3834 §5 gives machines.
func autoSubmitted(h header) bool {
	return h.has("Auto-Submitted") && !denies(h.get("Auto-Submitted"))
}

// denies says if the value of a sign says that it is none.
func denies(value string) bool {
	word, _, _ := strings.Cut(strings.ToLower(value), ";")
	return strings.TrimSpace(word) == "no"
}

func automaticSign(env envelope, h header) (class, string) {
	if autoSubmitted(h) {
		return automatic, "Auto-Submitted"
	}
	for _, name := range []string{"X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply", "X-Loop", "X-Mailroom-Loop"} {
		if h.has(name) && !denies(h.get(name)) {
			return automatic, name
		}
	}
	if strings.EqualFold(h.get("Precedence"), "auto_reply") {
		return automatic, "Precedence: auto_reply"
	}
	kind := strings.ToLower(h.get("Content-Type"))
	if strings.HasPrefix(kind, "text/calendar") && strings.Contains(kind, "method=reply") {
		return automatic, "answer to a calendar invitation"
	}
	if env.From == "" {
		return automatic, "null sender"
	}
	return "", ""
}

var robot = regexp.MustCompile(`(?i)^(mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?)$`)

func robotName(_ envelope, h header) (class, string) {
	from, refused := author(h)
	if refused == nil && robot.MatchString(from.Address.Localpart()) {
		return automatic, "From " + from.Address.Localpart()
	}
	return "", ""
}

// robotSubjects begin the subjects of out-of-office answers in many languages.
var robotSubjects = regexp.MustCompile(`(?i)^\s*(` + strings.Join([]string{
	`auto:`, `auto-?reply`, `automatic reply`, `auto(matic)? response`, `out of (the )?office`, `away from (the )?office`, `vacation`,
	`abwesen`, `automatische antwort`, `autoantwort`,
	`réponse automatique`, `absence du bureau`, `absent du bureau`, `message d'absence`,
	`respuesta automática`, `fuera de (la )?oficina`, `resposta automática`, `ausência temporária`,
	`risposta automatica`, `fuori sede`, `fuori ufficio`,
	`automatisch antwoord`, `afwezigheid`, `niet aanwezig`,
	`autosvar`, `automatiskt svar`, `automatisk svar`, `frånvaro`, `fravær`, `automaattinen vastaus`, `poissa`,
	`autoodpowiedź`, `automatyczna odpowiedź`, `nieobecno`, `automatická odpověď`, `automatická odpoveď`, `automatikus válasz`,
	`автоответ`, `автоматический ответ`, `αυτόματη απάντηση`, `otomatik yanıt`, `răspuns automat`,
	`自動応答`, `自動返信`, `自动回复`, `自動回覆`, `자동 회신`, `부재중`, `رد تلقائي`, `תשובה אוטומטית`,
}, "|") + `)`)

// robotSubject takes a subject for a sign only if the mail answers to none: a
// person may well talk about a vacation.
func robotSubject(_ envelope, h header) (class, string) {
	if robotSubjects.MatchString(decodeWords(h.get("Subject"))) && (!h.has("In-Reply-To") || h.has("X-Auto-Response-Suppress")) {
		return automatic, "Subject"
	}
	return "", ""
}
